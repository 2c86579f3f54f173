//! What is not needed any more goes: old releases, scratch of ended deployments, sources no release is built from,
//! records of old deployments with their logs.

use std::collections::BTreeSet;
use std::sync::Arc;

use hostkit_core::deployment::{Act, DeploymentId};
use hostkit_core::kind::Failure;
use hostkit_core::names::ReleaseName;
use hostkit_core::plan::releases::to_remove;
use hostkit_core::project::EnvironmentId;
use hostkit_core::source::SourceId;
use hostkit_core::workload::Scope;
use hostkit_store::Project;

use super::caches;
use crate::context::{Context, on_disk};

/// How many ended deployments of an environment are remembered.
const DEPLOYMENTS: usize = 100;

/// Tidies up behind a deployment that ended. What fails is found again by the next sweep.
pub(crate) async fn after_deployment(context: &Arc<Context>, id: &EnvironmentId, deployment: DeploymentId) {
    let outcome = async {
        context
            .remove(context.parts.layout.scratch(id, deployment))
            .await?;
        releases(context, id).await
    };
    if let Err(error) = outcome.await {
        tracing::warn!(environment = %id, %error, "cannot tidy up after a deployment");
    }
}

/// Looks through everything once.
pub(crate) async fn sweep(context: &Arc<Context>) {
    let projects = match context.parts.store.projects() {
        Ok(projects) => projects,
        Err(error) => {
            tracing::warn!(%error, "cannot look for leftovers");
            return;
        }
    };
    for project in projects.iter().filter(|p| !p.deleting) {
        if let Err(error) = sweep_project(context, project).await {
            tracing::warn!(project = %project.name, %error, "cannot remove leftovers");
        }
    }
}

async fn sweep_project(context: &Arc<Context>, project: &Project) -> Result<(), Failure> {
    for environment in &project.environments {
        let id = &environment.id;
        let lock = context.lock_of(id);
        let Ok(_held) = lock.try_lock() else {
            continue;
        };
        let there = context.parts.runtime.observe(&Scope::of(id)).await?;
        context.ready.forget_gone(id, &there);
        scratch(context, id).await?;
        releases(context, id).await?;
        for old in context.parts.store.prune_deployments(id, DEPLOYMENTS)? {
            context
                .remove(context.parts.layout.deployment_log(id, old))
                .await?;
        }
    }
    let keep = sources(context, project)?;
    // What fails here keeps nothing from the rest.
    let sources = context.parts.sources.prune(&project.name, &keep).await;
    caches::prune(context, project).await?;
    sources.map(drop)
}

/// Scratch of deployments that are not under way.
async fn scratch(context: &Arc<Context>, id: &EnvironmentId) -> Result<(), Failure> {
    let Some(folder) = context
        .parts
        .layout
        .scratch(id, 0)
        .parent()
        .map(ToOwned::to_owned)
    else {
        return Ok(());
    };
    let running: Vec<DeploymentId> = context
        .parts
        .store
        .unfinished_deployments()?
        .iter()
        .map(|d| d.id)
        .collect();
    let names = context
        .parts
        .files
        .names(&folder)
        .map_err(|e| on_disk("list", &folder, &e))?;
    for name in names {
        if !name
            .parse::<DeploymentId>()
            .is_ok_and(|number| running.contains(&number))
        {
            context.remove(folder.join(name)).await?;
        }
    }
    Ok(())
}

/// Releases beyond the number to keep, and folders no release is recorded for.
async fn releases(context: &Arc<Context>, id: &EnvironmentId) -> Result<(), Failure> {
    let parts = &context.parts;
    let environment = parts.store.environment(id)?;
    let known = parts.store.releases(id)?;
    let unfinished = parts.store.unfinished_deployments()?;
    let needed: BTreeSet<ReleaseName> = unfinished
        .into_iter()
        .filter(|d| d.environment == *id)
        .flat_map(|d| match d.act {
            Act::Rollback { to } => vec![Some(to), d.release],
            _ => vec![d.release],
        })
        .flatten()
        .chain(environment.canary.iter().map(|canary| canary.release.clone()))
        .collect();
    let live = environment.live.as_ref().map(|live| &live.release);
    let keep = known
        .iter()
        .find(|r| Some(&r.name) == live)
        .or(known.first())
        .map_or(5, |r| r.manifest.releases);
    let names: Vec<ReleaseName> = known.into_iter().map(|r| r.name).collect();
    for old in to_remove(&names, live, environment.previous.as_ref(), keep as usize) {
        if !needed.contains(&old) {
            // The row goes first: a release that is listed always has its files.
            parts.store.remove_release(id, &old)?;
            context.forget_release(id, &old);
            context.remove(parts.layout.release(id, &old)).await?;
        }
    }
    let folder = parts.layout.releases(id);
    for name in parts
        .files
        .names(&folder)
        .map_err(|e| on_disk("list", &folder, &e))?
    {
        let is_known =
            ReleaseName::parse(&name).is_ok_and(|name| names.contains(&name) || needed.contains(&name));
        if !is_known {
            context.remove(folder.join(name)).await?;
        }
    }
    Ok(())
}

/// Sources that releases are built from or deployments wait for.
fn sources(context: &Context, project: &Project) -> Result<Vec<SourceId>, Failure> {
    let mut keep = BTreeSet::new();
    for environment in &project.environments {
        keep.extend(
            context
                .parts
                .store
                .releases(&environment.id)?
                .into_iter()
                .map(|r| r.source),
        );
    }
    for deployment in context.parts.store.unfinished_deployments()? {
        if let Act::Deploy { source, .. } = deployment.act {
            keep.insert(source);
        }
    }
    Ok(keep.into_iter().collect())
}
