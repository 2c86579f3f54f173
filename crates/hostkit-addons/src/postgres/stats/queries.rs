//! Slow queries, as `pg_stat_statements` counts them. Values are not in them: it keeps `$1` in their place.

use hostkit_core::database::SlowQuery;
use hostkit_core::kind::{Failure, Kind};

use crate::postgres::quote::identifier;
use crate::postgres::session::{Access, Session};

/// The longest text of a query that is shown, in characters.
const LONGEST: i32 = 2000;

/// The queries on a database that took the most time in all; at most `count`.
pub async fn slow_queries(access: &Access, database: &str, count: i64) -> Result<Vec<SlowQuery>, Failure> {
    let (session, schema) = counting(access).await?;
    let question = format!(
        "SELECT left(s.query, $3), s.calls, s.total_exec_time, s.mean_exec_time, s.max_exec_time, s.rows
         FROM {schema}.pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
         WHERE d.datname = $1 AND s.userid <> coalesce((SELECT oid FROM pg_roles WHERE rolname = 'hostkit'), 0)
         ORDER BY s.total_exec_time DESC LIMIT $2"
    );
    let rows = session
        .rows("look at slow queries", &question, &[&database, &count, &LONGEST])
        .await?;
    Ok(rows
        .iter()
        .map(|row| SlowQuery {
            text: row.get(0),
            calls: row.get(1),
            total: row.get(2),
            mean: row.get(3),
            longest: row.get(4),
            rows: row.get(5),
        })
        .collect())
}

/// Begins to count anew for a database.
pub async fn forget_queries(access: &Access, database: &str) -> Result<(), Failure> {
    let (session, schema) = counting(access).await?;
    let question =
        format!("SELECT {schema}.pg_stat_statements_reset(0, oid, 0) FROM pg_database WHERE datname = $1");
    session
        .rows("begin to count queries anew", &question, &[&database])
        .await
        .map(drop)
}

/// A connection to where queries are counted, if they are, and the schema that is in, quoted.
async fn counting(access: &Access) -> Result<(Session, String), Failure> {
    let session = access.connect(&access.home).await?;
    let question = "SELECT n.nspname::text FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
         WHERE e.extname = 'pg_stat_statements'";
    let found = session.row("look at slow queries", question, &[]).await?;
    let Some(row) = found else {
        return Err(Failure::new(
            Kind::Conflict,
            "cannot look at slow queries: this server does not count them",
        )
        .hint("add `pg_stat_statements` to `shared_preload_libraries` in postgresql.conf and restart PostgreSQL"));
    };
    let schema = identifier(row.get(0))?;
    Ok((session, schema))
}
