//! The log of the machine's cluster, filed away while that is wanted. The settings are ones that the server keeps itself
//! (`ALTER SYSTEM`), so that no file of others is edited; where somebody else files the log already nothing is changed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use hostkit_core::backup::history::LogPiece;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::secret::Secret;

use super::SystemCluster;
use crate::postgres::cluster::{COPIERS, LIBRARY, SUPERUSER};
use crate::postgres::quote::literal;
use crate::postgres::session::Session;
use crate::postgres::verifier;

const MODE: &str = "archive_mode";
const COMMAND: &str = "archive_command";
const MODULE: &str = "archive_library";
const PLACE: &str = "basic_archive.archive_directory";
const TIMEOUT: &str = "archive_timeout";

/// What files nothing, told from what somebody else has chosen. A server that was started to file its log keeps every piece
/// for ever where it has no command at all.
const FILES_NOTHING: &str = "/bin/true hostkit";
const ACT: &str = "file the log of PostgreSQL away";

/// When what was set holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Now.
    Now,
    /// After a new start of the server.
    AfterStart,
}

/// Settings as the files of the server say: what will hold when it has read all of them.
type Settings = BTreeMap<String, String>;

impl SystemCluster {
    /// Whether filing takes a new start of the server. A server whose log cannot be filed, or is by somebody else, is
    /// refused.
    pub(crate) async fn filing_takes(&self, spool: &Path) -> Result<Effect, Failure> {
        let session = self.access().connect("postgres").await?;
        refuse_unfit(&session).await?;
        let (set, spool) = (in_files(&session).await?, text(spool));
        refuse_others(&set, &spool)?;
        refuse_kept(&kept(&session).await?, &set, &spool)?;
        takes(&session).await
    }

    /// Makes it so that full pieces of the log are put into the spool.
    pub(crate) async fn file_log(&self, spool: &Path) -> Result<Effect, Failure> {
        let session = self.access().connect("postgres").await?;
        refuse_unfit(&session).await?;
        let (set, spool) = (in_files(&session).await?, text(spool));
        refuse_others(&set, &spool)?;
        refuse_kept(&kept(&session).await?, &set, &spool)?;
        // Its own setting is known to the server only once it is loaded.
        load(&session).await?;
        let has = |name: &str, value: &str| set.get(name).is_some_and(|there| there == value);
        if has(COMMAND, FILES_NOTHING) {
            reset(&session, COMMAND).await?;
        }
        // The one that shows whose all of this is comes first.
        for (name, value) in [(PLACE, spool.as_str()), (MODULE, LIBRARY), (TIMEOUT, "60")] {
            if !has(name, value) {
                change(&session, name, value).await?;
            }
        }
        if !has(MODE, "on") && !has(MODE, "always") {
            change(&session, MODE, "on").await?;
        }
        let question = format!("SELECT current_setting('{MODULE}') = $1 AND current_setting('{PLACE}') = $2");
        let holds = session.row(ACT, &question, &[&LIBRARY, &spool]).await?;
        if !holds.is_some_and(|row| row.get(0)) {
            session.run(ACT, "SELECT pg_reload_conf()").await?;
        }
        takes(&session).await
    }

    /// Makes it so that nothing is filed, and takes every setting back that was made for it. The command that files nothing
    /// stays as long as the server runs that was started to file its log.
    pub(crate) async fn file_nothing(&self, spool: &Path) -> Result<(), Failure> {
        let session = self.access().connect("postgres").await?;
        let set = in_files(&session).await?;
        let is_started_so = takes(&session).await? == Effect::Now;
        if set.get(PLACE) == Some(&text(spool)) {
            load(&session).await?;
            if is_started_so {
                change(&session, COMMAND, FILES_NOTHING).await?;
            }
            for name in [MODULE, TIMEOUT, MODE] {
                reset(&session, name).await?;
            }
            session.run(ACT, "SELECT pg_reload_conf()").await?;
            session.run(ACT, &without_roles()).await?;
            // Last: as long as it is there, what was cut off is done again.
            reset(&session, PLACE).await?;
        } else if set.get(COMMAND).is_some_and(|command| command == FILES_NOTHING) && !is_started_so {
            reset(&session, COMMAND).await?;
        }
        Ok(())
    }

    /// Gives the role that HostKit works as a password, for copies of this server alone: the rules of this one let nobody in
    /// by it.
    pub(crate) async fn give_password(&self, password: &Secret) -> Result<(), Failure> {
        let session = self.access().connect("postgres").await?;
        let question = "SELECT rolpassword FROM pg_authid WHERE rolname = $1";
        let there = session.row(ACT, question, &[&SUPERUSER]).await?;
        let there: Option<String> = there.and_then(|row| row.get(0));
        if there.is_some_and(|there| verifier::is_of(&there, password)) {
            return Ok(());
        }
        let verifier = literal(&verifier::make(password)?)?;
        let give = format!("ALTER ROLE {SUPERUSER} PASSWORD {verifier}");
        session.run(ACT, &give).await
    }
}

/// Takes back what roles were made and given for it, also by bases that were cut off.
fn without_roles() -> String {
    format!(
        "DO $$ DECLARE login text; BEGIN
             FOR login IN SELECT rolname FROM pg_roles WHERE starts_with(rolname::text, '{COPIERS}') LOOP
                 EXECUTE format('DROP ROLE %I', login);
             END LOOP;
         END $$;
         ALTER ROLE {SUPERUSER} PASSWORD NULL;"
    )
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// The last word of all files; some of it may wait for a new start.
async fn in_files(session: &Session) -> Result<Settings, Failure> {
    let question = "SELECT lower(name), coalesce(setting, '') FROM pg_file_settings WHERE name IS NOT NULL ORDER BY seqno";
    let rows = session.rows(ACT, question, &[]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// What somebody has the server keep itself (`ALTER SYSTEM`) of what is changed to file its log.
async fn kept(session: &Session) -> Result<BTreeSet<String>, Failure> {
    let question = "SELECT DISTINCT lower(name) FROM pg_file_settings
         WHERE sourcefile LIKE '%/postgresql.auto.conf' AND lower(name) = ANY($1)";
    let names = [MODE, COMMAND, MODULE, TIMEOUT].as_slice();
    let rows = session.rows(ACT, question, &[&names]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

async fn takes(session: &Session) -> Result<Effect, Failure> {
    let question = format!("SELECT setting = 'off' FROM pg_settings WHERE name = '{MODE}'");
    let is_off = session.row(ACT, &question, &[]).await?;
    Ok(match is_off.is_some_and(|row| row.get(0)) {
        true => Effect::AfterStart,
        false => Effect::Now,
    })
}

/// What a server needs besides. One that is started to file its log with less does not start.
async fn refuse_unfit(session: &Session) -> Result<(), Failure> {
    let question = "SELECT current_setting('wal_level') = 'minimal',
            current_setting('max_wal_senders')::int = 0,
            (SELECT setting::int8 FROM pg_settings WHERE name = 'wal_segment_size'),
            (SELECT count(*) FROM pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global'))";
    let Some(row) = session.row(ACT, question, &[]).await? else {
        return Ok(());
    };
    let why = match (row.get(0), row.get(1), row.get::<_, i64>(2), row.get::<_, i64>(3)) {
        (true, ..) => "its `wal_level` is `minimal`",
        (_, true, ..) => "its `max_wal_senders` is 0",
        (_, _, bytes, _) if bytes.cast_unsigned() != LogPiece::BYTES => "pieces of its log are not of 16 MiB",
        (.., 1..) => "it has tablespaces, which one copy cannot hold",
        _ => return Ok(()),
    };
    Err(refused(why).hint("backups are made once a day: `hostkit backup list`"))
}

/// Refuses a server whose log somebody else files: that would end.
fn refuse_others(set: &Settings, spool: &str) -> Result<(), Failure> {
    let is_else = |name: &str, ours: &str| {
        let there = set.get(name).filter(|there| !there.is_empty());
        there.is_some_and(|there| there != ours)
    };
    let name = match () {
        () if is_else(COMMAND, FILES_NOTHING) => COMMAND,
        () if is_else(MODULE, LIBRARY) => MODULE,
        () if is_else(PLACE, spool) => PLACE,
        () => return Ok(()),
    };
    let why = format!("somebody else does so already, by `{name}`");
    Err(refused(&why).hint(format!(
        "`SELECT * FROM pg_file_settings WHERE name = '{name}'` says in which file; take it out there first"
    )))
}

/// Refuses to change what somebody has the server keep itself: there is one place for it, and what was there would be lost.
/// Once the spool is set all of it is ours, for that is set first and taken back last; before that, only the command is
/// that files nothing.
fn refuse_kept(kept: &BTreeSet<String>, set: &Settings, spool: &str) -> Result<(), Failure> {
    let is = |name: &str, value: &str| set.get(name).is_some_and(|there| there == value);
    if is(PLACE, spool) {
        return Ok(());
    }
    let mut theirs = kept
        .iter()
        .filter(|name| !(*name == COMMAND && is(COMMAND, FILES_NOTHING)));
    let Some(name) = theirs.next() else {
        return Ok(());
    };
    let why = format!("somebody set `{name}` by `ALTER SYSTEM`, which would be lost");
    Err(refused(&why).hint(format!(
        "`ALTER SYSTEM RESET {name}` takes it out; written into postgresql.conf it holds again when nothing is filed any more"
    )))
}

fn refused(why: &str) -> Failure {
    Failure::new(Kind::Conflict, format!("cannot {ACT}: {why}"))
}

async fn load(session: &Session) -> Result<(), Failure> {
    session.run(ACT, &format!("LOAD '{LIBRARY}'")).await
}

/// Alone in its message: the server refuses it in a transaction.
async fn change(session: &Session, name: &str, value: &str) -> Result<(), Failure> {
    let statement = format!("ALTER SYSTEM SET {name} = {}", literal(value)?);
    session.run(ACT, &statement).await
}

async fn reset(session: &Session, name: &str) -> Result<(), Failure> {
    session.run(ACT, &format!("ALTER SYSTEM RESET {name}")).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&str, &str)]) -> Settings {
        let pairs = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        pairs.collect()
    }

    #[test]
    fn what_somebody_has_the_server_keep_is_not_replaced_and_what_is_ours_is() {
        let kept = |names: &[&str]| {
            names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<BTreeSet<_>>()
        };
        for (names, set) in [
            (&[][..], with(&[(TIMEOUT, "300")])),
            (&[COMMAND], with(&[(COMMAND, FILES_NOTHING)])),
            (
                &[MODE, MODULE, TIMEOUT],
                with(&[(PLACE, "/spool"), (TIMEOUT, "60")]),
            ),
        ] {
            refuse_kept(&kept(names), &set, "/spool").unwrap();
        }
        for (names, set, why) in [
            (&[TIMEOUT][..], with(&[(TIMEOUT, "300")]), TIMEOUT),
            // Also where it is what would be set anyway: it would be gone afterwards.
            (&[TIMEOUT], with(&[(TIMEOUT, "60")]), TIMEOUT),
            (&[MODE], with(&[(MODE, "on")]), MODE),
            (
                &[COMMAND, MODE],
                with(&[(COMMAND, FILES_NOTHING), (MODE, "on")]),
                MODE,
            ),
            (&[COMMAND], with(&[(COMMAND, "")]), COMMAND),
        ] {
            let refused = refuse_kept(&kept(names), &set, "/spool").unwrap_err();
            assert_eq!(refused.kind, Kind::Conflict);
            assert!(refused.message.contains(&format!("`{why}`")), "{refused}");
        }
    }

    #[test]
    fn what_somebody_else_files_is_left_to_them() {
        for ours in [
            with(&[]),
            with(&[(MODE, "on"), (COMMAND, "")]),
            with(&[(COMMAND, FILES_NOTHING)]),
            with(&[(MODULE, LIBRARY), (PLACE, "/spool")]),
        ] {
            refuse_others(&ours, "/spool").unwrap();
        }
        for (name, value) in [
            (COMMAND, "cp %p /archive/%f"),
            (COMMAND, "/bin/true"),
            (MODULE, "theirs"),
            (PLACE, "/elsewhere"),
        ] {
            let refused = refuse_others(&with(&[(name, value)]), "/spool").unwrap_err();
            assert_eq!(refused.kind, Kind::Conflict);
            assert!(refused.message.contains(name), "{refused}");
        }
    }
}
