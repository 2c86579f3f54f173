//! What is taken from everybody inside of a project's database, so that it shows nothing of the others: what they do at
//! the moment, how much, and how often. Names of databases and roles stay readable, for PostgreSQL's own tools need them;
//! so do locks, for queues of jobs look at their own there, and those of others are numbers.

use hostkit_core::kind::Failure;

use crate::postgres::names::DatabaseName;
use crate::postgres::quote::identifier;
use crate::postgres::session::Access;

/// Tables and views of the system in which all databases of the server show.
const VIEWS: &[&str] = &[
    "pg_stat_activity",
    "pg_stat_database",
    "pg_stat_database_conflicts",
    "pg_stat_gssapi",
    "pg_stat_ssl",
    "pg_stat_replication",
    "pg_stat_progress_analyze",
    "pg_stat_progress_basebackup",
    "pg_stat_progress_cluster",
    "pg_stat_progress_copy",
    "pg_stat_progress_create_index",
    "pg_stat_progress_vacuum",
    "pg_prepared_xacts",
];
/// The functions behind them.
const FUNCTIONS: &[&str] = &[
    "pg_stat_get_activity(integer)",
    "pg_stat_get_progress_info(text)",
    "pg_stat_get_backend_idset()",
    "pg_stat_get_backend_activity(integer)",
    "pg_stat_get_backend_client_addr(integer)",
    "pg_stat_get_backend_dbid(integer)",
    "pg_stat_get_backend_userid(integer)",
    "pg_stat_get_db_xact_commit(oid)",
    "pg_stat_get_db_tuples_inserted(oid)",
    "pg_stat_get_db_numbackends(oid)",
    "pg_prepared_xact()",
];

/// Puts the walls up, and gives the schema `public` to the role that owns what is in the database. Idempotent.
pub(super) async fn ensure(access: &Access, database: &str, main: &DatabaseName) -> Result<(), Failure> {
    let session = access.connect(database).await?;
    let owner = identifier(main.as_str())?;
    let tables = VIEWS.join(", ");
    let functions = FUNCTIONS.join(", ");
    let statements = format!(
        "ALTER SCHEMA public OWNER TO {owner};
         REVOKE ALL ON {tables} FROM PUBLIC;
         REVOKE ALL ON FUNCTION {functions} FROM PUBLIC;"
    );
    let act = format!("shut the database `{database}` off from the others");
    session.run(&act, &statements).await
}
