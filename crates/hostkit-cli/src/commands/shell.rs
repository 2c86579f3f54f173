//! Commands for the shell: completions, version, help.

use std::path::Path;

use hostkit_core::kind::{Failure, Kind};
use serde_json::json;

use crate::args::{self, CompletionsArgs, HelpArgs};
use crate::completion;
use crate::session::Session;
use crate::stop::Stop;

pub(crate) fn completions(session: &Session<'_>, args: &CompletionsArgs) -> Result<(), Stop> {
    session.printer().out(&completion::script(args.shell)?)
}

/// Pages for people only: what stands in no help has none.
pub(crate) fn manual_pages(folder: &Path) -> Result<(), Stop> {
    let command = args::command().disable_help_subcommand(true);
    std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(command, folder))
        .map_err(|why| {
            Failure::new(
                Kind::Invalid,
                format!("cannot write manual pages into `{}`: {why}", folder.display()),
            )
            .into()
        })
}

pub(crate) fn version(session: &Session<'_>) -> Result<(), Stop> {
    let version = env!("CARGO_PKG_VERSION");
    if session.printer().wants_json() {
        return session
            .printer()
            .json(&json!({ "name": "hostkit", "version": version }));
    }
    session.printer().line(&format!("hostkit {version}"))
}

pub(crate) fn help(session: &Session<'_>, args: &HelpArgs) -> Result<(), Stop> {
    let mut root = args::command();
    root.build();
    let mut command = &mut root;
    let mut path = String::from("hostkit");
    for word in &args.command {
        path = format!("{path} {word}");
        command = match command.find_subcommand_mut(word) {
            Some(sub) if !sub.is_hide_set() => sub,
            _ => {
                return Err(Stop::usage(
                    format!("cannot explain `{path}`: there is no such command"),
                    "see `hostkit help`",
                ));
            }
        };
    }
    let text = command.render_help();
    let printer = session.printer();
    printer.out(
        if printer.colours_out() {
            text.ansi().to_string()
        } else {
            text.to_string()
        }
        .as_bytes(),
    )
}
