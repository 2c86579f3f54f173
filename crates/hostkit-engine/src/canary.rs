//! How the canary of an environment does, in words.

use hostkit_core::doctor::{Finding, options};
use hostkit_core::manifest::Reach;
use hostkit_core::route::BackendId;
use hostkit_core::workload::Instance;
use hostkit_store::{Canary, Environment};

use crate::context::Context;

/// What `doctor` says of a canary; nothing where there is none. `ejected`: the instances that the front door leaves out.
pub(crate) fn finding(
    context: &Context,
    environment: &Environment,
    observed: &[Instance],
    ejected: &[BackendId],
) -> Option<Finding> {
    let Canary { release, percent, .. } = environment.canary.as_ref().filter(|_| !environment.stopped)?;
    let id = &environment.id;
    let subject = format!("canary of {id}");
    if is_fit(context, environment, observed, ejected) {
        return Some(Finding::fine(
            subject,
            format!("canary {percent}: release {release}"),
        ));
    }
    let message =
        format!("canary {percent}: release {release} does not answer, so its visitors get the live release");
    let options = options(id);
    Some(Finding::problem(subject, message).hint(format!(
        "see `hostkit ps {options}` and `hostkit logs {options}`; `hostkit rollback {options}` ends it"
    )))
}

/// Whether visitors can get it: its files, or one of the instances of its public process.
pub(crate) fn is_fit(
    context: &Context,
    environment: &Environment,
    observed: &[Instance],
    ejected: &[BackendId],
) -> bool {
    let Some(canary) = &environment.canary else {
        return false;
    };
    let Ok(release) = context.release(&environment.id, &canary.release) else {
        return false;
    };
    let mut processes = release.processes.iter();
    let Some((public, _)) = processes.find(|(_, process)| process.rule.reach == Reach::Public) else {
        return release.artifact.files.is_some();
    };
    observed.iter().any(|instance| {
        let workload = &instance.id.workload;
        workload.environment == environment.id
            && workload.deployment == canary.generation
            && workload.process == *public
            && context.ready.contains(instance)
            && !context.ready.rests(instance)
            && !ejected.contains(&BackendId::from(&instance.id))
    })
}
