//! What does not work of add-ons, for those who ask: deployments, and `hostkit doctor`.

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use hostkit_core::addon::AddonHealth;
use hostkit_core::doctor::{Finding, Level};
use hostkit_core::kind::Failure;
use hostkit_core::project::EnvironmentId;

use super::{AddonReport, report};
use crate::context::Context;

/// So many are looked at together.
const AT_ONCE: usize = 8;

/// What of an environment's add-ons does not work, in words.
pub(crate) async fn complaints(context: &Context, id: &EnvironmentId) -> Result<Vec<String>, Failure> {
    let addons = context.parts.store.addons_of(id)?;
    let reports = join_all(addons.into_iter().map(|addon| report(context, addon))).await;
    let found = reports.into_iter().filter_map(|report| {
        let title = report.addon.order.id.kind.title();
        match report.state.health {
            AddonHealth::Ready => None,
            AddonHealth::Starting => Some(format!("{title} still reads its data")),
            AddonHealth::Down(why) => Some(format!("{title} does not work: {why}")),
        }
    });
    Ok(found.collect())
}

/// How the add-ons of an environment are, for `hostkit doctor`.
pub(crate) async fn findings(context: &Context, id: &EnvironmentId) -> Result<Vec<Finding>, Failure> {
    let addons = context.parts.store.addons_of(id)?;
    let reports = join_all(addons.into_iter().map(|addon| report(context, addon))).await;
    Ok(reports.iter().map(finding).collect())
}

/// What does not work of the add-ons of all environments.
pub(crate) async fn broken(context: &Context) -> Result<Vec<Finding>, Failure> {
    let addons = context.parts.store.addons()?;
    let looks = addons.into_iter().map(|addon| report(context, addon));
    let reports: Vec<AddonReport> = stream::iter(looks).buffered(AT_ONCE).collect().await;
    let findings = reports.iter().map(|report| {
        let mut finding = finding(report);
        finding.subject = report.addon.order.id.to_string();
        finding
    });
    Ok(findings.filter(|finding| finding.level != Level::Fine).collect())
}

fn finding(report: &AddonReport) -> Finding {
    let id = &report.addon.order.id;
    let (subject, project) = (id.kind.as_str(), &id.environment.project);
    let hint = format!("`hostkit events -p {project}` says since when; it is tried again by itself");
    match &report.state.health {
        AddonHealth::Ready => match report.state.warnings.join("; ") {
            none if none.is_empty() => Finding::fine(subject, "it answers"),
            warnings => Finding::warning(subject, format!("it answers, and {warnings}")),
        },
        AddonHealth::Starting => Finding::warning(subject, "it still reads its data").hint(hint),
        AddonHealth::Down(why) => Finding::problem(subject, format!("it does not work: {why}")).hint(hint),
    }
}
