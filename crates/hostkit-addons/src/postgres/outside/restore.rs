//! Copies of a database elsewhere. A dump is made with the rights of its login. A restore is tried in a database of HostKit's
//! own server first, and counted there; then it is done elsewhere in one transaction: all of it, or nothing.

use std::collections::BTreeMap;

use hostkit_core::database::Contents;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::traits::Dump;

use super::{Given, OutsidePostgres, look};
use crate::postgres::addon::Postgres;
use crate::postgres::copies::{
    Moment, OF_DUMPS, Tools, Waiting, discard, dump as dump_own, fed, last_lines, restore_beside, sent,
};
use crate::postgres::databases;
use crate::postgres::names::DatabaseName;
use crate::postgres::programs::Programs;
use crate::postgres::session::Session;

/// How long a restore waits for a table that somebody else's transaction holds.
const LONGEST_WAIT: &str = "-c lock_timeout=30s";

impl OutsidePostgres {
    /// Begins a dump; of a moment that was counted, where one is named. What belongs to others there is left out.
    pub(crate) async fn dump(
        &self,
        given: &Given,
        compression: u8,
        moment: Option<Moment>,
    ) -> Result<Dump, Failure> {
        let programs = Programs::newest_client()?;
        refuse_newer(&look(&given.access).await?.version, programs.major)?;
        let session = given.access.connect(&given.database).await?;
        let foreign = foreign_schemas(&session).await?;
        let mut arguments = OF_DUMPS.map(str::to_owned).to_vec();
        arguments.push(format!("--compress={}", compression.min(9)));
        // A pattern: in quotes its letters stand for themselves.
        arguments.extend(
            foreign
                .iter()
                .map(|schema| format!("--exclude-schema=\"{}\"", schema.replace('"', "\"\""))),
        );
        arguments.extend(
            moment
                .as_ref()
                .map(|moment| format!("--snapshot={}", moment.snapshot)),
        );
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let tools = Tools::new(self.guard.clone(), programs, given.access.port);
        let variables = given.access.tool_variables(&given.database).await?;
        let running = tools.start_with("pg_dump", &arguments, variables).await?;
        let act = format!("dump the database `{}`", given.database);
        // The moment lasts as long as the dump.
        sent(running, act, async move {
            drop(moment);
            Ok(())
        })
    }

    /// Restores a dump in HostKit's own server and counts what is in it. Whatever waited there is removed.
    pub(crate) async fn try_copy(
        &self,
        main: &DatabaseName,
        what: &str,
        dump: Dump,
    ) -> Result<Contents, Failure> {
        let _turn = self.turn.lock().await;
        let own = self.own_server().await?;
        let (access, limits) = (own.access(), own.limits());
        databases::ensure(&access, main, limits).await?;
        let tried = restore_beside(&access, &own.tools()?, &waiting(main, what), limits, dump).await;
        if tried.is_err() {
            sweep(own, main).await?;
        }
        tried
    }

    /// Restores elsewhere what waits here, in one transaction.
    pub(crate) async fn restore(
        &self,
        given: &Given,
        main: &DatabaseName,
        what: &str,
    ) -> Result<(), Failure> {
        let own = self.own_server().await?;
        let waiting = waiting(main, what);
        let copy = dump_own(&own.access(), &own.tools()?, (main, &waiting.name), 0).await?;
        let tools = Tools::new(self.guard.clone(), Programs::newest_client()?, given.access.port);
        let mut variables: BTreeMap<String, String> = given.access.tool_variables(&given.database).await?;
        variables.insert("PGOPTIONS".to_owned(), LONGEST_WAIT.to_owned());
        let database = format!("--dbname={}", given.database);
        let arguments = [
            "--clean",
            "--if-exists",
            "--single-transaction",
            "--exit-on-error",
            "--no-owner",
            "--no-privileges",
            "--no-password",
            &database,
        ];
        let running = tools.start_with("pg_restore", &arguments, variables).await?;
        let (ending, said) = fed(running, copy).await?;
        if !ending.is_success() {
            let message = format!(
                "cannot restore the database `{}`, which is kept elsewhere: pg_restore was refused",
                given.database
            );
            return Err(Failure::new(Kind::Failed, message)
                .hint("it was one transaction: the database is as it was before")
                .details(last_lines(&said)));
        }
        self.forget_copy(main, what).await
    }

    /// Removes what waits here. Idempotent.
    pub(crate) async fn forget_copy(&self, main: &DatabaseName, what: &str) -> Result<(), Failure> {
        let _turn = self.turn.lock().await;
        let own = self.own_server().await?;
        discard(&own.access(), &waiting(main, what)).await?;
        sweep(own, main).await
    }

    async fn own_server(&self) -> Result<&Postgres, Failure> {
        let cannot = |failure: Failure| {
            let message = format!(
                "cannot try a copy of a database that is kept elsewhere in HostKit's own PostgreSQL: {}",
                failure.message
            );
            Failure { message, ..failure }
        };
        let own = self.own.postgres().map_err(cannot)?;
        own.ensure_server().await.map_err(cannot)?;
        Ok(own)
    }
}

/// A copy that waits here.
fn waiting(main: &DatabaseName, what: &str) -> Waiting {
    Waiting {
        main: main.clone(),
        target: main.clone(),
        name: main.beside(what),
    }
}

/// Takes the owner of copies away once none waits: nothing of an environment is left here whose database is elsewhere.
async fn sweep(own: &Postgres, main: &DatabaseName) -> Result<(), Failure> {
    let access = own.access();
    let known = databases::known(&access.connect(&access.home).await?).await?;
    let mut theirs = known.iter().filter(|one| one.owner == main.as_str());
    match theirs.any(|one| one.name != main.as_str()) {
        true => Ok(()),
        false => databases::remove(&access, main).await,
    }
}

/// Schemas that belong to others there, as those of a provider's own services do.
async fn foreign_schemas(session: &Session) -> Result<Vec<String>, Failure> {
    let question = "SELECT nspname::text FROM pg_namespace
         WHERE NOT pg_has_role(nspowner, 'MEMBER') AND nspname <> 'public' AND nspname <> 'information_schema'
           AND nspname NOT LIKE 'pg\\_%' ORDER BY 1";
    let rows = session.rows("look at schemas", question, &[]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// A dump of a newer server than the tools know is refused by them; this says which are missing.
fn refuse_newer(server: &str, tools: u16) -> Result<(), Failure> {
    let major: Option<u16> = server
        .split(|c: char| !c.is_ascii_digit())
        .next()
        .and_then(|text| text.parse().ok());
    match major {
        Some(major) if major > tools => {
            let message = format!(
                "cannot dump a database that is kept elsewhere: the server is PostgreSQL {server}, and `pg_dump` here is of version {tools}"
            );
            Err(Failure::new(Kind::Unavailable, message)
                .hint(format!("apt install postgresql-client-{major}")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_older_than_the_server_are_refused_with_both_versions() {
        let refused = refuse_newer("17.2 (Debian 17.2-1)", 15).unwrap_err();
        assert!(
            refused.message.contains("17.2") && refused.message.contains("version 15"),
            "{refused}"
        );
        assert_eq!(refused.hint.as_deref(), Some("apt install postgresql-client-17"));
        for older in ["15.14", "9.6.24", "13.1"] {
            refuse_newer(older, 15).unwrap();
        }
    }
}
