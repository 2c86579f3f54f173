//! Ending of connections, and keeping new ones out.

use hostkit_core::kind::{Failure, Kind};

use crate::postgres::quote::identifier;
use crate::postgres::session::Session;

/// How long the server may take to end what it was told to end, in milliseconds.
const LONGEST_END: i64 = 10_000;

/// Ends every connection of a role, and returns when they are gone.
pub(super) async fn disconnect_role(session: &Session, role: &str) -> Result<(), Failure> {
    end(session, "usename", role).await
}

/// Ends every connection to a database but our own, and returns when they are gone.
pub(crate) async fn disconnect(session: &Session, database: &str) -> Result<(), Failure> {
    end(session, "datname", database).await
}

/// Lets new connections in, or not. Those that are there stay.
pub(crate) async fn let_nobody_in(session: &Session, database: &str, nobody: bool) -> Result<(), Failure> {
    let allowed = if nobody { "false" } else { "true" };
    let statement = format!(
        "ALTER DATABASE {} WITH ALLOW_CONNECTIONS {allowed}",
        identifier(database)?
    );
    session
        .run(&format!("close the database `{database}`"), &statement)
        .await
}

async fn end(session: &Session, column: &str, whose: &str) -> Result<(), Failure> {
    let question = format!(
        "SELECT pg_catalog.pg_terminate_backend(pid, {LONGEST_END}) FROM pg_catalog.pg_stat_activity
         WHERE {column} = $1 AND pid <> pg_catalog.pg_backend_pid()"
    );
    let act = format!("end the connections of `{whose}`");
    let rows = session.rows(&act, &question, &[&whose]).await?;
    if rows.iter().all(|row| row.get(0)) {
        return Ok(());
    }
    // One that ended by itself in between is said to be not there, which is as well.
    let left = format!(
        "SELECT 1 FROM pg_catalog.pg_stat_activity WHERE {column} = $1 AND pid <> pg_catalog.pg_backend_pid() LIMIT 1"
    );
    match session.row(&act, &left, &[&whose]).await? {
        None => Ok(()),
        Some(_) => Err(Failure::new(
            Kind::Unavailable,
            format!("cannot {act}: the server did not end them in time"),
        )
        .hint("try again in a moment")),
    }
}
