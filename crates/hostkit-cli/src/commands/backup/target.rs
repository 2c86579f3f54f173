//! `hostkit backup target`.

use std::io::{BufRead, IsTerminal};

use hostkit_api::backup::NewBackupTarget;
use hostkit_api::endpoints::{GetBackupTarget, NoQuery, SetBackupTarget};
use hostkit_api::target::Installation;

use crate::args::TargetCommand;
use crate::session::Session;
use crate::stop::Stop;

/// Where the secret key of a bucket is read from: arguments can be seen by everybody.
const SECRET: &str = "HOSTKIT_S3_SECRET";

pub(super) async fn run(session: &Session<'_>, command: TargetCommand) -> Result<(), Stop> {
    let client = session.client()?;
    let new = match command {
        TargetCommand::Show => None,
        TargetCommand::Folder { path } => Some(NewBackupTarget::Folder { path }),
        TargetCommand::S3 {
            endpoint,
            bucket,
            prefix,
            region,
            access_key_id,
        } => Some(NewBackupTarget::S3 {
            endpoint,
            bucket,
            prefix,
            region,
            access_key_id,
            secret_access_key: secret(session)?,
        }),
    };
    let place = match &new {
        Some(new) => {
            client
                .call::<SetBackupTarget>(&Installation, &NoQuery {}, new)
                .await?
        }
        None => {
            client
                .call::<GetBackupTarget>(&Installation, &NoQuery {}, &())
                .await?
        }
    };
    let printer = session.printer();
    if printer.wants_json() {
        return printer.json(&place);
    }
    if new.is_some() {
        printer.say(&format!("Backups are kept in {} from now on.", place.place));
        printer.next("`hostkit backup kit` prints a recovery kit that names this place");
        return Ok(());
    }
    printer.line(&place.place)?;
    if !place.named {
        printer.warn("This is a folder of the installation's own, on the disk that it is to save.");
        printer.next("`hostkit backup target folder /mnt/backups`");
    }
    Ok(())
}

fn secret(session: &Session<'_>) -> Result<String, Stop> {
    if let Some(secret) = std::env::var(SECRET).ok().filter(|secret| !secret.is_empty()) {
        return Ok(secret);
    }
    if std::io::stdin().is_terminal() {
        session.printer().ask("The secret access key: ");
    }
    let mut line = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(|error| Stop::internal(format!("cannot read the secret: {error}")))?;
    match line.trim() {
        "" => Err(Stop::usage(
            "cannot keep backups in a bucket: there is no secret access key",
            "set HOSTKIT_S3_SECRET, or give it on stdin",
        )),
        secret => Ok(secret.to_owned()),
    }
}
