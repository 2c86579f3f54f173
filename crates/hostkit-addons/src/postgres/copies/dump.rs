//! A dump: a database at one moment, in the custom format of `pg_dump`, read as it is written. Of a large one that goes into
//! a backup several are made at the same time, and woven together.

use futures_util::StreamExt;
use hostkit_core::kind::Failure;
use hostkit_core::traits::Dump;
use hostkit_host::command::Running;
use tokio::sync::mpsc;

use super::head::Head;
use super::moment::Moment;
use super::pieces::sent;
use super::shares::{Shares, Sharing};
use super::tools::{Kept, Tools};
use super::weave::weave;
use crate::postgres::databases::{Errand, May};
use crate::postgres::names::DatabaseName;
use crate::postgres::session::Access;

/// Who owns and who may what is said anew at a restore. A table that somebody changes for longer than a minute is not waited
/// for: what the dump holds already, others may wait for.
pub(crate) const OF_DUMPS: [&str; 5] = [
    "--format=custom",
    "--no-owner",
    "--no-privileges",
    "--no-password",
    "--lock-wait-timeout=1min",
];

/// Begins a dump of a database, with compression as gzip has it (none at 0, for whoever compresses it himself; at most 9).
/// It ends without a failure only where it is whole; given up, it leaves nothing.
pub async fn dump(
    access: &Access,
    tools: &Tools,
    (main, database): (&DatabaseName, &str),
    compression: u8,
) -> Result<Dump, Failure> {
    let errand = Errand::begin(access, main, May::ReadAll).await?;
    let work = Work {
        access,
        tools,
        database,
        errand,
        moment: None,
    };
    work.one(compression).await
}

/// The same of a moment that was counted, which is over when the dump is. It is not compressed: that is done to all that is
/// backed up. Of a large database it is several dumps that share its tables, woven together.
pub(super) async fn dump_at(
    access: &Access,
    tools: &Tools,
    (main, database): (&DatabaseName, &str),
    moment: Moment,
    sharing: Sharing,
) -> Result<Dump, Failure> {
    let begun = async {
        let shares = Shares::of(&moment, sharing).await?;
        Ok((shares, Errand::begin(access, main, May::ReadAll).await?))
    };
    let (shares, errand) = match begun.await {
        Ok(begun) => begun,
        Err(failure) => return moment.end(access).await.and(Err(failure)),
    };
    let work = Work {
        access,
        tools,
        database,
        errand,
        moment: Some(moment),
    };
    match shares {
        Some(shares) => work.several(&shares).await,
        None => work.one(0).await,
    }
}

/// A dump, and what lasts as long as it.
struct Work<'a> {
    access: &'a Access,
    tools: &'a Tools,
    database: &'a str,
    errand: Errand,
    moment: Option<Moment>,
}

impl Work<'_> {
    /// One dump of everything.
    async fn one(self, compression: u8) -> Result<Dump, Failure> {
        let access = self.access.clone();
        let begun = self.start(compression, &[]).await;
        let act = self.act();
        let end = over(access, self.errand, self.moment);
        match begun {
            Ok(running) => sent(running, act, end),
            Err(failure) => end.await.and(Err(failure)),
        }
    }

    /// Several that share the tables, where what stands in front of the data is not so long that it is no head.
    async fn several(self, shares: &Shares) -> Result<Dump, Failure> {
        let (held, mut gone) = mpsc::channel(1);
        let begun = self.strands(shares, held).await;
        let given_up = match begun {
            Ok(Some((head, strands))) => {
                let end = over(self.access.clone(), self.errand, self.moment);
                let end = async move {
                    while gone.recv().await.is_some() {}
                    end.await
                };
                return Ok(weave(head, strands, end));
            }
            Ok(None) => None,
            Err(failure) => Some(failure),
        };
        while gone.recv().await.is_some() {}
        match given_up {
            None => self.one(0).await,
            Some(failure) => {
                let end = over(self.access.clone(), self.errand, self.moment);
                end.await.and(Err(failure))
            }
        }
    }

    /// Starts the dumps, and reads the head of the first. `held` is held until each of their programs is gone.
    async fn strands(
        &self,
        shares: &Shares,
        held: mpsc::Sender<()>,
    ) -> Result<Option<(Head, Vec<Dump>)>, Failure> {
        let mut strands: Vec<Dump> = Vec::new();
        let first = [shares.left_out()];
        for more in first.into_iter().chain(shares.others()) {
            let running = self.start(0, &more).await?;
            let held = held.clone();
            let dump = sent(running, self.act(), async move {
                drop(held);
                Ok(())
            })?;
            strands.push(Box::pin(dump.fuse()));
        }
        let Some(first) = strands.first_mut() else {
            return Ok(None);
        };
        let head = Head::read(first).await?;
        let kept = Kept::of(&head.bytes, &self.act())?;
        let is_read = self.tools.reads(&kept, self.errand.key(), self.database).await?;
        Ok(is_read.then_some((head, strands)))
    }

    async fn start(&self, compression: u8, more: &[String]) -> Result<Running, Failure> {
        let compression = format!("--compress={}", compression.min(9));
        let moment = self.moment.as_ref();
        let snapshot = moment.map(|moment| format!("--snapshot={}", moment.snapshot));
        let mut arguments = OF_DUMPS.to_vec();
        arguments.push(&compression);
        arguments.extend(snapshot.as_deref());
        arguments.extend(more.iter().map(String::as_str));
        self.tools
            .start("pg_dump", &arguments, self.errand.key(), self.database)
            .await
    }

    fn act(&self) -> String {
        format!("dump the database `{}`", self.database)
    }
}

/// Takes the logins of a dump away.
async fn over(access: Access, errand: Errand, moment: Option<Moment>) -> Result<(), Failure> {
    let counted = match moment {
        Some(moment) => moment.end(&access).await,
        None => Ok(()),
    };
    errand.end(&access).await.and(counted)
}
