//! `hostkit env`: variables. Values are shown only where one is asked for by name, or all are exported.

mod file;
mod input;

use std::collections::{BTreeMap, BTreeSet};

use hostkit_api::endpoints::{ChangeVariables, GetVariable, ListVariableChanges, ListVariables, NoQuery};
use hostkit_api::target::OneVariable;
use hostkit_api::variable::{HistoryQuery, VariableChanges};
use hostkit_core::names::VariableName;
use hostkit_core::project::EnvironmentId;
use serde_json::json;

use super::change;
use crate::args::{EnvCommand, SetArgs, Target};
use crate::output::{Style, Table, ago, plural};
use crate::session::{Session, spelled};
use crate::stop::Stop;

pub(super) use input::from_stdin;

pub(crate) async fn run(session: &Session<'_>, command: EnvCommand) -> Result<(), Stop> {
    match command {
        EnvCommand::Set(args) => set(session, args).await,
        EnvCommand::Unset { names, target, apply } => {
            let changes = VariableChanges {
                set: BTreeMap::new(),
                unset: names.into_iter().collect(),
            };
            save(session, &session.target(&target).await?, changes, apply.apply).await
        }
        EnvCommand::List { target } => list(session, &target).await,
        EnvCommand::History { name, target } => history(session, name, &target).await,
        EnvCommand::Get { name, target } => get(session, name, &target).await,
        EnvCommand::Import {
            file,
            replace,
            target,
            apply,
        } => {
            let environment = session.target(&target).await?;
            let set = file::read(&file)?;
            let mut unset = BTreeSet::new();
            if replace {
                let known = session
                    .client()?
                    .call::<ListVariables>(&environment, &NoQuery {}, &())
                    .await?;
                unset.extend(
                    known
                        .into_iter()
                        .map(|variable| variable.name)
                        .filter(|name| !set.contains_key(name)),
                );
            }
            save(session, &environment, VariableChanges { set, unset }, apply.apply).await
        }
        EnvCommand::Export { file, force, target } => {
            let environment = session.target(&target).await?;
            file::export(session, &environment, file.as_deref(), force).await
        }
        EnvCommand::Apply { target } => change::apply(session, &session.target(&target).await?).await,
    }
}

async fn set(session: &Session<'_>, args: SetArgs) -> Result<(), Stop> {
    let environment = session.target(&args.target).await?;
    let set = input::pairs(session.printer(), &args.pairs, args.stdin)?;
    save(
        session,
        &environment,
        VariableChanges {
            set,
            unset: BTreeSet::new(),
        },
        args.apply.apply,
    )
    .await
}

async fn save(
    session: &Session<'_>,
    environment: &EnvironmentId,
    changes: VariableChanges,
    apply: bool,
) -> Result<(), Stop> {
    let printer = session.printer();
    if changes.set.is_empty() && changes.unset.is_empty() {
        printer.say("There is nothing to change.");
        if printer.wants_json() {
            return printer.json(&json!({ "set": [], "unset": [] }));
        }
        return Ok(());
    }
    session
        .client()?
        .call::<ChangeVariables>(environment, &NoQuery {}, &changes)
        .await?;
    for (word, names) in [
        ("Set", changes.set.keys().collect::<Vec<_>>()),
        ("Removed", changes.unset.iter().collect::<Vec<_>>()),
    ] {
        if !names.is_empty() {
            printer.say(&format!("{word} {} of `{environment}`.", shown(&names)));
        }
    }
    if apply {
        return change::apply(session, environment).await;
    }
    if printer.wants_json() {
        let set: Vec<_> = changes.set.keys().collect();
        return printer.json(&json!({ "set": set, "unset": changes.unset }));
    }
    printer.next(&format!(
        "the next deploy uses it; `hostkit env apply{}` brings it live now, without a build",
        spelled(environment)
    ));
    Ok(())
}

/// A few names in full, many by number.
fn shown(names: &[&VariableName]) -> String {
    if names.len() > 8 {
        return plural(names.len() as u64, "variable");
    }
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

async fn list(session: &Session<'_>, target: &Target) -> Result<(), Stop> {
    let environment = session.target(target).await?;
    let variables = session
        .client()?
        .call::<ListVariables>(&environment, &NoQuery {}, &())
        .await?;
    let printer = session.printer();
    if printer.wants_json() {
        return printer.json(&variables);
    }
    if variables.is_empty() {
        printer.say(&format!("`{environment}` has no variable."));
        printer.next(&format!("`hostkit env set NAME=VALUE{}`", spelled(&environment)));
        return Ok(());
    }
    let now = jiff::Timestamp::now();
    let mut table = Table::new(&["NAME", "SET"]);
    for variable in &variables {
        table.row(vec![
            (variable.name.to_string(), Style::Name),
            (ago(now, variable.updated_at), Style::Plain),
        ]);
    }
    printer.table(&table)
}

async fn history(session: &Session<'_>, name: Option<VariableName>, target: &Target) -> Result<(), Stop> {
    let environment = session.target(target).await?;
    let changes = session
        .client()?
        .call::<ListVariableChanges>(&environment, &HistoryQuery { name }, &())
        .await?;
    let printer = session.printer();
    if printer.wants_json() {
        return printer.json(&changes);
    }
    if changes.is_empty() {
        printer.say("Nothing was changed so far.");
        return Ok(());
    }
    let now = jiff::Timestamp::now();
    let mut table = Table::new(&["NAME", "CHANGE", "WHEN", "BY"]);
    for change in &changes {
        let (word, style) = match change.removed {
            true => ("removed", Style::Warning),
            false => ("set", Style::Plain),
        };
        table.row(vec![
            (change.name.to_string(), Style::Name),
            (word.to_owned(), style),
            (ago(now, change.at), Style::Plain),
            (change.by.clone(), Style::Plain),
        ]);
    }
    printer.table(&table)
}

async fn get(session: &Session<'_>, variable: VariableName, target: &Target) -> Result<(), Stop> {
    let target = OneVariable {
        environment: session.target(target).await?,
        variable,
    };
    let found = session
        .client()?
        .call::<GetVariable>(&target, &NoQuery {}, &())
        .await?;
    if session.printer().wants_json() {
        return session.printer().json(&found);
    }
    session.printer().line(&found.value)
}
