//! Walks the list of steps: each is recorded as begun, run, and recorded as done with all the next one needs, before
//! the next begins. A failure undoes what was done, backwards.
//!
//! The commit point is the end of `switch`: the new instances were seen to answer and to stay up. What fails before is
//! undone and the old release never noticed; what fails after (`retire`, `confirm`) is not.
//!
//! After an interruption a deployment whose release was not frozen yet begins again, and any other goes on where it was:
//! a step that had begun is undone and run again before the switch, run again from the switch on. One that had failed
//! goes on to be undone.

use hostkit_core::deployment::{Act, DeploymentState, ProbeReport, StepName, StepState};
use hostkit_core::kind::{Failure, Kind};
use hostkit_store::{Outcome, StepEnd};
use tokio::time::Instant;

use crate::cancel::cancelled;
use crate::deploy::{STEPS, Step, first_step, go_back};
use crate::faults::{Fault, Moment};
use crate::probing::Probe;
use crate::run::Run;

/// How the walk ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The deployment is final.
    Finished,
    /// It was left as it is, by a fault of a test.
    Halted,
}

enum Stop {
    Failed(Failure),
    Halted,
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Stop::Failed(failure)
    }
}

/// Runs a deployment to its end, from wherever it stands.
pub(crate) async fn run(mut run: Run) -> Ended {
    let id = run.deployment.id;
    let begun = Instant::now();
    tracing::info!(deployment = id, environment = %run.deployment.environment, "deploying");
    let known = run.saved.failure.clone();
    let stop = match known.or(run.deployment.failure.clone()) {
        Some(failure) => {
            run.journal.say("undoing it again, after an interruption");
            Err(Stop::Failed(failure))
        }
        None => walk(&mut run).await,
    };
    let outcome = match stop {
        Ok(()) => succeeded(&run),
        Err(Stop::Halted) => return Ended::Halted,
        Err(Stop::Failed(failure)) => match failed(&mut run, failure).await {
            Some(outcome) => outcome,
            None => return Ended::Halted,
        },
    };
    run.probe = None;
    let elapsed = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(deployment = id, state = ?outcome.state, elapsed, "deployed");
    if let Some(failure) = &outcome.failure {
        run.journal.say(&failure.message);
        failure.details.iter().for_each(|line| run.journal.say(line));
        if let Some(hint) = &failure.hint {
            run.journal.say(&format!("hint: {hint}"));
        }
    } else {
        run.journal.say(&outcome.message);
    }
    if let Err(error) = run.context.parts.store.finish_deployment(id, &outcome) {
        tracing::error!(deployment = id, %error, "cannot record the end of a deployment");
    }
    Ended::Finished
}

async fn walk(run: &mut Run) -> Result<(), Stop> {
    prepare_again(run).await?;
    while let Some(step) = STEPS.get(run.saved.next) {
        let name = step.name();
        let (store, id) = (run.context.parts.store.clone(), run.deployment.id);
        store.begin_step(id, name)?;
        run.step_began = Instant::now();
        fault(run, Moment::Before, name)?;
        attempt(*step, run).await?;
        fault(run, Moment::After, name)?;
        run.saved.next += 1;
        let saga = run.saved_text()?;
        let end = StepEnd {
            name,
            state: StepState::Done,
            milliseconds: run.step_milliseconds(),
            saga: &saga,
            release: run.saved.release.as_ref(),
        };
        store.end_step(id, end)?;
    }
    Ok(())
}

/// Runs one step. One that may take long is left when the deployment is cancelled: what it began is undone.
async fn attempt(step: &dyn Step, run: &mut Run) -> Result<(), Failure> {
    if !step.can_be_left() {
        return step.run(run).await;
    }
    let (context, id) = (run.context.clone(), run.deployment.id);
    tokio::select! {
        biased;
        failure = cancelled(&context, id) => Err(failure),
        ended = step.run(run) => ended,
    }
}

/// Sets out again after an interruption. Before the switch, what the interrupted step left is undone. Instances may be
/// gone meanwhile (a loss of power): from `start` on they are ensured and checked again.
async fn prepare_again(run: &mut Run) -> Result<(), Stop> {
    let begun = |name: StepName| run.deployment.steps.iter().any(|s| s.name == name);
    let Some(step) = STEPS.get(run.saved.next) else {
        return Ok(());
    };
    if run.deployment.steps.is_empty() {
        return Ok(());
    }
    if step.name() <= StepName::Freeze {
        return begin_again(run).await;
    }
    run.journal.say(&format!("taking up again at {}", step.name()));
    if begun(step.name()) && step.name() < StepName::Switch {
        step.undo(run).await?;
    }
    for earlier in STEPS.iter().take(run.saved.next) {
        let again = match earlier.name() {
            StepName::Start => true,
            StepName::Check => step.name() == StepName::Switch,
            _ => false,
        };
        let did = run.deployment.steps.iter().any(|s| s.name == earlier.name());
        if again && did {
            earlier.run(run).await?;
        }
    }
    Ok(())
}

/// Sets out from the first step: what is not frozen was not brought to the disk, and a loss of power may have torn it.
async fn begin_again(run: &mut Run) -> Result<(), Stop> {
    run.journal.say("beginning again, after an interruption");
    for step in STEPS.iter().take(run.saved.next + 1).rev() {
        if run.deployment.steps.iter().any(|s| s.name == step.name()) {
            step.undo(run).await?;
        }
    }
    run.saved.next = first_step(&run.deployment.act);
    Ok(run.save()?)
}

fn fault(run: &Run, moment: Moment, name: StepName) -> Result<(), Stop> {
    match run.context.parts.settings.faults.take(moment, name) {
        None => Ok(()),
        Some(Fault::Fail) => {
            Err(Failure::new(Kind::Internal, format!("cannot {name}: a test wants it to fail")).into())
        }
        Some(Fault::Kill) => std::process::abort(),
        Some(Fault::Halt) => Err(Stop::Halted),
    }
}

fn succeeded(run: &Run) -> Outcome {
    let probe = run.probe.as_ref().and_then(Probe::report);
    let id = run.deployment.id;
    let mut message = match (&run.deployment.act, &run.saved.release) {
        (Act::Stop, _) => format!("deployment {id} stopped {}", run.deployment.environment),
        (Act::Scale { process, count }, _) => format!("deployment {id} scaled {process} to {count}"),
        (
            Act::Deploy {
                canary: Some(percent),
                ..
            }
            | Act::Promote {
                percent: Some(percent),
            },
            Some(release),
        ) => {
            format!("deployment {id}: {percent} of the visitors get release {release}")
        }
        (Act::Promote { percent: None }, Some(release)) => {
            format!("deployment {id} made the canary {release} the live release")
        }
        (Act::Abandon, Some(release)) => {
            format!("deployment {id} ended the canary {release}; everybody gets the live release")
        }
        (_, Some(release)) => format!("deployment {id} brought release {release} live"),
        (_, None) => format!("deployment {id} is done"),
    };
    if let Some(lost) = lost(probe.as_ref()) {
        message.push_str(&format!("; {lost}"));
    }
    Outcome {
        state: DeploymentState::Succeeded,
        failure: None,
        probe,
        message,
    }
}

fn lost(probe: Option<&ProbeReport>) -> Option<String> {
    let probe = probe.filter(|p| p.lost > 0)?;
    Some(format!(
        "{} of {} probe requests were lost",
        probe.lost, probe.requests
    ))
}

/// Undoes what was done, if it still may be, and tells why the deployment failed. Nothing where a test halts it.
async fn failed(run: &mut Run, failure: Failure) -> Option<Outcome> {
    let at = run.saved.next;
    let name = STEPS.get(at).map_or(StepName::Confirm, |step| step.name());
    run.slot = None;
    let by_somebody = cancellation(run);
    let was_cancelled = by_somebody.is_some();
    let mut failure = masked(run, by_somebody.unwrap_or(failure));
    if name == StepName::Confirm {
        failure = go_back(run, failure);
    }
    run.saved.failure = Some(failure.clone());
    if let Err(Stop::Halted) = fault(run, Moment::Failed, name) {
        return None;
    }
    if !has_begun(run, name) {
        run.save().unwrap_or_else(|error| not_recorded(run, &error));
    } else if !has_ended(run, name) {
        let state = match was_cancelled {
            true => StepState::Undone,
            false => StepState::Failed,
        };
        end(run, name, state);
    }
    if name <= StepName::Switch {
        for step in STEPS.iter().take(at + 1).rev() {
            if let Err(error) = undo(run, step.name()).await {
                failure
                    .details
                    .push(format!("{error} (it is tried again in the background)"));
            }
        }
    }
    let probe = run.probe.as_ref().and_then(Probe::report);
    if let Some(lost) = lost(probe.as_ref()) {
        failure.details.push(lost);
    }
    let id = run.deployment.id;
    let (state, how) = match was_cancelled {
        true => (DeploymentState::Cancelled, "was cancelled".to_owned()),
        false => (DeploymentState::Failed, format!("failed at {name}")),
    };
    Some(Outcome {
        state,
        message: format!("deployment {id} {how}: {failure}"),
        failure: Some(failure),
        probe,
    })
}

/// Undoes one step, trying again a few times: what is left behind would be found by the loops, but later.
async fn undo(run: &mut Run, name: StepName) -> Result<(), Failure> {
    let Some(step) = STEPS.iter().find(|s| s.name() == name) else {
        return Ok(());
    };
    if !has_begun(run, name) {
        return Ok(());
    }
    let mut last = None;
    for pause in [0, 50, 250, 1000] {
        tokio::time::sleep(std::time::Duration::from_millis(pause)).await;
        match step.undo(run).await {
            Ok(()) => {
                if STEPS
                    .get(run.saved.next)
                    .is_some_and(|failed| failed.name() != name)
                {
                    end(run, name, StepState::Undone);
                }
                return Ok(());
            }
            Err(error) => last = Some(error),
        }
    }
    last.map_or(Ok(()), Err)
}

fn has_begun(run: &Run, name: StepName) -> bool {
    let store = &run.context.parts.store;
    store
        .deployment(run.deployment.id)
        .is_ok_and(|d| d.steps.iter().any(|s| s.name == name))
}

/// Whether it is recorded that a step failed: a former process got that far.
fn has_ended(run: &Run, name: StepName) -> bool {
    let steps = &run.deployment.steps;
    let ended = [StepState::Failed, StepState::Undone];
    steps.iter().any(|s| s.name == name && ended.contains(&s.state))
}

fn end(run: &Run, name: StepName, state: StepState) {
    let Ok(saga) = run.saved_text() else {
        return;
    };
    let end = StepEnd {
        name,
        state,
        // Of a step that is undone the time it took is known already.
        milliseconds: run.step_milliseconds().filter(|_| state == StepState::Failed),
        saga: &saga,
        release: run.saved.release.as_ref(),
    };
    if let Err(error) = run.context.parts.store.end_step(run.deployment.id, end) {
        not_recorded(run, &error);
    }
}

fn not_recorded(run: &Run, error: &Failure) {
    tracing::warn!(deployment = run.deployment.id, %error, "cannot record how a step ended");
}

/// Who cancelled it, if somebody did.
fn cancellation(run: &Run) -> Option<Failure> {
    let now = run.context.parts.store.deployment(run.deployment.id).ok()?;
    now.is_being_cancelled().then_some(now.failure)?
}

/// The failure without values of variables.
fn masked(run: &Run, failure: Failure) -> Failure {
    Failure {
        kind: failure.kind,
        message: run.journal.mask(&failure.message),
        hint: failure.hint.map(|hint| run.journal.mask(&hint)),
        details: failure
            .details
            .iter()
            .map(|line| run.journal.mask(line))
            .collect(),
    }
}
