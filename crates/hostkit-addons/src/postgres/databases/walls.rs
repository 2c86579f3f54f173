//! What is taken from everybody inside of a project's database, so that it shows nothing of the others: what they do at
//! the moment, how much, and how often. Names of databases and roles stay readable, for PostgreSQL's own tools need them;
//! so do locks, for queues of jobs look at their own there, and those of others are numbers.

use hostkit_core::kind::Failure;

use crate::postgres::cluster::TENANTS;
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
    let act = format!("shut the database `{database}` off from the others");
    let question = "SELECT (SELECT r.rolname FROM pg_namespace n JOIN pg_roles r ON r.oid = n.nspowner
                 WHERE n.nspname = 'public') IS NOT DISTINCT FROM $1
             AND NOT EXISTS (SELECT FROM unnest($2::text[]) v WHERE has_table_privilege($3, v, 'SELECT'))
             AND NOT EXISTS (SELECT FROM unnest($4::text[]) f WHERE has_function_privilege($3, f, 'EXECUTE'))";
    let (owner, anybody) = (main.as_str(), TENANTS);
    let stands = session
        .row(&act, question, &[&owner, &VIEWS, &anybody, &FUNCTIONS])
        .await?;
    if stands.is_some_and(|row| row.get(0)) {
        return Ok(());
    }
    let owner = identifier(owner)?;
    // A project that dropped its `public` has it no more.
    let statements = format!(
        "DO $$ BEGIN
             IF EXISTS (SELECT FROM pg_namespace WHERE nspname = 'public') THEN
                 ALTER SCHEMA public OWNER TO {owner};
             END IF;
         END $$;
         REVOKE ALL ON {} FROM PUBLIC;
         REVOKE ALL ON FUNCTION {} FROM PUBLIC;",
        VIEWS.join(", "),
        FUNCTIONS.join(", ")
    );
    session.run(&act, &statements).await
}
