//! The outcome observed: exactly the wanted instances, all of the wanted release, none of the old, and the front door
//! shows it. What is not so is a failed deployment, whatever the steps before believed.

use std::time::Duration;

use hostkit_core::deployment::{Act, DeploymentId, StepName};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::ReleaseName;
use hostkit_core::workload::{Instance, InstanceId, InstanceState, Scope};
use hostkit_store::{Live, Standing};
use tokio::time::Instant;

use super::Step;
use super::switch::seen;
use crate::run::Run;
use crate::wanted;

pub(super) struct Confirm;

/// How long the outcome may take to be as it should.
const PATIENCE: Duration = Duration::from_secs(3);

/// The release that an instance of an environment that stands so runs.
fn release_of<'a>(standing: &'a Standing, id: &InstanceId) -> Option<&'a ReleaseName> {
    let generation = id.workload.deployment;
    let live = standing.live.iter().map(|live| (live.generation, &live.release));
    let canary = standing.canary.iter();
    let mut both = live.chain(canary.map(|canary| (canary.generation, &canary.release)));
    both.find(|(of, _)| *of == generation).map(|(_, release)| release)
}

/// What differs from what is wanted.
fn difference(wanted: &[InstanceId], standing: &Standing, there: &[Instance]) -> Option<String> {
    let alive: Vec<&Instance> = there
        .iter()
        .filter(|i| i.state != InstanceState::Stopped)
        .collect();
    let missing = wanted.iter().find(|id| !alive.iter().any(|i| i.id == **id));
    if let Some(id) = missing {
        return Some(format!("`{id}` does not run"));
    }
    alive.into_iter().find_map(|instance| {
        let id = &instance.id;
        if !wanted.contains(id) {
            Some(format!("`{id}` still runs"))
        } else if Some(&instance.release) != release_of(standing, id) {
            Some(format!("`{id}` runs release {}", instance.release))
        } else if instance.state != InstanceState::Running {
            let exit = instance
                .last_exit
                .as_ref()
                .map(|exit| format!(" ({exit})"))
                .unwrap_or_default();
            Some(format!("`{id}` ended by itself{exit}"))
        } else {
            None
        }
    })
}

async fn observed(run: &Run, standing: &Standing) -> Result<(), Failure> {
    let (context, id) = (&run.context, &run.deployment.environment);
    let names = wanted::instances(&wanted::counts(context, id, standing)?);
    let begun = Instant::now();
    loop {
        let there = context.parts.runtime.observe(&Scope::of(id)).await?;
        let Some(why) = difference(&names, standing, &there) else {
            break;
        };
        if begun.elapsed() >= PATIENCE {
            let message = format!("cannot confirm the deployment of `{id}`: {why}");
            return Err(Failure::new(Kind::Failed, message).hint("see `hostkit ps` and `hostkit logs`"));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    seen(run, standing, PATIENCE).await
}

/// Goes back to the release before, by a deployment of its own: what answers now does not answer well. That it was
/// asked for is saved in one act with it, so that an interruption asks for no second one. The result is the failure
/// with a word on that.
pub(crate) fn go_back(run: &mut Run, mut failure: Failure) -> Failure {
    let act = &run.deployment.act;
    let goes_back = matches!(
        act,
        Act::Deploy { .. } | Act::Promote { percent: None } | Act::Apply
    );
    if run.saved.rollback.is_some() || !goes_back {
        return failure;
    }
    let before = &run.saved.before;
    let Some(Live { release, .. }) = before.live.clone().filter(|_| !before.stopped) else {
        return failure;
    };
    // The live release was not touched for a canary.
    let to = match act {
        Act::Deploy { canary: Some(_), .. } => Act::Abandon,
        _ => Act::Rollback { to: release.clone() },
    };
    let id = run.deployment.id;
    let saved_with = |number: DeploymentId| {
        let mut saved = run.saved.clone();
        let mut told = failure.clone();
        let word = format!("deployment {number} goes back to release {release}");
        told.details.push(word);
        saved.rollback = Some(number);
        saved.failure = Some(told.clone());
        (saved, told)
    };
    let trigger = format!("automatic rollback of deployment {id}");
    let store = &run.context.parts.store;
    match store.submit_after(&run.deployment, &to, &trigger, |number| {
        saved_with(number).0.text(id)
    }) {
        Ok(queued) => {
            let (saved, told) = saved_with(queued.id);
            run.saved = saved;
            told
        }
        Err(why) => {
            let word = format!("going back to release {release} failed: {why}");
            failure.details.push(word);
            failure
        }
    }
}

#[async_trait::async_trait]
impl Step for Confirm {
    fn name(&self) -> StepName {
        StepName::Confirm
    }

    async fn run(&self, run: &mut Run) -> Result<(), Failure> {
        let standing = run.wanted()?.clone();
        observed(run, &standing).await
    }

    async fn undo(&self, _run: &mut Run) -> Result<(), Failure> {
        Ok(())
    }
}
