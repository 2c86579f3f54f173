//! Traffic on the new instances: the state first, in one transaction, then the front door, then what was promised is
//! observed. Until this step is done the old instances run and everything can be taken back.

use std::time::Duration;

use hostkit_core::canary::Side;
use hostkit_core::deployment::StepName;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::{ProcessName, ReleaseName, VariableName};
use hostkit_core::secret::Secret;
use hostkit_core::variables::dotenv;
use hostkit_store::Standing;
use tokio::time::Instant;

use super::check::{ended, explained, fallen, observe};
use super::{Step, hosts};
use crate::addons;
use crate::probing;
use crate::routing;
use crate::run::Run;
use crate::wanted;

pub(super) struct Switch;

/// How long the front door may take to show a release whose table it took.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it is waited for to take a table back. It is tried again, and the loops see to it as well.
const BACK: Duration = Duration::from_secs(1);

/// Makes an environment stand as given, for everybody who looks: state, front door, link, `.env`.
async fn put(run: &Run, standing: &Standing, patience: Duration) -> Result<(), Failure> {
    hosts::switch(run, standing)?;
    // The files follow also where the front door does not answer: a release that is taken back leaves no link to itself.
    let routed = route(run, patience).await;
    show_live(run, standing).await?;
    name_live(run, standing).await;
    routed
}

/// The name by which the system's own tools know what is live. It is for people: no switch fails over it.
async fn name_live(run: &Run, standing: &Standing) {
    let (context, id) = (&run.context, &run.deployment.environment);
    let named = match wanted::main_instance(context, id, standing) {
        Ok(main) => context.parts.runtime.name_live(id, main.as_ref()).await,
        Err(failure) => Err(failure),
    };
    if let Err(failure) = named {
        tracing::warn!(%failure, environment = %id, "the name of what is live stays behind");
    }
}

/// What people go by on the disk: the link to the live release, and its variables with the address it is reached at.
async fn show_live(run: &Run, standing: &Standing) -> Result<(), Failure> {
    let (parts, id) = (&run.context.parts, &run.deployment.environment);
    let Some(live) = &standing.live else {
        return parts.premises.show_live(id, None).await;
    };
    let main = wanted::main_instance(&run.context, id, standing)?;
    let main = main.map_or(ProcessName::web(), |instance| instance.workload.process);
    let ports = parts.store.environment(id)?.ports;
    let own = [
        ("PROJECT_NAME", Some(id.project.to_string())),
        ("HOST", Some("127.0.0.1".to_owned())),
        ("PORT", ports.get(&main).map(u16::to_string)),
    ];
    let own = own
        .into_iter()
        .filter_map(|(name, value)| Some((VariableName::parse(name).ok()?, value?)));
    let theirs = parts.store.release_variables(id, &live.release)?;
    let theirs = addons::with(&run.context, id, theirs)?.into_iter();
    let theirs = theirs.map(|(name, value)| (name, value.reveal().to_owned()));
    let pairs: Vec<(VariableName, String)> = own.chain(theirs).collect();
    let text = Secret::new(dotenv::write(&pairs));
    parts.premises.show_live(id, Some((&live.release, &text))).await
}

/// Hands the table over. A front door that is just being started again is waited for.
async fn route(run: &Run, patience: Duration) -> Result<(), Failure> {
    let begun = Instant::now();
    loop {
        match routing::apply(&run.context).await {
            Err(failure) if failure.kind.is_retryable() && begun.elapsed() < patience => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            outcome => return outcome,
        }
    }
}

/// Waits until the front door answers with the releases an environment shall have, where requests from outside are
/// answered at all.
pub(super) async fn seen(run: &Run, standing: &Standing, patience: Duration) -> Result<(), Failure> {
    if let Some(live) = &standing.live {
        release_seen(run, standing, &live.release, Side::Live, patience).await?;
    }
    match &standing.canary {
        Some(canary) => release_seen(run, standing, &canary.release, Side::Canary, patience).await,
        None => Ok(()),
    }
}

async fn release_seen(
    run: &Run,
    standing: &Standing,
    release: &ReleaseName,
    side: Side,
    patience: Duration,
) -> Result<(), Failure> {
    let (context, id) = (&run.context, &run.deployment.environment);
    let Some(path) = probing::public_path(context, id, standing, release) else {
        return Ok(());
    };
    let host = probing::host(context, id);
    let begun = Instant::now();
    loop {
        let why = match context.parts.front_door.visit(&host, &path, side).await {
            Ok(visit) if visit.release.as_ref() == Some(release) => return Ok(()),
            Ok(visit) => {
                let found = visit
                    .release
                    .map_or("no release".into(), |r| format!("release {r}"));
                format!("it answered {} for {found}", visit.status)
            }
            Err(why) => why,
        };
        let prefix = format!("{id}");
        let aside = context
            .router
            .put_aside()
            .into_iter()
            .find(|entry| entry.route.starts_with(&prefix));
        if begun.elapsed() >= patience || aside.is_some() {
            let why = aside.map_or(why, |entry| format!("its route was put aside: {}", entry.reason));
            let message = format!("cannot see release `{release}` through the front door at {host}: {why}");
            return Err(Failure::new(Kind::Unavailable, message).hint("see `hostkit doctor`"));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// New instances must stay up under traffic for a moment; the old ones still run.
async fn settled(run: &Run) -> Result<(), Failure> {
    let new = run.new_instances()?;
    if new.is_empty() {
        return Ok(());
    }
    let begun = Instant::now();
    let settings = &run.context.parts.settings;
    let mut time = settings.settle;
    loop {
        let there = observe(run, &new).await?;
        if run.is_of_new_release() && there.iter().any(|i| i.address.is_none()) {
            time = time.max(settings.worker_settle);
        }
        match fallen(&new, &there) {
            None => {}
            Some(Ok(instance)) => return Err(explained(run, ended(instance)).await),
            Some(Err(id)) => {
                return Err(Failure::new(
                    Kind::Internal,
                    format!("cannot keep `{id}` running: it disappeared"),
                ));
            }
        }
        let left = time.saturating_sub(begun.elapsed());
        if left.is_zero() {
            return Ok(());
        }
        tokio::time::sleep(left.min(Duration::from_millis(25))).await;
    }
}

#[async_trait::async_trait]
impl Step for Switch {
    fn name(&self) -> StepName {
        StepName::Switch
    }

    async fn run(&self, run: &mut Run) -> Result<(), Failure> {
        let wanted = run.wanted()?.clone();
        put(run, &wanted, run.context.parts.settings.front_door_patience).await?;
        seen(run, &wanted, PATIENCE).await?;
        settled(run).await
    }

    async fn undo(&self, run: &mut Run) -> Result<(), Failure> {
        let patience = run.context.parts.settings.front_door_patience.min(BACK);
        put(run, &run.saved.before.clone(), patience).await
    }
}
