//! What HostKit has of its own in a cluster: a role to work as, a role that all its projects are members of, and a database
//! to work in.

use hostkit_core::kind::{Failure, Kind};

use super::admission::{SUPERUSER, TENANTS};
use crate::postgres::databases::OWN_DATABASE;
use crate::postgres::quote::literal;
use crate::postgres::session::{Access, Session};

/// The roles, as statements that change nothing where they are there.
pub(crate) fn own_role() -> String {
    let role = |name: &str, may: &str| {
        format!(
            "DO $$ BEGIN
                 IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = '{name}') THEN
                     CREATE ROLE {name} {may};
                 END IF;
             END $$;"
        )
    };
    role(SUPERUSER, "SUPERUSER LOGIN") + &role(TENANTS, "NOLOGIN")
}

/// Makes the database, and in it what counts queries, where the server has it loaded. A comment says when all of it is done:
/// then nothing is written again.
pub(crate) async fn prepare_own_database(access: &Access, session: &Session) -> Result<(), Failure> {
    let act = "make the database that HostKit works in";
    let question = "SELECT setting LIKE '%pg_stat_statements%' FROM pg_catalog.pg_settings
                    WHERE name = 'shared_preload_libraries'";
    let counts = session.row(act, question, &[]).await?;
    let counts = counts.is_some_and(|row| row.get(0));
    let done = match counts {
        true => "HostKit works here, and counts queries",
        false => "HostKit works here",
    };
    let question = "SELECT r.rolname::text, pg_catalog.shobj_description(d.oid, 'pg_database')
         FROM pg_catalog.pg_database d JOIN pg_catalog.pg_roles r ON r.oid = d.datdba WHERE d.datname = $1";
    match session.row(act, question, &[&OWN_DATABASE]).await? {
        None => {
            let create = format!("CREATE DATABASE {OWN_DATABASE} TEMPLATE template0 ENCODING 'UTF8'");
            session.run(act, &create).await?;
        }
        Some(row) if row.get::<_, &str>(0) != SUPERUSER => {
            return Err(Failure::new(
                Kind::Conflict,
                format!("cannot {act}: there is a database `{OWN_DATABASE}` that is somebody else's"),
            )
            .hint("rename that database"));
        }
        Some(row) if row.get::<_, Option<&str>>(1) == Some(done) => return Ok(()),
        Some(_) => {}
    }
    let shut = format!("REVOKE ALL ON DATABASE {OWN_DATABASE} FROM PUBLIC");
    session.run(act, &shut).await?;
    if counts {
        let inside = access.connect(OWN_DATABASE).await?;
        let create = "CREATE EXTENSION IF NOT EXISTS pg_stat_statements WITH SCHEMA public";
        inside.run(act, create).await?;
    }
    let mark = format!("COMMENT ON DATABASE {OWN_DATABASE} IS {}", literal(done)?);
    session.run(act, &mark).await
}
