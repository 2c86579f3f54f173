//! Host names a release claims. Refused early, before anything is started, and asked again in one act with the switch:
//! of two deployments that claim one name at the same time, the one that switches first has it.

use hostkit_core::deployment::DeploymentState;
use hostkit_core::domain::DomainName;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::ReleaseName;
use hostkit_core::plan::hosts::{self, Holder};
use hostkit_core::project::EnvironmentId;
use hostkit_core::release::Release;
use hostkit_store::Standing;

use crate::context::{Context, locked};
use crate::run::{Run, Saved};

/// Makes an environment stand as a deployment wants it, unless a host name it claims is somebody else's. The lock makes
/// the look and the write one act: control is the only writer.
pub(super) fn switch(run: &Run, standing: &Standing) -> Result<(), Failure> {
    let (context, id) = (&run.context, &run.deployment.environment);
    let _held = locked(&context.hosts);
    let is_new =
        |release: &ReleaseName| run.saved.before.live.as_ref().map(|live| &live.release) != Some(release);
    if let Some(live) = standing.live.as_ref().filter(|live| is_new(&live.release)) {
        check(run, context.release(id, &live.release)?.as_ref())?;
    }
    context.parts.store.switch(id, standing)
}

/// Refuses a release that claims a host name somebody else has: traffic of others is nobody's to take, and a name that
/// would not lead here must not look as if it did.
pub(super) fn check(run: &Run, release: &Release) -> Result<(), Failure> {
    let (context, id) = (&run.context, &run.deployment.environment);
    let claimed = &release.manifest.hosts;
    if claimed.is_empty() || !id.environment.is_production() {
        return Ok(());
    }
    let taken = whose(context, id, claimed)?;
    let Some((host, whose)) = taken.first() else {
        return Ok(());
    };
    let message = format!("cannot deploy to `{id}`: the host `{host}` is {whose}");
    Err(Failure::new(Kind::Conflict, message).hint("take it out of `hosts` in hostkit.toml"))
}

/// The names among `claimed` that an environment cannot have, and whose they are, in words.
pub(crate) fn whose(
    context: &Context,
    id: &EnvironmentId,
    claimed: &[DomainName],
) -> Result<Vec<(DomainName, &'static str)>, Failure> {
    let held = held(context)?;
    let others = held.iter().map(|(id, hosts)| (id, hosts.as_slice()));
    let taken = hosts::taken(id, claimed, &context.parts.settings.base_host, others);
    let words = taken.into_iter().map(|(host, holder)| {
        let whose = match holder {
            Holder::Hostkit => "HostKit's own",
            Holder::AnotherProject => "taken by another project",
            Holder::WildcardOfAnother => "below a wildcard that another project has",
            Holder::NamesOfAnother => "over a name that another project has",
            Holder::SameProject => "that of another environment of this project",
        };
        (host, whose)
    });
    Ok(words.collect())
}

/// The names each environment has: those of its live release, and those that were added to it. One that is just being
/// deployed also keeps those of the release it may go back to.
fn held(context: &Context) -> Result<Vec<(EnvironmentId, Vec<DomainName>)>, Failure> {
    let store = &context.parts.store;
    let mut live: Vec<(EnvironmentId, Option<ReleaseName>)> = store
        .environments()?
        .into_iter()
        .map(|environment| (environment.id, environment.live.map(|live| live.release)))
        .collect();
    let unfinished = store.unfinished_deployments()?.into_iter();
    for deployment in unfinished.filter(|d| d.state == DeploymentState::Running) {
        let saved = store.saga(deployment.id)?;
        let saved: Option<Saved> = saved.and_then(|text| serde_json::from_str(&text).ok());
        let before = saved.and_then(|saved| saved.before.live);
        live.push((deployment.environment, before.map(|live| live.release)));
    }
    let added = store.domains()?.into_iter();
    let added = added.map(|domain| Ok((domain.environment, vec![domain.host])));
    live.into_iter()
        .map(|(id, release)| {
            let hosts = match release.filter(|_| id.environment.is_production()) {
                Some(release) => claimed_by(context, &id, &release)?,
                None => Vec::new(),
            };
            Ok((id, hosts))
        })
        .chain(added)
        .collect()
}

/// None for a release that is gone: its project is being deleted.
pub(crate) fn claimed_by(
    context: &Context,
    id: &EnvironmentId,
    release: &ReleaseName,
) -> Result<Vec<DomainName>, Failure> {
    match context.release(id, release) {
        Ok(release) => Ok(release.manifest.hosts.clone()),
        Err(failure) if failure.kind == Kind::NotFound => Ok(Vec::new()),
        Err(failure) => Err(failure),
    }
}
