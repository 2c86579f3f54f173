//! `promote`, `rollback`, `scale`, `restart`, `stop`, `start`: deployments that need no upload.

use hostkit_api::client::Client;
use hostkit_api::deployment::{NewDeployment, Trigger};
use hostkit_api::endpoints::CreateDeployment;
use hostkit_core::deployment::Deployment;
use hostkit_core::kind::Failure;
use hostkit_core::project::EnvironmentId;

use super::deployment::{Outcome, follow, told};
use crate::args::{ChangeArgs, PromoteArgs, RollbackArgs, ScaleArgs};
use crate::session::{Session, spelled};
use crate::stop::Stop;

pub(crate) async fn promote(session: &Session<'_>, args: &PromoteArgs) -> Result<(), Stop> {
    let mut target = args.target.clone();
    target.project = args.name.clone().or(target.project);
    let environment = session.target(&target).await?;
    session.printer().say(&match args.percent {
        Some(percent) => format!("Giving the canary of `{environment}` to {percent} of the visitors."),
        None => format!("Making the canary of `{environment}` the live release."),
    });
    let act = NewDeployment::Promote {
        percent: args.percent,
    };
    let ended = change(session, &environment, act, args.detach).await?;
    done(session, ended, "rollback", "takes it back")
}

pub(crate) async fn rollback(session: &Session<'_>, args: &RollbackArgs) -> Result<(), Stop> {
    let environment = session.target(&args.target).await?;
    session.printer().say(&match &args.to {
        Some(release) => format!("Rolling `{environment}` back to release {release}."),
        None => format!("Rolling `{environment}` back."),
    });
    let act = NewDeployment::Rollback { to: args.to.clone() };
    let ended = change(session, &environment, act, args.detach).await?;
    done(session, ended, "releases", "shows what is live now")
}

pub(crate) async fn scale(session: &Session<'_>, args: &ScaleArgs) -> Result<(), Stop> {
    let environment = session.target(&args.target).await?;
    let mut outcomes = Vec::with_capacity(args.counts.len());
    for count in &args.counts {
        session.printer().say(&format!(
            "Scaling `{}` of `{environment}` to {}.",
            count.process, count.count
        ));
        let act = NewDeployment::Scale {
            process: count.process.clone(),
            count: count.count,
        };
        let outcome = change(session, &environment, act, args.detach).await?;
        let failed = outcome.has_failed();
        outcomes.push(outcome);
        if failed {
            break;
        }
    }
    let printer = session.printer();
    if printer.wants_json() {
        printer.json(&outcomes)?;
    }
    for outcome in outcomes {
        told(session, &outcome)?;
    }
    printer.next(&format!("`hostkit ps{}` shows what runs", spelled(&environment)));
    Ok(())
}

pub(crate) async fn restart(session: &Session<'_>, args: &ChangeArgs) -> Result<(), Stop> {
    let environment = session.target(&args.target).await?;
    session.printer().say(&format!("Restarting `{environment}`."));
    let ended = change(session, &environment, NewDeployment::Restart {}, args.detach).await?;
    done(session, ended, "ps", "shows what runs")
}

pub(crate) async fn stop(session: &Session<'_>, args: &ChangeArgs) -> Result<(), Stop> {
    let environment = session.target(&args.target).await?;
    session.printer().say(&format!("Stopping `{environment}`."));
    let ended = change(session, &environment, NewDeployment::Stop {}, args.detach).await?;
    done(session, ended, "start", "brings it back as it was")
}

pub(crate) async fn start(session: &Session<'_>, args: &ChangeArgs) -> Result<(), Stop> {
    let environment = session.target(&args.target).await?;
    session.printer().say(&format!("Starting `{environment}`."));
    let ended = change(session, &environment, NewDeployment::Start {}, args.detach).await?;
    done(session, ended, "ps", "shows what runs")
}

/// Brings changed variables live (`env … --apply`).
pub(crate) async fn apply(session: &Session<'_>, environment: &EnvironmentId) -> Result<(), Stop> {
    session
        .printer()
        .say(&format!("Bringing the variables of `{environment}` live."));
    let ended = change(session, environment, NewDeployment::Apply {}, false).await?;
    done(session, ended, "rollback", "goes back to the variables before")
}

async fn change(
    session: &Session<'_>,
    environment: &EnvironmentId,
    act: NewDeployment,
    detach: bool,
) -> Result<Outcome, Stop> {
    let client = session.client()?;
    let began = std::time::Instant::now();
    let asked = ask(&client, environment, &act).await?;
    let ended = if detach {
        asked
    } else {
        follow(session, &client, asked).await?
    };
    Ok(Outcome::of(&client, ended, began).await?)
}

/// Asks for a deployment.
pub(crate) async fn ask(
    client: &Client,
    environment: &EnvironmentId,
    act: &NewDeployment,
) -> Result<Deployment, Failure> {
    let trigger = Trigger {
        trigger: Some("cli".to_owned()),
    };
    client.call::<CreateDeployment>(environment, &trigger, act).await
}

fn done(session: &Session<'_>, outcome: Outcome, command: &str, purpose: &str) -> Result<(), Stop> {
    let printer = session.printer();
    if printer.wants_json() {
        printer.json(&outcome)?;
    }
    told(session, &outcome)?;
    if outcome.has_succeeded() {
        printer.next(&format!(
            "`hostkit {command}{}` {purpose}",
            spelled(outcome.environment())
        ));
    }
    Ok(())
}
