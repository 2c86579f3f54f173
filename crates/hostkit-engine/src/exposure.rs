//! How open the machine is to the programs of a project, for whoever looks at one.

use futures_util::future::{join_all, try_join_all};
use hostkit_core::kind::Failure;
use hostkit_core::names::ProjectName;
use hostkit_core::workload::{InstanceState, Scope};

use crate::context::Context;

/// The measure of the most open program that runs.
pub(crate) async fn of_project(context: &Context, project: &ProjectName) -> Result<Option<f64>, Failure> {
    let parts = &context.parts;
    let environments = parts.store.project(project)?.environments;
    let scopes: Vec<Scope> = environments
        .iter()
        .map(|environment| Scope::of(&environment.id))
        .collect();
    let observed = try_join_all(scopes.iter().map(|scope| parts.runtime.observe(scope))).await?;
    let mut running: Vec<_> = observed
        .into_iter()
        .flatten()
        .filter(|instance| instance.state == InstanceState::Running)
        .map(|instance| instance.id)
        .collect();
    // The instances of one workload are shut in alike: one of them is measured.
    running.sort();
    running.dedup_by(|next, kept| next.workload == kept.workload);
    let measured = join_all(running.iter().map(|id| parts.runtime.exposure(id))).await;
    let mut most = None;
    for (id, exposure) in running.iter().zip(measured) {
        match exposure {
            Ok(exposure) => most = [most, exposure].into_iter().flatten().reduce(f64::max),
            // It may have been stopped meanwhile; the rest of what is shown does not depend on it.
            Err(failure) => tracing::warn!(instance = %id, "{failure}"),
        }
    }
    Ok(most)
}
