//! Deleting a project with everything of it. Marked first: from then on nothing of it is served or started, and a
//! start after an interruption goes on here.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use hostkit_core::kind::Failure;
use hostkit_core::names::ProjectName;
use hostkit_core::route::BackendId;
use hostkit_core::traits::Archive;
use hostkit_core::workload::{Instance, Scope, WorkloadId};

use crate::Engine;
use crate::context::Context;
use crate::lanes::LaneSet;
use crate::{addons, backups, certificates, ports, provisioning, routing};

/// How long requests in flight may go on; whoever deletes a project does not wait for its slowest visitor.
const GRACE: Duration = Duration::from_secs(5);

/// Pauses between attempts to remove the files.
const PAUSES: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_millis(50),
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(3),
];

/// What is kept of a project that is deleted, where there is a place for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keeps {
    /// A last archive of its home.
    pub archive: bool,
    /// A last backup of each environment.
    pub backup: bool,
}

impl Default for Keeps {
    fn default() -> Self {
        Keeps {
            archive: true,
            backup: true,
        }
    }
}

impl Engine {
    /// As [`Engine::delete_project`]; what is kept is said. Last backups are held: they stay until somebody lets go of them.
    pub async fn delete_project_keeping(
        &self,
        name: &ProjectName,
        keeps: Keeps,
    ) -> Result<Option<Archive>, Failure> {
        delete(&self.context, &self.lanes, name, keeps).await
    }
}

async fn delete(
    context: &Arc<Context>,
    lanes: &LaneSet,
    name: &ProjectName,
    keeps: Keeps,
) -> Result<Option<Archive>, Failure> {
    let store = &context.parts.store;
    let project = store.project(name)?;
    let archives = context.parts.archives.as_ref().filter(|_| keeps.archive);
    // While everything runs still: what is refused here has changed nothing. A deletion that goes on may have removed
    // something by now, and has its archive.
    if let Some(archives) = archives.filter(|_| !project.deleting) {
        archives.check(name).await?;
    }
    if keeps.backup && !project.deleting {
        for environment in &project.environments {
            backups::make_last(context, &environment.id).await?;
        }
    }
    let hosts = certificates::hosts_of(context, name)?;
    store.begin_delete(name)?;
    lanes.abort_project(name).await;
    for environment in &project.environments {
        // Nobody else starts instances of it after this.
        let lock = context.lock_of(&environment.id);
        let _held = lock.lock().await;
        for deployment in store.deployments(&environment.id, usize::MAX)? {
            context.feeds.close(deployment.id);
        }
    }
    routing::apply(context).await?;
    let observed = context.parts.runtime.observe(&Scope::default()).await?;
    let theirs: Vec<Instance> = observed
        .into_iter()
        .filter(|i| i.id.workload.environment.project == *name)
        .collect();
    let with_port: Vec<BackendId> = theirs
        .iter()
        .filter(|i| i.address.is_some())
        .map(|i| BackendId::from(&i.id))
        .collect();
    if !with_port.is_empty() {
        context.parts.traffic.drain(&with_port, GRACE).await?;
    }
    let mut workloads: Vec<WorkloadId> = theirs.into_iter().map(|i| i.id.workload).collect();
    workloads.dedup();
    try_join_all(
        workloads
            .iter()
            .map(|workload| context.parts.runtime.remove(workload)),
    )
    .await?;
    addons::remove_all(context, name).await?;
    let _turn = context.deletion.lock().await;
    let archive = match archives {
        // Made when nothing of it runs any more, and before the first of its files goes.
        Some(archives) => archives.keep(name, project.created_at).await?,
        None => None,
    };
    remove_files(context, name).await?;
    // Before its account goes, whose number may be another project's one day.
    ports::bring_in_force(context).await?;
    provisioning::remove(context, name).await?;
    certificates::give_up(context, &hosts).await;
    store.finish_delete(name)?;
    context.forget_project(name);
    Ok(archive)
}

/// Removes the project's folder. Work on files that was under way when its deployment was ended may still write there
/// for a moment: then it is removed again.
async fn remove_files(context: &Context, name: &ProjectName) -> Result<(), Failure> {
    let folder = context.parts.layout.project(name);
    let mut last = Ok(());
    for pause in PAUSES {
        tokio::time::sleep(pause).await;
        last = context.remove(folder.clone()).await;
        if last.is_ok() && !context.parts.files.exists(&folder) {
            break;
        }
    }
    last
}

/// Goes on with deletions that were interrupted.
pub(crate) async fn take_up(context: Arc<Context>, lanes: LaneSet) {
    let projects = context.parts.store.projects().unwrap_or_default();
    let deleting = projects.iter().filter(|p| p.deleting);
    let outcomes =
        join_all(deleting.map(|project| delete(&context, &lanes, &project.name, Keeps::default()))).await;
    for error in outcomes.into_iter().filter_map(Result::err) {
        tracing::warn!(%error, "cannot finish the deletion of a project");
    }
}
