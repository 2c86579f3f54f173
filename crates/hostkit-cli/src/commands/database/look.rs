//! What is told of databases: sizes, slow queries, connections, extensions.

use std::time::Duration;

use hostkit_api::database::NewExtension;
use hostkit_api::endpoints::{
    CreateExtension, GetDatabaseStats, ListConnections, ListDatabases, ListExtensions, NoQuery,
};
use hostkit_core::database::{Connection, DatabaseId, DatabaseStats};
use hostkit_core::project::EnvironmentId;
use hostkit_core::size::ByteSize;
use serde_json::json;

use crate::output::{Style, Table};
use crate::session::Session;
use crate::stop::Stop;

/// How long `top` shows the same.
const PAUSE: Duration = Duration::from_secs(2);
/// A transaction that is held open for longer than this and does nothing is worth a word, in seconds.
const IDLE: f64 = 10.0;
/// So much of a query is shown in a table, in characters.
const SHOWN: usize = 80;
/// Where the cursor goes, and that the screen becomes empty.
const CLEAR: &str = "\x1b[H\x1b[2J";

pub(super) async fn list(session: &Session<'_>, environment: &EnvironmentId) -> Result<(), Stop> {
    session.is_about(environment);
    let client = session.client()?;
    let databases = client
        .call::<ListDatabases>(environment, &NoQuery {}, &())
        .await?;
    let printer = session.printer();
    if printer.wants_json() {
        return printer.json(&databases);
    }
    let mut table = Table::new(&[
        "DATABASE",
        "NAME",
        "SIZE",
        "CONNECTIONS",
        "COMMITS",
        "ROLLBACKS",
        "DEADLOCKS",
        "FROM MEMORY",
    ]);
    for database in &databases {
        let from_memory = database
            .from_memory
            .map(|share| format!("{:.1} %", share * 100.0));
        table.row(vec![
            (database.label.to_string(), Style::Name),
            plain(&database.name),
            plain(bytes(database.size)),
            plain(format!("{}/{}", database.connections, database.connection_limit)),
            plain(database.commits),
            plain(database.rollbacks),
            plain(database.deadlocks),
            plain(from_memory.unwrap_or_default()),
        ]);
    }
    printer.table(&table)
}

pub(super) async fn stats(session: &Session<'_>, id: &DatabaseId) -> Result<(), Stop> {
    session.is_about(&id.environment);
    let client = session.client()?;
    let stats = client.call::<GetDatabaseStats>(id, &NoQuery {}, &()).await?;
    let printer = session.printer();
    if printer.wants_json() {
        return printer.json(&stats);
    }
    let DatabaseStats {
        tables,
        unused_indexes,
        slow_queries,
    } = stats;
    let mut table = Table::new(&["TABLE", "ROWS", "DEAD", "SIZE", "INDEXES", "READ AS A WHOLE"]);
    for one in &tables {
        table.row(vec![
            (qualified(&one.schema, &one.name), Style::Name),
            plain(one.rows),
            plain(one.dead_rows),
            plain(bytes(one.table)),
            plain(bytes(one.indexes)),
            plain(one.whole_reads),
        ]);
    }
    printer.table(&table)?;
    if !unused_indexes.is_empty() {
        let mut table = Table::new(&["UNUSED INDEX", "TABLE", "SIZE"]);
        for one in &unused_indexes {
            table.row(vec![
                (qualified(&one.schema, &one.name), Style::Name),
                plain(&one.table),
                plain(bytes(one.size)),
            ]);
        }
        printer.line("")?;
        printer.table(&table)?;
    }
    let Some(slow) = slow_queries else {
        printer.say("The server does not count queries.");
        return Ok(());
    };
    let mut table = Table::new(&["TOTAL", "CALLS", "MEAN", "LONGEST", "ROWS", "QUERY"]);
    for one in &slow {
        table.row(vec![
            plain(took(one.total)),
            plain(one.calls),
            plain(took(one.mean)),
            plain(took(one.longest)),
            plain(one.rows),
            plain(shortened(&one.text)),
        ]);
    }
    printer.line("")?;
    printer.table(&table)
}

pub(super) async fn connections(session: &Session<'_>, id: &DatabaseId) -> Result<(), Stop> {
    session.is_about(&id.environment);
    let all = connected(session, id).await?;
    let printer = session.printer();
    match printer.wants_json() {
        true => printer.json(&all),
        false => printer.table(&connection_table(&all)),
    }
}

/// Shows who asks what, anew every few seconds where somebody looks; else once.
pub(super) async fn top(session: &Session<'_>, id: &DatabaseId) -> Result<(), Stop> {
    session.is_about(&id.environment);
    let printer = session.printer();
    if printer.wants_json() || !printer.out_is_terminal() {
        return connections(session, id).await;
    }
    loop {
        let all = connected(session, id).await?;
        let busy = all.iter().filter(|one| one.state == "active").count();
        let idle = all.iter().filter(|one| one.is_idle_in_transaction(0.0)).count();
        let table = connection_table(&all).render(printer.colours_out());
        let head = format!(
            "{} of {}: {} connections, {busy} at work, {idle} idle in a transaction",
            id.label,
            id.environment,
            all.len()
        );
        printer.out(format!("{CLEAR}{head}\n\n{table}").as_bytes())?;
        tokio::time::sleep(PAUSE).await;
    }
}

async fn connected(session: &Session<'_>, id: &DatabaseId) -> Result<Vec<Connection>, Stop> {
    let client = session.client()?;
    Ok(client.call::<ListConnections>(id, &NoQuery {}, &()).await?)
}

fn connection_table(all: &[Connection]) -> Table {
    let mut table = Table::new(&["PID", "LOGIN", "PROGRAM", "STATE", "FOR", "WAITS FOR", "QUERY"]);
    for one in all {
        let style = match one.state.as_str() {
            "active" => Style::Good,
            _ if one.is_idle_in_transaction(IDLE) => Style::Warning,
            _ => Style::Plain,
        };
        let blocked: Vec<String> = one.blocked_by.iter().map(i32::to_string).collect();
        let waits_for = match blocked.is_empty() {
            true => one.waits_for.clone().unwrap_or_default(),
            false => format!("connection {}", blocked.join(", ")),
        };
        table.row(vec![
            (one.pid.to_string(), Style::Name),
            plain(&one.login),
            plain(&one.program),
            (one.state.clone(), style),
            plain(format!("{:.1} s", one.since)),
            plain(waits_for),
            plain(shortened(&one.query)),
        ]);
        if one.is_idle_in_transaction(IDLE) {
            table.note("it holds a transaction open and does nothing: whoever wants its rows waits");
        }
    }
    table
}

pub(super) async fn extensions(session: &Session<'_>, id: &DatabaseId) -> Result<(), Stop> {
    session.is_about(&id.environment);
    let client = session.client()?;
    let all = client.call::<ListExtensions>(id, &NoQuery {}, &()).await?;
    let printer = session.printer();
    if printer.wants_json() {
        return printer.json(&all);
    }
    let mut table = Table::new(&["EXTENSION", "INSTALLED", "AVAILABLE", "FOR"]);
    for one in &all {
        table.row(vec![
            (one.name.clone(), Style::Name),
            (one.installed.clone().unwrap_or_default(), Style::Good),
            plain(&one.available),
            plain(shortened(&one.purpose)),
        ]);
    }
    printer.table(&table)
}

pub(super) async fn extend(session: &Session<'_>, id: &DatabaseId, name: String) -> Result<(), Stop> {
    session.is_about(&id.environment);
    let new = NewExtension { name };
    let client = session.client()?;
    client.call::<CreateExtension>(id, &NoQuery {}, &new).await?;
    let printer = session.printer();
    if printer.wants_json() {
        return printer.json(&json!({ "extension": new.name }));
    }
    printer.say(&format!(
        "The database `{}` of `{}` has `{}`.",
        id.label, id.environment, new.name
    ));
    Ok(())
}

fn plain(value: impl std::fmt::Display) -> (String, Style) {
    (value.to_string(), Style::Plain)
}

fn bytes(count: u64) -> String {
    ByteSize(count).to_string()
}

fn took(milliseconds: f64) -> String {
    match milliseconds {
        ..1000.0 => format!("{milliseconds:.1} ms"),
        _ => format!("{:.1} s", milliseconds / 1000.0),
    }
}

/// A name with its schema, where that is not the usual one.
fn qualified(schema: &str, name: &str) -> String {
    match schema {
        "public" => name.to_owned(),
        _ => format!("{schema}.{name}"),
    }
}

/// A text on one line, cut off where it is long.
fn shortened(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_long_is_cut_between_characters() {
        assert_eq!(shortened("SELECT\n  1"), "SELECT 1");
        let long = "ä".repeat(SHOWN + 1);
        assert_eq!(shortened(&long).chars().count(), SHOWN + 1);
        assert_eq!(took(1.25), "1.2 ms");
        assert_eq!(took(61_000.0), "61.0 s");
    }
}
