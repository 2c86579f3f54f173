//! Deployments: watching one to its end, telling how it ended, and looking at earlier ones.

mod list;
mod outcome;
mod view;
mod watch;

use hostkit_api::endpoints::{GetDeployment, ListDeployments, NoQuery};
use hostkit_api::target::OneDeployment;

use crate::args::{DeploymentsArgs, DeploymentsCommand};
use crate::session::Session;
use crate::stop::Stop;

pub(crate) use outcome::{Outcome, Upload, told};
pub(crate) use watch::follow;

/// `hostkit deployments`.
pub(crate) async fn run(session: &Session<'_>, args: &DeploymentsArgs) -> Result<(), Stop> {
    let environment = session.target(&args.target).await?;
    let client = session.client()?;
    let printer = session.printer();
    match args.command.as_ref().unwrap_or(&DeploymentsCommand::List) {
        DeploymentsCommand::List => {
            let deployments = client
                .call::<ListDeployments>(&environment, &Default::default(), &())
                .await?;
            if printer.wants_json() {
                return printer.json(&deployments);
            }
            list::print(printer, &environment, &deployments)
        }
        DeploymentsCommand::Show { id } => {
            let target = OneDeployment {
                project: environment.project,
                id: *id,
            };
            let deployment = client.call::<GetDeployment>(&target, &NoQuery {}, &()).await?;
            if printer.wants_json() {
                return printer.json(&deployment);
            }
            session.is_about(&deployment.environment);
            list::print_one(session, &deployment)
        }
        DeploymentsCommand::Log { id, follow } => {
            let target = OneDeployment {
                project: environment.project,
                id: *id,
            };
            watch::print_log(session, &client, target, *follow).await
        }
    }
}
