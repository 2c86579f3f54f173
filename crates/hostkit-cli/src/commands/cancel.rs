//! `hostkit cancel`: takes a deployment out of the queue, or has it undone.

use std::time::Instant;

use hostkit_api::client::Client;
use hostkit_api::endpoints::{CancelDeployment, ListDeployments, NoQuery};
use hostkit_api::target::OneDeployment;
use hostkit_core::deployment::{Deployment, DeploymentId, DeploymentState};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::project::EnvironmentId;

use super::deployment::{Outcome, follow, told};
use crate::args::CancelArgs;
use crate::session::Session;
use crate::stop::Stop;

pub(crate) async fn run(session: &Session<'_>, args: &CancelArgs) -> Result<(), Stop> {
    let environment = session.target(&args.target).await?;
    let client = session.client()?;
    let printer = session.printer();
    let began = Instant::now();
    let id = match args.deployment {
        Some(id) => id,
        None => the_only_one(&client, &environment).await?,
    };
    let target = OneDeployment {
        project: environment.project,
        id,
    };
    let asked = client.call::<CancelDeployment>(&target, &NoQuery {}, &()).await?;
    session.is_about(&asked.environment);
    let ended = match asked.state.is_final() || args.detach {
        true => asked,
        false => {
            printer.say(&format!("Undoing deployment {id}."));
            follow(session, &client, asked).await?
        }
    };
    let outcome = Outcome::of(&client, ended, began).await?;
    if printer.wants_json() {
        printer.json(&outcome)?;
    }
    if outcome.was_cancelled() {
        printer.say(&format!("Deployment {id} is cancelled."));
        outcome.say_still_live(printer);
        return Ok(());
    }
    told(session, &outcome)
}

/// Which one is meant where no number says it.
async fn the_only_one(client: &Client, environment: &EnvironmentId) -> Result<DeploymentId, Failure> {
    let all = client
        .call::<ListDeployments>(environment, &Default::default(), &())
        .await?;
    let mut under_way: Vec<&Deployment> = all.iter().filter(|d| !d.state.is_final()).collect();
    under_way.reverse();
    match under_way.as_slice() {
        [one] => Ok(one.id),
        [] => Err(Failure::new(
            Kind::Conflict,
            format!("cannot cancel a deployment of `{environment}`: none waits or runs"),
        )
        .hint("`hostkit rollback` brings the release before live again")),
        several => {
            let named: Vec<String> = several.iter().map(|one| named(one)).collect();
            Err(Failure::new(
                Kind::Conflict,
                format!(
                    "cannot tell which deployment of `{environment}` is meant: {}",
                    named.join(", ")
                ),
            )
            .hint(format!("name it: `hostkit cancel {}`", several[0].id)))
        }
    }
}

fn named(deployment: &Deployment) -> String {
    let state = match deployment.state {
        DeploymentState::Queued => "waits",
        _ => "runs",
    };
    format!("{} {state}", deployment.id)
}
