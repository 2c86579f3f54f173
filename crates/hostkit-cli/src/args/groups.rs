//! The front page of the help: commands in groups, by what one wants to do.

use clap::{CommandFactory, builder::StyledStr};

use super::Cli;

/// The groups and their commands, in the order they are shown.
pub(crate) const GROUPS: [(&str, &[&str]); 4] = [
    (
        "Put live",
        &[
            "init",
            "scan",
            "deploy",
            "promote",
            "rollback",
            "cancel",
            "releases",
            "deployments",
        ],
    ),
    ("Look", &["ps", "logs", "events", "open", "status", "doctor"]),
    (
        "Change",
        &[
            "provision",
            "project",
            "env",
            "addon",
            "db",
            "redis",
            "backup",
            "storage",
            "domain",
            "nginx",
            "cert",
            "scale",
            "restart",
            "stop",
            "start",
            "run",
            "cache",
            "access",
            "token",
            "vault",
        ],
    ),
    (
        "Installation",
        &["up", "down", "trust", "server", "completions", "version", "help"],
    ),
];

/// The parser, with the grouped front page.
pub(crate) fn command() -> clap::Command {
    let command = Cli::command()
        .bin_name("hostkit")
        .mut_subcommand("deployments", with_target_anywhere);
    let page = front_page(&command);
    command.help_template(page)
}

/// `hostkit deployments show 2 -p shop` as well as `hostkit deployments -p shop show 2`.
fn with_target_anywhere(command: clap::Command) -> clap::Command {
    command
        .mut_arg("project", |arg| arg.global(true))
        .mut_arg("environment", |arg| arg.global(true))
}

fn front_page(command: &clap::Command) -> StyledStr {
    let header = command.get_styles().get_header();
    let literal = command.get_styles().get_literal();
    let mut page = String::from("{about}\n\n{usage-heading} {usage}\n");
    for (title, names) in GROUPS {
        page.push_str(&format!("\n{header}{title}:{header:#}\n"));
        for name in names {
            let about = command
                .find_subcommand(name)
                .and_then(|c| c.get_about())
                .map(ToString::to_string)
                .unwrap_or_default();
            page.push_str(&format!("  {literal}{name:<12}{literal:#} {about}\n"));
        }
    }
    page.push_str(&format!(
        "\n{header}Global options:{header:#}\n{{options}}{{after-help}}"
    ));
    StyledStr::from(page)
}
