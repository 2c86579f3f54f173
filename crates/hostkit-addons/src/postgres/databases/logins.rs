//! The roles that programs log in as, one for each credential. Two can be valid at once, which is what a rotation needs;
//! both are the same role once they are in, so it does not matter which one made a table.

use std::collections::BTreeMap;

use hostkit_core::addon::Credential;
use hostkit_core::kind::Failure;

use super::OWN_DATABASE;
use super::activity::disconnect_role;
use super::limits::Limits;
use crate::postgres::names::DatabaseName;
use crate::postgres::quote::{identifier, literal};
use crate::postgres::session::{Access, Session};
use crate::postgres::verifier;

/// Makes it so that these credentials are accepted for the databases of an environment. One that was accepted before is
/// so all the time. Others that are accepted stay: [`expel_others`] takes them away.
pub async fn admit(
    access: &Access,
    main: &DatabaseName,
    credentials: &[Credential],
    limits: &Limits,
) -> Result<(), Failure> {
    let session = access.connect(OWN_DATABASE).await?;
    let mut there = found(&session, main).await?;
    for credential in credentials {
        let stored = there.remove(&credential.number);
        ensure_one(&session, main, credential, stored, limits).await?;
    }
    Ok(())
}

/// Takes all credentials away but these: they are refused from now on, also to connections that are open. Says whether
/// there were any.
pub async fn expel_others(
    access: &Access,
    main: &DatabaseName,
    credentials: &[Credential],
) -> Result<bool, Failure> {
    let session = access.connect(OWN_DATABASE).await?;
    let mut any = false;
    for number in found(&session, main).await?.into_keys() {
        if credentials.iter().all(|credential| credential.number != number) {
            remove(access, &session, &main.login(number), main).await?;
            any = true;
        }
    }
    Ok(any)
}

struct Login {
    verifier: Option<String>,
    /// `name=value`, in the order in which they were set.
    settings: Vec<String>,
    may_what_it_should: bool,
}

/// The logins of an environment by the number of their credential.
async fn found(session: &Session, main: &DatabaseName) -> Result<BTreeMap<u32, Login>, Failure> {
    let question = "SELECT a.rolname::text, a.rolpassword, coalesce(s.setconfig, '{}'),
               a.rolcanlogin AND a.rolinherit AND NOT (a.rolsuper OR a.rolcreatedb OR a.rolcreaterole
                   OR a.rolreplication OR a.rolbypassrls)
         FROM pg_catalog.pg_authid a
         JOIN pg_catalog.pg_auth_members m ON m.member = a.oid
         JOIN pg_catalog.pg_authid o ON o.oid = m.roleid
         LEFT JOIN pg_catalog.pg_db_role_setting s ON s.setrole = a.oid AND s.setdatabase = 0
         WHERE o.rolname = $1";
    let act = format!("look at who may log in to `{main}`");
    let rows = session.rows(&act, question, &[&main.as_str()]).await?;
    let logins = rows.iter().filter_map(|row| {
        let number = main.number_of(row.get(0))?;
        let login = Login {
            verifier: row.get(1),
            settings: row.get(2),
            may_what_it_should: row.get(3),
        };
        Some((number, login))
    });
    Ok(logins.collect())
}

/// What every login of an environment is told to be and to heed, as the server keeps it.
fn settings(main: &DatabaseName, limits: &Limits) -> [(&'static str, String); 4] {
    [
        ("role", main.as_str().to_owned()),
        ("statement_timeout", limits.statement.0.as_millis().to_string()),
        (
            "idle_in_transaction_session_timeout",
            limits.idle_in_transaction.0.as_millis().to_string(),
        ),
        // In kilobytes.
        ("temp_file_limit", (limits.temporary_files.0 / 1024).to_string()),
    ]
}

/// Makes one login as it should be; where it is so, nothing is written.
async fn ensure_one(
    session: &Session,
    main: &DatabaseName,
    credential: &Credential,
    stored: Option<Login>,
    limits: &Limits,
) -> Result<(), Failure> {
    let login = main.login(credential.number);
    let role = identifier(&login)?;
    let mut statements = String::new();
    if stored.is_none() {
        statements += &format!("CREATE ROLE {role} IN ROLE {};", identifier(main.as_str())?);
    }
    if !stored.as_ref().is_some_and(|stored| stored.may_what_it_should) {
        statements += &format!(
            "ALTER ROLE {role} LOGIN INHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;"
        );
    }
    let kept = stored.as_ref().and_then(|stored| stored.verifier.as_ref());
    if !kept.is_some_and(|kept| verifier::is_of(kept, &credential.secret)) {
        let verifier = literal(&verifier::make(&credential.secret)?)?;
        statements += &format!("ALTER ROLE {role} PASSWORD {verifier};");
    }
    let wanted = settings(main, limits);
    let texts: Vec<String> = wanted
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    if stored.is_none_or(|stored| stored.settings != texts) {
        statements += &format!("ALTER ROLE {role} RESET ALL;");
        for (name, value) in &wanted {
            statements += &format!("ALTER ROLE {role} SET {name} = {};", literal(value)?);
        }
    }
    if statements.is_empty() {
        return Ok(());
    }
    session
        .run(&format!("let programs log in as `{login}`"), &statements)
        .await
}

/// Takes a login away. What it made while it was itself (`SET ROLE NONE`) becomes the owner's.
pub(super) async fn remove(
    access: &Access,
    session: &Session,
    login: &str,
    main: &DatabaseName,
) -> Result<(), Failure> {
    let act = format!("take the login `{login}` away");
    let (role, owner) = (identifier(login)?, identifier(main.as_str())?);
    session.run(&act, &format!("ALTER ROLE {role} NOLOGIN")).await?;
    disconnect_role(session, login).await?;
    let question = "SELECT DISTINCT d.datname::text FROM pg_catalog.pg_shdepend s
         JOIN pg_catalog.pg_database d ON d.oid = s.dbid
         JOIN pg_catalog.pg_roles r ON r.oid = s.refobjid AND s.refclassid = 'pg_authid'::regclass
         WHERE r.rolname = $1";
    for row in session.rows(&act, question, &[&login]).await? {
        let inside = access.connect(row.get(0)).await?;
        inside
            .run(
                &act,
                &format!("REASSIGN OWNED BY {role} TO {owner}; DROP OWNED BY {role}"),
            )
            .await?;
    }
    session
        .run(&act, &format!("DROP OWNED BY {role}; DROP ROLE {role}"))
        .await
}
