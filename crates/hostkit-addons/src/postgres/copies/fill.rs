//! Filling a new database with what a dump says. One stream brings the data in as they come, for there is no copy of a dump
//! that can be read in several places at once; of dumps that were woven together each is restored by a program of its own. What
//! takes longer of a large one are its indexes and keys: they are made afterwards, several at a time.

use std::thread::available_parallelism;

use futures_util::StreamExt;
use futures_util::future::{try_join, try_join_all};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::traits::Dump;
use hostkit_host::command::Ending;

use super::coming::Coming;
use super::head::Head;
use super::pieces::{fed, last_lines};
use super::restore::Waiting;
use super::tools::{Kept, Tools};
use super::weave::Woven;
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
    coming: Coming,
) -> Result<(), Failure> {
    let errand = Errand::begin(access, &waiting.main, May::BeOwner).await?;
    let restore = Restore {
        tools,
        waiting,
        errand: &errand,
    };
    let done = match coming {
        Coming::One(head, rest) => restore.one(head, rest).await,
        Coming::Woven(woven) => restore.woven(woven).await,
    };
    errand.end(access).await?;
    done
}

struct Restore<'a> {
    tools: &'a Tools,
    waiting: &'a Waiting,
    errand: &'a Errand,
}

impl Restore<'_> {
    async fn one(&self, head: Head, rest: Dump) -> Result<(), Failure> {
        let kept = self.kept(&head).await?;
        let whole = Box::pin(futures_util::stream::iter([Ok(head.bytes)]).chain(rest));
        let Some(kept) = kept else {
            return self.stream(whole, &[]).await;
        };
        self.stream(whole, &["--section=pre-data", "--section=data"])
            .await?;
        self.what_data_are_made_into(&kept).await
    }

    /// Several that were woven together. All that stands in front of the data is in the head of the first; then the rows
    /// of each come in at the same time.
    async fn woven(&self, woven: Woven) -> Result<(), Failure> {
        let kept = Kept::of(&woven.head.bytes, &self.act())?;
        let database = self.database();
        self.judged(self.on(&kept, &["--section=pre-data", &database]).await?)?;
        let (dumps, splits) = woven.apart();
        let restores = dumps
            .into_iter()
            .map(|dump| self.stream(dump, &["--format=custom", "--section=data"]));
        // One that fails is the end of the others: dropped, they are ended.
        try_join(splits, try_join_all(restores)).await?;
        self.what_data_are_made_into(&kept).await
    }

    /// Makes indexes, keys and what else comes after the data, several at a time.
    async fn what_data_are_made_into(&self, kept: &Kept) -> Result<(), Failure> {
        let jobs = available_parallelism().map_or(1, usize::from).clamp(2, MOST);
        let jobs = format!("--jobs={jobs}");
        self.judged(
            self.on(kept, &[&jobs, "--section=post-data", &self.database()])
                .await?,
        )
    }

    /// The head of a dump that is worth it, where all that stands in front of the data is in it. Of one that cannot be read
    /// it is said why when it is restored.
    async fn kept(&self, head: &Head) -> Result<Option<Kept>, Failure> {
        if !head.is_of_large {
            return Ok(None);
        }
        let kept = Kept::of(&head.bytes, &self.act())?;
        let is_read = self
            .tools
            .reads(&kept, self.errand.key(), &self.waiting.name)
            .await?;
        Ok(is_read.then_some(kept))
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

    fn act(&self) -> String {
        format!("restore the database `{}`", self.waiting.target)
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
        let message = format!("cannot {}: pg_restore refused it", self.act());
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
