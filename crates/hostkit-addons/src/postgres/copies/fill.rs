//! Filling a new database with what a dump says: one stream brings the data in, for there is no copy of a dump that can be
//! read in several places at once. What takes longer of a large one are its indexes and keys: they are made afterwards,
//! several at a time.

use std::thread::available_parallelism;

use futures_util::StreamExt;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::traits::Dump;
use hostkit_host::command::Ending;

use super::head::Head;
use super::pieces::{fed, last_lines};
use super::restore::Waiting;
use super::tools::{Kept, Tools};
use crate::postgres::databases::{Errand, May};
use crate::postgres::session::Access;

/// The most that are made at a time: each takes memory and a connection of the server that all share.
const MOST: usize = 4;
/// Makes all that a dump says, or nothing counts.
const ARGUMENTS: [&str; 4] = [
    "--exit-on-error",
    "--no-owner",
    "--no-privileges",
    "--no-password",
];

/// Fills a database, with the rights of the project's own programs.
pub(super) async fn fill(
    access: &Access,
    tools: &Tools,
    waiting: &Waiting,
    head: Head,
    rest: Dump,
) -> Result<(), Failure> {
    let errand = Errand::begin(access, &waiting.main, May::BeOwner).await?;
    let restore = Restore {
        tools,
        waiting,
        errand: &errand,
    };
    let done = restore.all(head, rest).await;
    errand.end(access).await?;
    done
}

struct Restore<'a> {
    tools: &'a Tools,
    waiting: &'a Waiting,
    errand: &'a Errand,
}

impl Restore<'_> {
    async fn all(&self, head: Head, rest: Dump) -> Result<(), Failure> {
        let kept = self.kept(&head).await?;
        let whole = Box::pin(futures_util::stream::iter([Ok(head.bytes)]).chain(rest));
        let Some(kept) = kept else {
            return self.stream(whole, &[]).await;
        };
        self.stream(whole, &["--section=pre-data", "--section=data"])
            .await?;
        let jobs = available_parallelism().map_or(1, usize::from).clamp(2, MOST);
        let jobs = format!("--jobs={jobs}");
        self.judged(
            self.on(&kept, &[&jobs, "--section=post-data", &self.database()])
                .await?,
        )
    }

    /// The head of a dump that is worth it, where all that stands in front of the data is in it. Of one that cannot be read
    /// it is said why when it is restored.
    async fn kept(&self, head: &Head) -> Result<Option<Kept>, Failure> {
        if !head.is_of_large {
            return Ok(None);
        }
        let kept = Kept::of(&head.bytes).map_err(|why| {
            Failure::new(
                Kind::Internal,
                format!(
                    "cannot restore the database `{}`: cannot keep the head of its dump in memory: {why}",
                    self.waiting.target
                ),
            )
        })?;
        let (ending, _) = self.on(&kept, &["--list", "--file=/dev/null"]).await?;
        Ok(ending.is_success().then_some(kept))
    }

    /// Restores from a stream.
    async fn stream(&self, dump: Dump, more: &[&str]) -> Result<(), Failure> {
        let database = self.database();
        let arguments = [&ARGUMENTS[..], more, &[&database]].concat();
        let key = self.errand.key();
        let running = self
            .tools
            .start("pg_restore", &arguments, key, &self.waiting.name)
            .await?;
        self.judged(fed(running, dump).await?)
    }

    /// Runs `pg_restore` on what is kept.
    async fn on(&self, kept: &Kept, more: &[&str]) -> Result<(Ending, String), Failure> {
        let arguments = [&ARGUMENTS[..], more, &[Tools::INPUT]].concat();
        let key = self.errand.key();
        let running = self
            .tools
            .start_on(kept, "pg_restore", &arguments, key, &self.waiting.name)
            .await?;
        fed(running, Box::pin(futures_util::stream::empty())).await
    }

    fn database(&self) -> String {
        format!("--dbname={}", self.waiting.name)
    }

    fn judged(&self, (ending, said): (Ending, String)) -> Result<(), Failure> {
        if ending.is_success() {
            return Ok(());
        }
        let kind = match is_about_this_server(&said) {
            true => Kind::Unavailable,
            false => Kind::Failed,
        };
        let message = format!(
            "cannot restore the database `{}`: pg_restore refused it",
            self.waiting.target
        );
        Err(Failure::new(kind, message)
            .hint("the database is as it was before")
            .details(last_lines(&said)))
    }
}

/// Whether a complaint is about the server that a dump is restored into, and says nothing of the dump: no room, or it was
/// made on one that is newer, has other extensions, other roles.
fn is_about_this_server(said: &str) -> bool {
    let lacks = |what: &str, ending: &str| {
        let mut lines = said.lines().filter(|line| line.contains(what));
        lines.any(|line| line.contains(ending))
    };
    said.contains("No space left on device")
        || said.contains("unsupported version (")
        || lacks("extension \"", "is not available")
        || lacks("role \"", "does not exist")
}
