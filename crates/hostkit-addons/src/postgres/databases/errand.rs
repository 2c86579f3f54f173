//! Logins that HostKit makes for one piece of work of its own, a dump or a restore, and takes away again.

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::secret::Secret;

use super::{OWN_DATABASE, logins};
use crate::postgres::names::DatabaseName;
use crate::postgres::quote::{identifier, literal};
use crate::postgres::session::{Access, Session};
use crate::postgres::verifier;

/// What the login may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum May {
    /// Read every row, whatever row-level security says, and change nothing: a dump.
    ReadAll,
    /// Be the owner: a restore. It has no more rights than the project's own programs: what a dump says is done as they
    /// could do it themselves.
    BeOwner,
}

/// A login for one piece of work.
#[derive(Debug)]
pub(crate) struct Errand {
    pub(crate) login: String,
    pub(crate) password: Secret,
    main: DatabaseName,
}

impl Errand {
    /// Makes the login. One that is never ended can log in for half a day and is taken away by a later one.
    pub(crate) async fn begin(access: &Access, main: &DatabaseName, may: May) -> Result<Self, Failure> {
        let (number, password) = random_password()?;
        let errand = Errand {
            login: main.beside(&format!("w{number}")),
            password,
            main: main.clone(),
        };
        let session = access.connect(OWN_DATABASE).await?;
        forget_old(access, &session, main).await?;
        session
            .run(
                &format!("make a login for work on `{main}`"),
                &errand.statements(may)?,
            )
            .await?;
        Ok(errand)
    }

    fn statements(&self, may: May) -> Result<String, Failure> {
        let role = identifier(&self.login)?;
        let owner = identifier(self.main.as_str())?;
        let password = literal(&verifier::make(&self.password)?)?;
        let may = match may {
            May::ReadAll => format!(
                "ALTER ROLE {role} BYPASSRLS; ALTER ROLE {role} SET default_transaction_read_only = on;"
            ),
            May::BeOwner => format!("ALTER ROLE {role} SET role = {};", literal(self.main.as_str())?),
        };
        Ok(format!(
            "CREATE ROLE {role} LOGIN INHERIT IN ROLE {owner} PASSWORD {password};
             DO $$ BEGIN
                 EXECUTE format('ALTER ROLE %I VALID UNTIL %L', {name}, now() + interval '12 hours');
             END $$;
             ALTER ROLE {role} SET statement_timeout = 0;
             {may}",
            name = literal(&self.login)?,
        ))
    }

    /// What a program logs in with.
    pub(crate) fn key(&self) -> (&str, &Secret) {
        (&self.login, &self.password)
    }

    /// How this login gets in, where `access` is how HostKit does.
    pub(crate) fn access(&self, access: &Access) -> Access {
        Access {
            user: self.login.clone(),
            password: Some(self.password.clone()),
            ..access.clone()
        }
    }

    /// Takes the login away, and ends what it still does.
    pub(crate) async fn end(self, access: &Access) -> Result<(), Failure> {
        let session = access.connect(OWN_DATABASE).await?;
        logins::remove(access, &session, &self.login, &self.main).await
    }
}

/// A number that no other login has, and a password.
pub(crate) fn random_password() -> Result<(String, Secret), Failure> {
    let mut random = [0; 24];
    getrandom::fill(&mut random)
        .map_err(|why| Failure::new(Kind::Internal, format!("cannot make a password: {why}")))?;
    let text: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let (number, password) = text.split_at(8);
    Ok((number.to_owned(), Secret::new(password)))
}

/// Takes logins of work that was cut off away: they are of no use any more. Those of work that goes on are connected.
async fn forget_old(access: &Access, session: &Session, main: &DatabaseName) -> Result<(), Failure> {
    let question = "SELECT r.rolname::text FROM pg_catalog.pg_roles r
         JOIN pg_catalog.pg_auth_members m ON m.member = r.oid
         JOIN pg_catalog.pg_roles o ON o.oid = m.roleid
         WHERE o.rolname = $1 AND r.rolvaliduntil < pg_catalog.now()
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.usesysid = r.oid)";
    let act = format!("look for old logins of `{main}`");
    for row in session.rows(&act, question, &[&main.as_str()]).await? {
        logins::remove(access, session, row.get(0), main).await?;
    }
    Ok(())
}
