//! `hostkit backup restore --to-time`.

use hostkit_api::backup::{MomentRestoration, RestorationElsewhere};
use hostkit_api::endpoints::{RestoreBackupElsewhere, RestoreMoment};
use hostkit_api::target::Installation;
use hostkit_core::project::EnvironmentId;
use jiff::Timestamp;

use super::act;
use super::restore::{confirm, is_there, target};
use crate::args::Elsewhere;
use crate::session::Session;
use crate::stop::Stop;

/// Which moment is brought back.
pub(super) struct Order {
    pub(super) from: EnvironmentId,
    pub(super) at: Timestamp,
    pub(super) to: Option<Elsewhere>,
    pub(super) backup: Option<bool>,
}

pub(super) async fn restore(session: &Session<'_>, order: Order, yes: bool) -> Result<(), Stop> {
    let Order { from, at, to, backup } = order;
    let to = target(&from, to);
    let is_there = is_there(session, &to).await?;
    if is_there && !yes {
        confirm(session, &format!("`{from}` at {at}"), "the databases", &to)?;
    }
    let client = session.client()?;
    let updates = match is_there && to == from {
        true => {
            let query = MomentRestoration { at: Some(at), backup };
            client.lines::<RestoreMoment>(&from, &query).await?
        }
        false => {
            let query = RestorationElsewhere {
                project: Some(from.project.clone()),
                environment: Some(from.environment.clone()),
                number: None,
                at: Some(at),
                to_project: Some(to.project.clone()),
                to_environment: Some(to.environment.clone()),
                backup,
            };
            client
                .lines::<RestoreBackupElsewhere>(&Installation, &query)
                .await?
        }
    };
    let recovered = act::follow_recovery(session, updates).await?;
    let printer = session.printer();
    if printer.wants_json() {
        return printer.json(&recovered);
    }
    printer.say(&format!(
        "Restored the databases of `{from}` into `{to}`, as they were at {at}."
    ));
    for note in &recovered.notes {
        printer.say(note);
    }
    Ok(())
}
