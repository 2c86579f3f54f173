//! Taking databases and roles away: those that HostKit made, and no others.

use hostkit_core::kind::{Failure, Kind};

use super::OWN_DATABASE;
use super::activity::{disconnect, let_nobody_in};
use super::create::{is_ours, known};
use crate::postgres::names::DatabaseName;
use crate::postgres::quote::identifier;
use crate::postgres::session::{Access, Session};

/// Takes every database of an environment away, and its roles. Idempotent.
pub async fn remove(access: &Access, main: &DatabaseName) -> Result<(), Failure> {
    let session = access.connect(OWN_DATABASE).await?;
    let theirs: Vec<String> = known(&session)
        .await?
        .into_iter()
        .filter(|database| database.owner == main.as_str())
        .map(|database| database.name)
        .collect();
    // The main one last: its role is what the others are found by.
    for database in theirs.iter().filter(|name| *name != main.as_str()) {
        drop_database(&session, database).await?;
        drop_role(&session, database).await?;
    }
    drop_database(&session, main.as_str()).await?;
    for login in logins(&session, main).await? {
        drop_role(&session, &login).await?;
    }
    drop_role(&session, main.as_str()).await
}

/// Takes a further database of an environment away. That there is none is no failure; the main one is refused.
pub async fn drop_further(access: &Access, main: &DatabaseName, name: &DatabaseName) -> Result<(), Failure> {
    let refused = |why: &str| {
        Err(Failure::new(
            Kind::Conflict,
            format!("cannot drop the database `{name}`: {why}"),
        ))
    };
    if name == main {
        return refused("it goes with the add-on itself");
    }
    let session = access.connect(OWN_DATABASE).await?;
    let found = known(&session).await?;
    match found.iter().find(|database| database.name == name.as_str()) {
        Some(database) if database.owner != main.as_str() => refused("it is another environment's"),
        Some(_) => {
            drop_database(&session, name.as_str()).await?;
            drop_role(&session, name.as_str()).await
        }
        None => drop_role(&session, name.as_str()).await,
    }
}

/// Drops a database that is ours, with whoever is connected.
pub(crate) async fn drop_database(session: &Session, name: &str) -> Result<(), Failure> {
    if !known(session).await?.iter().any(|database| database.name == name) {
        return Ok(());
    }
    let_nobody_in(session, name, true).await?;
    disconnect(session, name).await?;
    session
        .run(
            &format!("drop the database `{name}`"),
            &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", identifier(name)?),
        )
        .await
}

/// Drops a role that is ours. Its databases are gone, and with them everything it had.
pub(crate) async fn drop_role(session: &Session, name: &str) -> Result<(), Failure> {
    let act = format!("drop the role `{name}`");
    let question = "SELECT pg_catalog.shobj_description(r.oid, 'pg_authid'), EXISTS (
             SELECT FROM pg_catalog.pg_auth_members m
             JOIN pg_catalog.pg_roles o ON o.oid = m.roleid
             WHERE m.member = r.oid AND pg_catalog.shobj_description(o.oid, 'pg_authid') LIKE 'HostKit:%')
         FROM pg_catalog.pg_roles r WHERE r.rolname = $1";
    let Some(row) = session.row(&act, question, &[&name]).await? else {
        return Ok(());
    };
    // A login has no mark of its own: it is a member of one that has.
    if !is_ours(row.get(0)) && !row.get::<_, bool>(1) {
        return Err(Failure::new(
            Kind::Conflict,
            format!("cannot {act}: HostKit did not make it"),
        ));
    }
    super::activity::disconnect_role(session, name).await?;
    session
        .run(&act, &format!("DROP ROLE IF EXISTS {}", identifier(name)?))
        .await
}

/// Every login of an environment, those for one piece of work as well.
async fn logins(session: &Session, main: &DatabaseName) -> Result<Vec<String>, Failure> {
    let question = "SELECT r.rolname::text FROM pg_catalog.pg_roles r
         JOIN pg_catalog.pg_auth_members m ON m.member = r.oid
         JOIN pg_catalog.pg_roles o ON o.oid = m.roleid
         WHERE o.rolname = $1 AND r.rolcanlogin";
    let act = format!("look at who may log in to `{main}`");
    let rows = session.rows(&act, question, &[&main.as_str()]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
