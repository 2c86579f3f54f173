//! Earlier deployments on paper.

use hostkit_core::deployment::{Act, Deployment, DeploymentState, StepState};
use hostkit_core::project::EnvironmentId;

use crate::output::{Printer, Style, Table, ago, milliseconds};
use crate::session::Session;
use crate::stop::Stop;

pub(super) fn print(
    printer: &Printer,
    environment: &EnvironmentId,
    deployments: &[Deployment],
) -> Result<(), Stop> {
    if deployments.is_empty() {
        printer.say(&format!("Nothing was deployed to `{environment}` yet."));
        return Ok(());
    }
    let now = jiff::Timestamp::now();
    let mut table = Table::new(&["ID", "ACT", "STATE", "RELEASE", "ASKED", "TOOK", "BY"]);
    for deployment in deployments {
        let (state, style) = state(deployment.state);
        table.row(vec![
            (deployment.id.to_string(), Style::Name),
            (act(&deployment.act), Style::Plain),
            (state.to_owned(), style),
            (
                deployment
                    .release
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
                Style::Plain,
            ),
            (ago(now, deployment.created_at), Style::Plain),
            (
                took(deployment).map(milliseconds).unwrap_or_default(),
                Style::Plain,
            ),
            (deployment.trigger.clone(), Style::Plain),
        ]);
    }
    printer.table(&table)
}

pub(super) fn print_one(session: &Session<'_>, deployment: &Deployment) -> Result<(), Stop> {
    let printer = session.printer();
    let (word, style) = state(deployment.state);
    let row = |name: &str, value: &str| {
        printer.line(&format!(
            "{}{value}",
            printer.on_out(&format!("{name:<12}"), Style::Dim)
        ))
    };
    row(
        "deployment",
        &format!("{} of {}", deployment.id, deployment.environment),
    )?;
    row("act", &act(&deployment.act))?;
    row("state", &printer.on_out(word, style))?;
    if let Some(release) = &deployment.release {
        row("release", release.as_str())?;
    }
    if let Some(newer) = deployment.skipped_for {
        row("skipped for", &newer.to_string())?;
    }
    row(
        "asked",
        &format!(
            "{} by {}",
            ago(jiff::Timestamp::now(), deployment.created_at),
            printer.foreign_on_out(&deployment.trigger)
        ),
    )?;
    for step in &deployment.steps {
        let (mark, style) = match step.state {
            StepState::Running => ("runs", Style::Plain),
            StepState::Done => ("done", Style::Good),
            StepState::Failed => ("failed", Style::Bad),
            StepState::Undone => ("undone", Style::Warning),
        };
        let time = step
            .milliseconds
            .map(|ms| format!("  {}", milliseconds(ms)))
            .unwrap_or_default();
        row(
            step.name.as_str(),
            &format!("{}{time}", printer.on_out(mark, style)),
        )?;
    }
    if let Some(probe) = &deployment.probe {
        row(
            "requests",
            &format!(
                "{} of {} lost, slowest {}",
                probe.lost,
                probe.requests,
                milliseconds(probe.slowest_ms)
            ),
        )?;
    }
    if let Some(failure) = deployment.failure.clone().map(|failure| session.tells(failure)) {
        row("failure", &printer.foreign_on_out(&failure.message))?;
        for line in &failure.details {
            row("", &printer.foreign_on_out(line))?;
        }
        if let Some(hint) = &failure.hint {
            row("hint", &printer.foreign_on_out(hint))?;
        }
    }
    Ok(())
}

fn state(state: DeploymentState) -> (&'static str, Style) {
    match state {
        DeploymentState::Queued => ("queued", Style::Plain),
        DeploymentState::Running => ("running", Style::Name),
        DeploymentState::Succeeded => ("succeeded", Style::Good),
        DeploymentState::Failed => ("failed", Style::Bad),
        DeploymentState::Skipped => ("skipped", Style::Dim),
        DeploymentState::Cancelled => ("cancelled", Style::Dim),
    }
}

/// What a deployment does, in words.
pub(super) fn act(act: &Act) -> String {
    match act {
        Act::Deploy { canary: None, .. } => "deploy".to_owned(),
        Act::Deploy {
            canary: Some(percent),
            ..
        } => format!("deploy as canary, {percent}"),
        Act::Promote { percent: None } => "promote".to_owned(),
        Act::Promote {
            percent: Some(percent),
        } => format!("canary to {percent}"),
        Act::Abandon => "end canary".to_owned(),
        Act::Apply => "apply variables".to_owned(),
        Act::Rollback { to } => format!("rollback to {to}"),
        Act::Restart => "restart".to_owned(),
        Act::Scale { process, count } => format!("scale {process}={count}"),
        Act::Stop => "stop".to_owned(),
        Act::Start => "start".to_owned(),
    }
}

fn took(deployment: &Deployment) -> Option<u64> {
    let span = deployment.finished_at?.duration_since(deployment.started_at?);
    u64::try_from(span.as_millis()).ok()
}
