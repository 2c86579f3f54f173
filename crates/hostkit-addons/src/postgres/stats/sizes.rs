//! How large things are. Read from what the server keeps anyway; no table is read.

use hostkit_core::database::{Database, IndexSize, TableSize};
use hostkit_core::kind::Failure;
use hostkit_core::project::EnvironmentId;
use tokio_postgres::Row;

use crate::postgres::databases::known;
use crate::postgres::names::DatabaseName;
use crate::postgres::session::Access;

/// The databases of an environment. One that waits to take another's place is not among them.
pub async fn databases(access: &Access, environment: &EnvironmentId) -> Result<Vec<Database>, Failure> {
    let main = DatabaseName::main(environment);
    let session = access.connect(&access.home).await?;
    let names: Vec<String> = known(&session)
        .await?
        .into_iter()
        .filter(|database| database.owner == main.as_str())
        .map(|database| database.name)
        .collect();
    let question = "SELECT d.datname::text, pg_database_size(d.oid), d.datconnlimit,
               (SELECT count(*) FROM pg_stat_activity a WHERE a.datid = d.oid),
               s.xact_commit, s.xact_rollback, s.deadlocks,
               s.blks_hit::float8 / nullif(s.blks_hit + s.blks_read, 0)
         FROM pg_database d JOIN pg_stat_database s ON s.datid = d.oid
         WHERE d.datname = ANY($1) ORDER BY 1";
    let rows = session.rows("look at databases", question, &[&names]).await?;
    let shown = rows.iter().filter_map(|row| {
        let name: String = row.get(0);
        Some(Database {
            label: DatabaseName::label_of(environment, &name)?,
            name,
            size: bytes(row, 1),
            connection_limit: row.get(2),
            connections: row.get(3),
            commits: row.get(4),
            rollbacks: row.get(5),
            deadlocks: row.get(6),
            from_memory: row.get(7),
        })
    });
    Ok(shown.collect())
}

/// The tables of a database, the largest first; at most `count`.
pub async fn tables(access: &Access, database: &str, count: i64) -> Result<Vec<TableSize>, Failure> {
    let session = access.connect(database).await?;
    let question = "SELECT schemaname::text, relname::text, n_live_tup, n_dead_tup, pg_table_size(relid),
               pg_indexes_size(relid), coalesce(seq_scan, 0)
         FROM pg_stat_user_tables ORDER BY pg_total_relation_size(relid) DESC, 1, 2 LIMIT $1";
    let rows = session.rows("look at tables", question, &[&count]).await?;
    Ok(rows
        .iter()
        .map(|row| TableSize {
            schema: row.get(0),
            name: row.get(1),
            rows: row.get(2),
            dead_rows: row.get(3),
            table: bytes(row, 4),
            indexes: bytes(row, 5),
            whole_reads: row.get(6),
        })
        .collect())
}

/// Indexes that no query used since the statistics began, the largest first. Those that hold a rule (unique, primary,
/// an exclusion) are not among them: they are used whenever something is written.
pub async fn unused_indexes(access: &Access, database: &str) -> Result<Vec<IndexSize>, Failure> {
    let session = access.connect(database).await?;
    let question =
        "SELECT s.schemaname::text, s.relname::text, s.indexrelname::text, pg_relation_size(s.indexrelid)
         FROM pg_stat_user_indexes s JOIN pg_index i ON i.indexrelid = s.indexrelid
         WHERE s.idx_scan = 0 AND NOT i.indisunique AND NOT i.indisprimary AND NOT i.indisexclusion
           AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid)
         ORDER BY 4 DESC, 1, 2, 3";
    let rows = session.rows("look at indexes", question, &[]).await?;
    Ok(rows
        .iter()
        .map(|row| IndexSize {
            schema: row.get(0),
            table: row.get(1),
            name: row.get(2),
            size: bytes(row, 3),
        })
        .collect())
}

fn bytes(row: &Row, column: usize) -> u64 {
    u64::try_from(row.get::<_, i64>(column)).unwrap_or(0)
}
