//! Watches a deployment to its end. The daemon may be killed and started again meanwhile: the watcher comes back and
//! goes on where it was.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use hostkit_api::client::Client;
use hostkit_api::deployment::{DeploymentUpdate, Follow};
use hostkit_api::endpoints::{GetDeployment, GetDeploymentLog, NoQuery};
use hostkit_api::target::OneDeployment;
use hostkit_core::deployment::{Deployment, DeploymentState};
use hostkit_core::kind::{Failure, Kind};

use super::Outcome;
use super::outcome::{log_command, told};
use super::view::View;
use crate::session::{Session, spelled};
use crate::stop::{INTERRUPTED, Stop};

/// How long a daemon that went away is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a deployment may be queued before that is said.
const QUEUED: Duration = Duration::from_secs(1);

/// Within what time lines and the news of their step come together.
const TOGETHER: Duration = Duration::from_millis(30);

/// Shows a deployment until it ends. Ctrl-C leaves it running and says so.
pub(crate) async fn follow(
    session: &Session<'_>,
    client: &Client,
    deployment: Deployment,
) -> Result<Deployment, Stop> {
    let printer = session.printer();
    let command = log_command(&deployment);
    let target = spelled(&deployment.environment);
    let id = deployment.id;
    let mut view = View::new(printer);
    let ended = tokio::select! {
        ended = to_the_end(client, deployment, &mut view) => Some(ended?),
        _ = tokio::signal::ctrl_c() => None,
    };
    if let Some(mut deployment) = ended {
        if let Some(failure) = &mut deployment.failure
            && view.has_shown(&failure.details)
        {
            failure.details.clear();
        }
        return Ok(deployment);
    }
    view.say(&format!("Deployment {id} goes on without this command."));
    printer.next(&format!(
        "`{command}` follows it; `hostkit cancel{target} {id}` ends it before it is live, `hostkit rollback{target}` takes it back afterwards"
    ));
    Err(Stop::Code(INTERRUPTED))
}

async fn to_the_end(
    client: &Client,
    mut last: Deployment,
    view: &mut View<'_>,
) -> Result<Deployment, Failure> {
    let target = OneDeployment {
        project: last.environment.project.clone(),
        id: last.id,
    };
    let mut lines_shown = 0;
    let mut lost_since: Option<Instant> = None;
    loop {
        let failure = match once(client, &target, &mut last, &mut lines_shown, view).await {
            Ok(()) if last.state.is_final() => return Ok(last),
            // A stream that ends early is one that was cut.
            Ok(()) => Failure::new(
                Kind::Unavailable,
                format!("cannot follow deployment {}: the connection ended", last.id),
            ),
            Err(failure) => failure,
        };
        if !failure.kind.is_retryable() || lost_since.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
            let hint = format!("it goes on by itself; `{}` follows it", log_command(&last));
            return Err(failure.hint(hint));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        if let Ok(now) = client.call::<GetDeployment>(&target, &NoQuery {}, &()).await {
            lost_since = None;
            last = now;
        }
    }
}

/// Reads one stream of updates. It begins at the beginning each time: lines shown before are left out.
async fn once(
    client: &Client,
    target: &OneDeployment,
    last: &mut Deployment,
    lines_shown: &mut usize,
    view: &mut View<'_>,
) -> Result<(), Failure> {
    let mut updates = client
        .lines::<GetDeploymentLog>(target, &Follow { follow: true })
        .await?;
    let mut lines = 0;
    loop {
        let next = if view.waits_for_step() {
            match tokio::time::timeout(TOGETHER, updates.next()).await {
                Ok(next) => next,
                Err(_) => {
                    view.flush();
                    continue;
                }
            }
        } else if last.state == DeploymentState::Queued {
            match tokio::time::timeout(QUEUED, updates.next()).await {
                Ok(next) => next,
                Err(_) => {
                    view.waits();
                    updates.next().await
                }
            }
        } else {
            updates.next().await
        };
        let Some(update) = next.transpose()? else {
            view.flush();
            return Ok(());
        };
        match &update {
            DeploymentUpdate::Line(_) => {
                lines += 1;
                if lines <= *lines_shown {
                    continue;
                }
                *lines_shown = lines;
            }
            DeploymentUpdate::Deployment(deployment) => *last = (**deployment).clone(),
        }
        view.show(&update);
    }
}

/// `hostkit deployments log ID`.
pub(super) async fn print_log(
    session: &Session<'_>,
    client: &Client,
    target: OneDeployment,
    follow: bool,
) -> Result<(), Stop> {
    let printer = session.printer();
    if follow && !printer.wants_json() {
        let deployment = client.call::<GetDeployment>(&target, &NoQuery {}, &()).await?;
        let began = Instant::now();
        let ended = self::follow(session, client, deployment).await?;
        let outcome = Outcome::of(client, ended, began).await?;
        return told(session, &outcome);
    }
    let mut updates = client
        .lines::<GetDeploymentLog>(&target, &Follow { follow })
        .await?;
    while let Some(update) = updates.next().await {
        let update = update?;
        if printer.wants_json() {
            printer.json_line(&update)?;
        } else if let DeploymentUpdate::Line(line) = &update {
            printer.line(&printer.foreign_on_out(&line.text))?;
        }
    }
    Ok(())
}
