//! The reference page of the command line, written from the parser's own definition.

use clap::{Arg, Command};

use crate::args;

/// `docs/cli.md`.
pub fn reference() -> String {
    let mut root = args::command();
    root.build();
    let mut page = String::from(
        "# Command line\n\n\
         Made from the command line's own definition (`UPDATE=1 cargo test -p hostkit-cli`); `hostkit help COMMAND` says the same.\n\n\
         Data goes to stdout, talk to stderr. Exit codes: 0 fine, 1 something on your side (also: a deploy that failed),\n\
         2 something on HostKit's side, 64 wrong usage, 130 interrupted; `hostkit run` passes on the command's own.\n\
         `NO_COLOR` is honoured; colour and moving progress are only used on a terminal.\n\n",
    );
    page.push_str("## Options of every command\n\n");
    options(&mut page, root.get_arguments().filter(|arg| arg.is_global_set()));
    for (title, names) in args::GROUPS {
        page.push_str(&format!("## {title}\n\n"));
        for name in names {
            if let Some(command) = root.find_subcommand(name) {
                describe(&mut page, command, &format!("hostkit {name}"), 3);
            }
        }
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

fn describe(page: &mut String, command: &Command, path: &str, level: usize) {
    page.push_str(&format!("{} {path}\n\n", "#".repeat(level)));
    if let Some(about) = command.get_about() {
        page.push_str(&format!("{}.\n\n", escaped(&about.to_string())));
    }
    let subcommands: Vec<&Command> = command
        .get_subcommands()
        .filter(|sub| !sub.is_hide_set() && sub.get_name() != "help")
        .collect();
    if subcommands.is_empty() || !command.is_subcommand_required_set() {
        let usage = command.clone().render_usage().to_string();
        let usage = usage.trim_start_matches("Usage: ").trim();
        page.push_str(&format!("```\n{usage}\n```\n\n"));
    }
    let own = command.get_arguments().filter(|arg| !everywhere(arg));
    options(page, own);
    for sub in subcommands {
        describe(page, sub, &format!("{path} {}", sub.get_name()), level + 1);
    }
    if let Some(examples) = command.get_after_help() {
        let text = examples.to_string();
        let (list, note) = text.split_once("\n\n").unwrap_or((&text, ""));
        let list = list.trim_start_matches("Examples:\n");
        page.push_str(&format!("```sh\n{}\n```\n\n", commented(list)));
        if !note.is_empty() {
            page.push_str(&format!("{}\n\n", escaped(&note.replace('\n', " "))));
        }
    }
}

/// Examples as a shell reads them: what a command is for, as a comment above it.
fn commented(examples: &str) -> String {
    let mut lines = Vec::new();
    let mut all = examples.lines();
    while let (Some(command), Some(purpose)) = (all.next(), all.next()) {
        lines.push(format!("# {}\n{}", purpose.trim(), command.trim()));
    }
    lines.join("\n")
}

/// Whether every command has this option.
fn everywhere(arg: &Arg) -> bool {
    arg.is_global_set() && arg.get_help_heading().is_some()
}

fn options<'a>(page: &mut String, arguments: impl Iterator<Item = &'a Arg>) {
    let rows: Vec<String> = arguments
        .filter(|arg| !arg.is_hide_set() && arg.get_id() != "help" && arg.get_id() != "version")
        .map(row)
        .collect();
    if rows.is_empty() {
        return;
    }
    page.push_str("| | |\n|---|---|\n");
    page.push_str(&rows.concat());
    page.push('\n');
}

fn row(arg: &Arg) -> String {
    let value = if arg.get_action().takes_values() {
        let names: Vec<&str> = arg
            .get_value_names()
            .unwrap_or_default()
            .iter()
            .map(|name| name.as_str())
            .collect();
        names.join(" ")
    } else {
        String::new()
    };
    let mut name = match (arg.get_short(), arg.get_long()) {
        (Some(short), Some(long)) => format!("-{short}, --{long} {value}"),
        (None, Some(long)) => format!("--{long} {value}"),
        (Some(short), None) => format!("-{short} {value}"),
        (None, None) => value,
    };
    name.truncate(name.trim_end().len());
    let mut text = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let values: Vec<String> = arg
        .get_possible_values()
        .iter()
        .filter(|value| !value.is_hide_set() && arg.get_action().takes_values())
        .map(|value| format!("`{}`", value.get_name()))
        .collect();
    if !values.is_empty() {
        text.push_str(&format!(": {}", values.join(", ")));
    }
    let defaults: Vec<String> = arg
        .get_default_values()
        .iter()
        .map(|value| value.to_string_lossy().into_owned())
        .collect();
    if !defaults.is_empty() && arg.get_action().takes_values() {
        text.push_str(&format!(" [default: {}]", defaults.join(" ")));
    }
    if let Some(variable) = arg.get_env() {
        text.push_str(&format!(" (`{}`)", variable.to_string_lossy()));
    }
    format!("| `{name}` | {} |\n", escaped(&text).replace('|', "\\|"))
}

/// Text in which `<` is no HTML.
fn escaped(text: &str) -> String {
    text.replace('<', "&lt;")
}
