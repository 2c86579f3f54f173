//! A base backup: all files of the cluster, as the tar archive that `pg_basebackup` writes, with what of the log is needed
//! to make sense of them.

use hostkit_core::kind::Failure;
use hostkit_core::secret::Secret;
use hostkit_core::traits::Dump;

use crate::postgres::cluster::COPIERS;
use crate::postgres::copies::{Tools, sent};
use crate::postgres::databases::random_password;
use crate::postgres::quote::{identifier, literal};
use crate::postgres::session::{Access, Session};
use crate::postgres::verifier;

/// Begins a base backup. It ends without a failure only where it is whole. Programs go on meanwhile.
pub async fn base_backup(access: &Access, tools: &Tools) -> Result<Dump, Failure> {
    let login = begin(access).await?;
    let arguments = [
        "--pgdata=-",
        "--format=tar",
        "--wal-method=fetch",
        "--checkpoint=fast",
        "--no-password",
    ];
    let started = tools
        .start(
            "pg_basebackup",
            &arguments,
            (&login.name, &login.password),
            "replication",
        )
        .await;
    let running = match started {
        Ok(running) => running,
        Err(failure) => {
            end(access, &login.name).await?;
            return Err(failure);
        }
    };
    let access = access.clone();
    let act = "make a base backup".to_owned();
    sent(running, act, async move { end(&access, &login.name).await })
}

/// What reads the files of the cluster.
struct Login {
    name: String,
    password: Secret,
}

/// A login that may read the files of the cluster and no database, for half a day.
async fn begin(access: &Access) -> Result<Login, Failure> {
    let act = "make a login for a base backup";
    let (number, password) = random_password()?;
    let name = format!("{COPIERS}.{number}");
    let session = access.connect(&access.home).await?;
    forget_old(&session, act).await?;
    let statements = format!(
        "DO $$ BEGIN
             IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = '{COPIERS}') THEN
                 CREATE ROLE {COPIERS} NOLOGIN;
             END IF;
         END $$;
         CREATE ROLE {role} LOGIN REPLICATION IN ROLE {COPIERS} PASSWORD {verifier};
         DO $$ BEGIN
             EXECUTE format('ALTER ROLE %I VALID UNTIL %L', {quoted}, now() + interval '12 hours');
         END $$;",
        role = identifier(&name)?,
        quoted = literal(&name)?,
        verifier = literal(&verifier::make(&password)?)?,
    );
    session.run(act, &statements).await?;
    Ok(Login { name, password })
}

async fn end(access: &Access, login: &str) -> Result<(), Failure> {
    let session = access.connect(&access.home).await?;
    remove(&session, login).await
}

/// Logins of base backups that were cut off.
async fn forget_old(session: &Session, act: &str) -> Result<(), Failure> {
    let question = "SELECT r.rolname::text FROM pg_catalog.pg_roles r
         JOIN pg_catalog.pg_auth_members m ON m.member = r.oid
         JOIN pg_catalog.pg_roles o ON o.oid = m.roleid
         WHERE o.rolname = $1 AND r.rolvaliduntil < pg_catalog.now()
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.usesysid = r.oid)";
    for row in session.rows(act, question, &[&COPIERS]).await? {
        remove(session, row.get(0)).await?;
    }
    Ok(())
}

async fn remove(session: &Session, login: &str) -> Result<(), Failure> {
    let statement = format!("DROP ROLE IF EXISTS {}", identifier(login)?);
    session
        .run("take the login of a base backup away", &statement)
        .await
}
