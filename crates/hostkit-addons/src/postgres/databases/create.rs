//! Making databases, and knowing those that are HostKit's: they belong to it and say in a comment whose they are.

use hostkit_core::kind::{Failure, Kind};

use super::limits::Limits;
use super::{OWN_DATABASE, walls};
use crate::postgres::cluster::TENANTS;
use crate::postgres::names::DatabaseName;
use crate::postgres::quote::{identifier, literal};
use crate::postgres::session::{Access, Session};

/// What the comment of a database of ours begins with; the role that owns what is in it follows.
pub(super) const MARK: &str = "HostKit: ";

/// A database that HostKit made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its name.
    pub name: String,
    /// The role that owns what is in it: the name of the environment's main database.
    pub owner: String,
    /// The most connections it takes.
    pub connections: i32,
}

/// The databases that HostKit made, of all environments.
pub async fn known(session: &Session) -> Result<Vec<Known>, Failure> {
    let question =
        "SELECT d.datname::text, pg_catalog.shobj_description(d.oid, 'pg_database'), d.datconnlimit
         FROM pg_catalog.pg_database d
         WHERE d.datdba = (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = current_user)
         ORDER BY 1";
    let rows = session.rows("list the databases", question, &[]).await?;
    let ours = rows.iter().filter_map(|row| {
        let mark: Option<String> = row.get(1);
        Some(Known {
            name: row.get(0),
            owner: mark?.strip_prefix(MARK)?.to_owned(),
            connections: row.get(2),
        })
    });
    Ok(ours.collect())
}

/// Whether a database is there, whoever made it.
pub async fn is_there(access: &Access, name: &DatabaseName) -> Result<bool, Failure> {
    let session = access.connect(OWN_DATABASE).await?;
    let question = "SELECT FROM pg_catalog.pg_database WHERE datname = $1";
    let found = session
        .row("look for a database", question, &[&name.as_str()])
        .await?;
    Ok(found.is_some())
}

/// Makes it so that the main database of an environment is there, with the role that owns what is in it.
///
/// A database that was there before and is not any more is a [`Kind::Conflict`]: making an empty one in its place would
/// hide that.
pub async fn ensure(access: &Access, name: &DatabaseName, limits: &Limits) -> Result<(), Failure> {
    let session = access.connect(OWN_DATABASE).await?;
    ensure_role(&session, name.as_str(), Some(TENANTS)).await?;
    ensure_database(access, &session, name.as_str(), name, limits).await
}

/// Makes it so that a further database of the environment whose main database is `main` is there. Whoever may log in to
/// that one may log in to this one.
pub async fn ensure_further(
    access: &Access,
    main: &DatabaseName,
    name: &DatabaseName,
    limits: &Limits,
) -> Result<(), Failure> {
    let session = access.connect(OWN_DATABASE).await?;
    if !known(&session)
        .await?
        .iter()
        .any(|database| database.name == main.as_str())
    {
        return Err(Failure::new(
            Kind::NotFound,
            format!("cannot create the database `{name}`: there is no `{main}` yet"),
        ));
    }
    create_empty(access, &session, name.as_str(), main, limits).await
}

/// As [`ensure_further`], under any name.
pub(crate) async fn create_empty(
    access: &Access,
    session: &Session,
    name: &str,
    main: &DatabaseName,
    limits: &Limits,
) -> Result<(), Failure> {
    ensure_role(session, name, None).await?;
    let (role, owner) = (identifier(name)?, identifier(main.as_str())?);
    session
        .run(
            &format!("let `{main}` into `{name}`"),
            &format!("GRANT {role} TO {owner}"),
        )
        .await?;
    ensure_database(access, session, name, main, limits).await
}

/// A role that nobody logs in as. One that is there must be ours: it has our mark.
async fn ensure_role(session: &Session, name: &str, group: Option<&str>) -> Result<(), Failure> {
    let act = format!("create the role `{name}`");
    let question =
        "SELECT pg_catalog.shobj_description(oid, 'pg_authid') FROM pg_catalog.pg_roles WHERE rolname = $1";
    let role = identifier(name)?;
    match session.row(&act, question, &[&name]).await? {
        None => {
            let group = group.map_or_else(String::new, |group| format!(" IN ROLE {group}"));
            let mark = literal(MARK.trim_end())?;
            // One message, one transaction: no role without its mark.
            let statements = format!("CREATE ROLE {role} NOLOGIN{group}; COMMENT ON ROLE {role} IS {mark}");
            session.run(&act, &statements).await
        }
        Some(row) if is_ours(row.get(0)) => Ok(()),
        Some(_) => Err(Failure::new(
            Kind::Conflict,
            format!("cannot {act}: a role of that name is there, and HostKit did not make it"),
        )
        .hint("rename that role, or choose another name for the project")),
    }
}

/// Whether the comment of a role is our mark.
pub(super) fn is_ours(comment: Option<&str>) -> bool {
    comment.is_some_and(|comment| comment.starts_with(MARK.trim_end()))
}

async fn ensure_database(
    access: &Access,
    session: &Session,
    name: &str,
    main: &DatabaseName,
    limits: &Limits,
) -> Result<(), Failure> {
    let act = format!("create the database `{name}`");
    let question = "SELECT r.rolname = current_user, d.datallowconn AND d.datconnlimit = $2
               AND pg_catalog.shobj_description(d.oid, 'pg_database') = $3
               AND EXISTS (SELECT FROM pg_catalog.pg_roles n WHERE n.rolname = d.datname
                   AND pg_catalog.shobj_description(n.oid, 'pg_authid') = $4)
               AND d.datacl IS NOT NULL
               AND NOT EXISTS (SELECT FROM pg_catalog.aclexplode(d.datacl) a
                   WHERE a.grantee <> ALL (SELECT oid FROM pg_catalog.pg_roles WHERE rolname IN (current_user, $5)))
               AND (SELECT count(*) FROM pg_catalog.aclexplode(d.datacl) a
                   JOIN pg_catalog.pg_roles o ON o.oid = a.grantee WHERE o.rolname = $5) = 3
         FROM pg_catalog.pg_database d JOIN pg_catalog.pg_roles r ON r.oid = d.datdba WHERE d.datname = $1";
    let limit = i32::try_from(limits.connections).unwrap_or(i32::MAX);
    let (mark, made) = (mark(main), format!("{MARK}has its database"));
    let found = session
        .row(&act, question, &[&name, &limit, &mark, &made, &main.as_str()])
        .await?;
    if found.as_ref().is_some_and(|row| !row.get::<_, bool>(0)) {
        return Err(Failure::new(
            Kind::Conflict,
            format!("cannot {act}: a database of that name is there, and HostKit did not make it"),
        )
        .hint("rename that database, or choose another name for the project"));
    }
    let (database, role) = (identifier(name)?, identifier(main.as_str())?);
    if found.is_none() {
        refuse_lost(session, name, &act).await?;
        let create = format!(
            "CREATE DATABASE {database} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8' CONNECTION LIMIT {limit}"
        );
        session.run(&act, &create).await?;
    }
    let is_as_it_should = found.is_some_and(|row| row.get::<_, Option<bool>>(1) == Some(true));
    if !is_as_it_should {
        let statements = format!(
            "ALTER DATABASE {database} WITH ALLOW_CONNECTIONS true;
             REVOKE ALL ON DATABASE {database} FROM PUBLIC;
             GRANT CONNECT, TEMPORARY, CREATE ON DATABASE {database} TO {role};
             ALTER DATABASE {database} CONNECTION LIMIT {limit};
             COMMENT ON DATABASE {database} IS {};
             COMMENT ON ROLE {} IS {};",
            literal(&mark)?,
            identifier(name)?,
            literal(&made)?,
        );
        session.run(&act, &statements).await?;
    }
    walls::ensure(access, name, main).await
}

/// The comment of a database of ours.
pub(crate) fn mark(main: &DatabaseName) -> String {
    format!("{MARK}{main}")
}

/// A role that says that it has a database, where there is none.
async fn refuse_lost(session: &Session, name: &str, act: &str) -> Result<(), Failure> {
    let question =
        "SELECT pg_catalog.shobj_description(oid, 'pg_authid') FROM pg_catalog.pg_roles WHERE rolname = $1";
    let comment: Option<String> = session
        .row(act, question, &[&name])
        .await?
        .and_then(|row| row.get(0));
    if comment.is_some_and(|comment| comment == format!("{MARK}has its database")) {
        return Err(Failure::new(
            Kind::Conflict,
            format!("cannot {act}: it was there before and is gone, and an empty one would hide that"),
        )
        .hint("restore it from a backup, or drop it for good and create it anew"));
    }
    Ok(())
}
