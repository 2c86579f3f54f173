//! `up`, `down` and the two daemons: parsed here, done by the binary around the command line.

use hostkit_core::kind::{Failure, Kind};
use serde_json::json;

use crate::args::{ControlArgs, ProxyArgs, UpArgs};
use crate::local::{ControlOptions, Hooks, ProxyOptions, UpOptions};
use crate::session::Session;
use crate::stop::Stop;
use crate::upload::reason;

pub(crate) fn up(session: &Session<'_>, args: &UpArgs, hooks: &Hooks) -> Result<(), Stop> {
    refuse_remote(session, "up")?;
    let options = UpOptions {
        data: session.data()?,
        http_port: args.http_port,
        https_port: args.tls.then_some(args.https_port),
        api_port: args.api_port,
        cache_disk: args.cache_disk,
        detach: args.detach,
        json: session.printer().wants_json(),
    };
    (hooks.up)(options).map_err(told)
}

pub(crate) fn down(session: &Session<'_>, hooks: &Hooks) -> Result<(), Stop> {
    refuse_remote(session, "down")?;
    let data = session.data()?;
    let printer = session.printer();
    // Stopping what is stopped is no mistake: scripts call it to be sure.
    let (was_up, message) = match (hooks.down)(&data).map_err(failure_of) {
        Ok(message) => (true, message),
        Err(failure) if failure.kind == Kind::NotFound => (false, failure.message),
        Err(failure) => return Err(failure.into()),
    };
    if printer.wants_json() {
        return printer.json(&json!({ "data": data, "was_up": was_up, "message": message }));
    }
    printer.say(&sentence(&message));
    if was_up {
        printer.next("`hostkit up` brings everything back as it was");
    }
    Ok(())
}

pub(crate) fn control(session: &Session<'_>, args: &ControlArgs, hooks: &Hooks) -> Result<(), Stop> {
    let options = match args.http {
        Some(http) if !args.server => ControlOptions::Local {
            data: session.data()?,
            http,
            https: args.https,
        },
        _ => ControlOptions::Server,
    };
    (hooks.control)(options).map_err(told)
}

pub(crate) fn proxy(session: &Session<'_>, args: &ProxyArgs, hooks: &Hooks) -> Result<(), Stop> {
    let options = match args.server {
        true => ProxyOptions::Server,
        false => ProxyOptions::Local {
            data: session.data()?,
            https: args.https,
            cache_disk: args.cache_disk,
        },
    };
    (hooks.proxy)(options).map_err(told)
}

pub(super) fn refuse_remote(session: &Session<'_>, verb: &str) -> Result<(), Stop> {
    if !session.is_remote() {
        return Ok(());
    }
    Err(Stop::usage(
        format!("cannot run `{verb}` with a URL: it is for the machine you are on"),
        "leave out `--url` and HOSTKIT_URL",
    ))
}

fn told(error: anyhow::Error) -> Stop {
    Stop::Failed(failure_of(error))
}

/// The failure inside an error, or the error as a fault of our own with its chain.
pub(super) fn failure_of(error: anyhow::Error) -> Failure {
    match error.downcast::<Failure>() {
        Ok(failure) => failure,
        Err(error) => {
            // What the machine refuses is no fault of HostKit, and the reason is all that is to be said.
            if let Some(io) = error
                .chain()
                .find_map(|cause| cause.downcast_ref::<std::io::Error>())
                && refused_by_machine(io)
            {
                return Failure::new(Kind::Invalid, format!("{error}: {}", reason(io)))
                    .hint("name a folder that you may write with `--data DIR`");
            }
            let causes = error.chain().skip(1).map(ToString::to_string).collect();
            Failure::new(Kind::Internal, error.to_string()).details(causes)
        }
    }
}

fn refused_by_machine(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{
        AlreadyExists, NotADirectory, NotFound, PermissionDenied, ReadOnlyFilesystem, StorageFull,
    };
    matches!(
        error.kind(),
        AlreadyExists | NotADirectory | NotFound | PermissionDenied | ReadOnlyFilesystem | StorageFull
    )
}

/// A message as a line of talk.
fn sentence(message: &str) -> String {
    let mut letters = message.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), letters.as_str())
}
