//! The history of a server: its spool, its base backups, and scratch clusters made of both.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use hostkit_core::addon::AddonKind;
use hostkit_core::backup::history::LogPiece;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::project::EnvironmentId;
use hostkit_core::traits::{BaseCopy, FiledPiece, History, Log, Past, Pieces, Recovery, Services};
use hostkit_host::command::Guard;
use jiff::Timestamp;

use super::past::PastPostgres;
use super::scratch::{self, Scratch};
use super::{base_backup, spool, switch_piece};
use crate::postgres::Described;
use crate::postgres::addon::{Filing, Postgres};
use crate::postgres::cluster::{Cluster, LIBRARY};
use crate::postgres::session::Access;

/// Bytes that are handed on at once.
const PIECE: usize = 1 << 20;
/// How long the server may take to file what it writes in another way.
const LONGEST_CHANGE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);

/// Files every change of the cluster of all projects.
pub struct PostgresHistory {
    postgres: Arc<dyn Described>,
    services: Arc<dyn Services>,
    guard: Guard,
    filing: Filing,
}

impl PostgresHistory {
    /// Of the cluster that `postgres` provides, which files its log as `filing` says: the one it was made with.
    pub fn new(
        postgres: Arc<dyn Described>,
        services: Arc<dyn Services>,
        guard: Guard,
        filing: Filing,
    ) -> Self {
        PostgresHistory {
            postgres,
            services,
            guard,
            filing,
        }
    }

    fn postgres(&self) -> Result<&Postgres, Failure> {
        self.postgres.postgres()
    }

    async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce(PathBuf) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        // Where there never was a server, no port is chosen to find that out.
        let data = self.services.place(&Cluster::name()).data;
        let done = tokio::task::spawn_blocking(move || work(data)).await;
        done.unwrap_or_else(|why| {
            Err(Failure::new(
                Kind::Internal,
                format!("cannot look at the spool: {why}"),
            ))
        })
    }
}

#[async_trait::async_trait]
impl History for PostgresHistory {
    fn kind(&self) -> AddonKind {
        AddonKind::Postgres
    }

    async fn settle(&self, on: bool) -> Result<Option<String>, Failure> {
        let before = self.filing.swap(on, Ordering::Relaxed);
        let Some(postgres) = self.postgres.filing(on).await? else {
            return Ok(None);
        };
        postgres.file_log(on).await?;
        let access = postgres.access();
        if on && !before {
            wait_until_filed_so(&access).await?;
        }
        if !on {
            for filed in self.filed().await? {
                self.forget(&filed.piece).await?;
            }
            postgres.clear_spool().await?;
        }
        let session = access.connect(&access.home).await?;
        let question = "SELECT system_identifier::text FROM pg_control_system()";
        let row = session.row("ask which server this is", question, &[]).await?;
        Ok(row.map(|row| row.get(0)))
    }

    async fn needs_start(&self) -> Result<bool, Failure> {
        match self.postgres.filing(true).await? {
            Some(postgres) => postgres.filing_needs_start().await,
            None => Ok(false),
        }
    }

    async fn start_anew(&self) -> Result<(), Failure> {
        self.filing.store(true, Ordering::Relaxed);
        match self.postgres.filing(true).await? {
            Some(postgres) => postgres.start_to_file().await,
            None => Ok(()),
        }
    }

    async fn filed(&self) -> Result<Vec<FiledPiece>, Failure> {
        self.aside(|data| spool::filed(&data)).await
    }

    async fn read(&self, piece: &LogPiece) -> Result<Pieces, Failure> {
        let piece = piece.clone();
        let content = self.aside(move |data| spool::read(&data, &piece)).await?;
        let parts: Vec<io::Result<Vec<u8>>> = content.chunks(PIECE).map(|part| Ok(part.to_vec())).collect();
        Ok(Box::pin(stream::iter(parts)))
    }

    async fn forget(&self, piece: &LogPiece) -> Result<(), Failure> {
        let piece = piece.clone();
        self.aside(move |data| spool::forget(&data, &piece)).await
    }

    async fn file_now(&self) -> Result<(), Failure> {
        switch_piece(&self.postgres()?.access()).await.map(drop)
    }

    async fn base(&self) -> Result<BaseCopy, Failure> {
        let postgres = self.postgres()?;
        let access = postgres.access();
        let act = "make a base backup";
        let session = access.connect(&access.home).await?;
        // No later than where it begins: the server says that only in the copy.
        let question = "SELECT pg_walfile_name(pg_current_wal_lsn())";
        let row = session.row(act, question, &[]).await?;
        let first = row.map_or_else(String::new, |row| row.get(0));
        let first = LogPiece::parse(&first)
            .map_err(|why| Failure::new(Kind::Internal, format!("cannot {act}: {why}")))?;
        let dump = base_backup(&access, &postgres.tools()?).await?;
        Ok(BaseCopy {
            first,
            pieces: Box::pin(dump.map_err(io::Error::other)),
        })
    }
}

/// What is filed in the old way after this is nothing any more.
async fn wait_until_filed_so(access: &Access) -> Result<(), Failure> {
    let question = "SELECT current_setting('archive_library') = $1 AND EXISTS (
            SELECT FROM pg_stat_activity WHERE backend_type = 'archiver' AND backend_start >= pg_conf_load_time())";
    let act = "file the log of PostgreSQL away";
    let changed = async {
        loop {
            let session = access.connect(&access.home).await?;
            let row = session.row(act, question, &[&LIBRARY]).await?;
            if row.is_some_and(|row| row.get(0)) {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    // A server that files so already does not begin again with it.
    tokio::time::timeout(LONGEST_CHANGE, changed)
        .await
        .unwrap_or(Ok(()))
}

#[async_trait::async_trait]
impl Recovery for PostgresHistory {
    async fn recover(
        &self,
        environment: &EnvironmentId,
        to: Timestamp,
        base: Pieces,
        log: Log,
    ) -> Result<Box<dyn Past>, Failure> {
        let (cluster, account) = self.postgres()?.past(environment);
        let recovery = scratch::Recovery {
            environment: environment.clone(),
            to,
            port: free_port()?,
            account,
        };
        let base = Box::pin(base.map(|piece| piece.map_err(|why| broken(&why))));
        let scratch = Scratch::recover(&self.services, &self.guard, &cluster, (base, log), &recovery).await?;
        Ok(Box::new(PastPostgres::new(scratch, self.guard.clone())))
    }

    async fn sweep(&self, environment: &EnvironmentId) -> Result<(), Failure> {
        self.services.remove(&Cluster::scratch_name(environment)).await
    }
}

fn broken(why: &io::Error) -> Failure {
    let kind = match why.kind() {
        io::ErrorKind::InvalidData => Kind::Conflict,
        _ => Kind::Unavailable,
    };
    Failure::new(kind, format!("cannot read a base backup to its end: {why}"))
}

/// A port on 127.0.0.1 that nobody has. Should somebody take it before the scratch cluster does, that does not start.
fn free_port() -> Result<u16, Failure> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr());
    port.map(|address| address.port()).map_err(|why| {
        Failure::new(
            Kind::Unavailable,
            format!("cannot find a port for a recovery: {why}"),
        )
    })
}
