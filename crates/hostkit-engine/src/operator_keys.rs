//! Keys that may log in as a project's account: never while the account itself is made or taken away, and told as events.

use hostkit_core::event::What;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::{EnvironmentName, ProjectName};
use hostkit_core::project::EnvironmentId;
use hostkit_core::traits::{OperatorKey, OperatorKeys};

use crate::context::Context;

pub(crate) async fn list(context: &Context, project: &ProjectName) -> Result<Vec<OperatorKey>, Failure> {
    keys(context, "list", project)?.list(project).await
}

pub(crate) async fn add(
    context: &Context,
    project: &ProjectName,
    line: &str,
    by: &str,
) -> Result<(OperatorKey, bool), Failure> {
    let keys = keys(context, "add", project)?;
    let _held = context.premises.lock().await;
    refuse_deleted(context, project)?;
    let (key, is_new) = keys.add(project, line).await?;
    if is_new {
        record(context, project, &key, true, by)?;
    }
    Ok((key, is_new))
}

pub(crate) async fn remove(
    context: &Context,
    project: &ProjectName,
    which: &str,
    by: &str,
) -> Result<OperatorKey, Failure> {
    let keys = keys(context, "remove", project)?;
    let _held = context.premises.lock().await;
    let key = keys.remove(project, which).await?;
    record(context, project, &key, false, by)?;
    Ok(key)
}

fn keys<'a>(
    context: &'a Context,
    verb: &str,
    project: &ProjectName,
) -> Result<&'a dyn OperatorKeys, Failure> {
    context.parts.operator_keys.as_deref().ok_or_else(|| {
        Failure::new(
            Kind::Conflict,
            format!(
                "cannot {verb} keys of `{project}`: in local mode projects have no accounts to log in to"
            ),
        )
        .hint("a token gives somebody rights here: `hostkit token create NAME --project PROJECT`")
    })
}

/// Somebody else may be deleting it: a key is not put into a home that is going.
fn refuse_deleted(context: &Context, project: &ProjectName) -> Result<(), Failure> {
    match context.parts.store.project(project)?.deleting {
        false => Ok(()),
        true => Err(Failure::new(
            Kind::Conflict,
            format!("cannot add a key to `{project}`: it is being deleted"),
        )),
    }
}

fn record(
    context: &Context,
    project: &ProjectName,
    key: &OperatorKey,
    added: bool,
    by: &str,
) -> Result<(), Failure> {
    let production = EnvironmentId::new(project.clone(), EnvironmentName::production());
    let what = What::OperatorKey {
        fingerprint: key.fingerprint.clone(),
        comment: key.comment.clone(),
        added,
        by: by.to_owned(),
    };
    context.parts.store.record(Some(&production), what)?;
    Ok(())
}
