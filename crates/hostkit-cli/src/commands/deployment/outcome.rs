//! How a deployment ended, for people and for `--json`.

use std::time::Instant;

use hostkit_api::client::Client;
use hostkit_api::endpoints::{GetEnvironment, NoQuery};
use hostkit_api::project::EnvironmentState;
use hostkit_core::deployment::{Act, Deployment, DeploymentState, StepState};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::{EnvironmentName, ProjectName, ReleaseName};
use hostkit_core::project::EnvironmentId;
use serde::Serialize;

use crate::output::{Printer, Style, milliseconds, plural};
use crate::session::{Session, spelled};
use crate::stop::Stop;

/// What a command that deploys prints as JSON.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    project: ProjectName,
    environment: EnvironmentName,
    /// Where it answers.
    url: String,
    state: DeploymentState,
    release: Option<ReleaseName>,
    /// From the start of the command to here.
    milliseconds: u64,
    /// After a failure: the release that is live all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    still_live: Option<ReleaseName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upload: Option<Upload>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    created_project: bool,
    deployment: Deployment,
}

/// What was sent for a deployment.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Upload {
    /// Files of the folder, and their bytes.
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    /// Of these, what the server did not have yet.
    pub(crate) sent_files: u64,
    pub(crate) sent_bytes: u64,
    pub(crate) milliseconds: u64,
}

impl Outcome {
    /// The outcome of a deployment that ended, or that goes on without us.
    pub(crate) async fn of(client: &Client, deployment: Deployment, began: Instant) -> Result<Self, Failure> {
        let environment = client
            .call::<GetEnvironment>(&deployment.environment, &NoQuery {}, &())
            .await?;
        Ok(Outcome {
            project: deployment.environment.project.clone(),
            environment: deployment.environment.environment.clone(),
            still_live: environment.release.filter(|_| {
                matches!(
                    deployment.state,
                    DeploymentState::Failed | DeploymentState::Cancelled
                ) && environment.state == EnvironmentState::Live
            }),
            url: environment.url,
            state: deployment.state,
            release: deployment.release.clone(),
            milliseconds: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            upload: None,
            created_project: false,
            deployment,
        })
    }

    /// The same outcome, with what went before it.
    pub(crate) fn after(mut self, upload: Option<Upload>, created_project: bool) -> Self {
        self.upload = upload;
        self.created_project = created_project;
        self
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn is_of_new_project(&self) -> bool {
        self.created_project
    }

    /// Whether it brought a canary.
    pub(crate) fn is_canary(&self) -> bool {
        matches!(self.deployment.act, Act::Deploy { canary: Some(_), .. })
    }

    pub(crate) fn environment(&self) -> &EnvironmentId {
        &self.deployment.environment
    }

    pub(crate) fn has_succeeded(&self) -> bool {
        self.state == DeploymentState::Succeeded
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.state.is_final() && !self.has_succeeded()
    }

    pub(crate) fn was_cancelled(&self) -> bool {
        self.state == DeploymentState::Cancelled
    }

    /// Says which release is live all the same.
    pub(crate) fn say_still_live(&self, printer: &Printer) {
        if let Some(release) = &self.still_live {
            printer.say(&format!("Release {release} is live as before."));
        }
    }
}

/// Says on stderr how it ended; a failed one is the command's failure.
pub(crate) fn told(session: &Session<'_>, outcome: &Outcome) -> Result<(), Stop> {
    let printer = session.printer();
    let Outcome { deployment, .. } = outcome;
    match outcome.state {
        DeploymentState::Succeeded => {
            printer.say(&success(printer, outcome));
            if let Some(probe) = deployment.probe.as_ref().filter(|probe| probe.lost > 0) {
                printer.warn(&format!(
                    "{} of {} were lost on the way",
                    probe.lost,
                    plural(probe.requests, "request")
                ));
            }
            Ok(())
        }
        DeploymentState::Queued | DeploymentState::Running => {
            printer.say(&format!(
                "Deployment {} goes on without this command.",
                deployment.id
            ));
            printer.next(&format!("`{}` follows it", log_command(deployment)));
            Ok(())
        }
        DeploymentState::Failed | DeploymentState::Skipped | DeploymentState::Cancelled => {
            printer.error(&session.tells(failure(deployment)));
            outcome.say_still_live(printer);
            Err(Stop::Code(1))
        }
    }
}

/// The command that follows a deployment.
pub(super) fn log_command(deployment: &Deployment) -> String {
    format!(
        "hostkit deployments{} log {} -f",
        spelled(&deployment.environment),
        deployment.id
    )
}

fn success(printer: &Printer, outcome: &Outcome) -> String {
    let word = match outcome.deployment.act {
        Act::Stop => "Stopped",
        Act::Deploy { canary: Some(_), .. } | Act::Promote { percent: Some(_) } => "Canary",
        Act::Abandon => "Ended",
        _ => "Live",
    };
    let word = printer.on_err(word, Style::Good);
    let mut text = format!("{word} in {}", milliseconds(outcome.milliseconds));
    if let Some(release) = &outcome.release {
        text.push_str(&format!(": release {release}"));
    }
    match outcome.deployment.act {
        Act::Deploy {
            canary: Some(percent),
            ..
        }
        | Act::Promote {
            percent: Some(percent),
        } => {
            text.push_str(&format!(" for {percent} of the visitors"));
        }
        _ => {}
    }
    if let Some(probe) = outcome
        .deployment
        .probe
        .as_ref()
        .filter(|probe| probe.requests > 0 && probe.lost == 0)
    {
        let slowest = milliseconds(probe.slowest_ms);
        text.push_str(&format!(
            ", {} meanwhile, none lost (slowest {slowest})",
            plural(probe.requests, "request")
        ));
    }
    text
}

/// What is told of a deployment that did not succeed: the step, the reason, what explains it, what to do.
fn failure(deployment: &Deployment) -> Failure {
    if let Some(newer) = deployment.skipped_for {
        return Failure::new(
            Kind::Conflict,
            format!(
                "deployment {} was skipped: {newer} is newer and took its place",
                deployment.id
            ),
        )
        .hint(format!(
            "`hostkit deployments{} log {newer} -f` follows it",
            spelled(&deployment.environment)
        ));
    }
    if let (DeploymentState::Cancelled, Some(failure)) = (deployment.state, &deployment.failure) {
        return failure.clone();
    }
    let step = deployment
        .steps
        .iter()
        .find(|step| step.state == StepState::Failed)
        .map(|step| format!(" in step `{}`", step.name))
        .unwrap_or_default();
    let id = deployment.id;
    let mut failure = match &deployment.failure {
        Some(failure) => Failure {
            message: format!("deployment {id} failed{step}: {}", failure.message),
            ..failure.clone()
        },
        None => Failure::new(Kind::Failed, format!("deployment {id} failed{step}")),
    };
    if failure.hint.is_none() {
        failure.hint = Some(format!(
            "`{}` has the whole log",
            log_command(deployment).trim_end_matches(" -f")
        ));
    }
    failure
}
