//! A server that files its log away: a private cluster does so as it is described, the machine's by settings that it keeps
//! itself, into a folder that is its account's alone.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::project::EnvironmentId;
use hostkit_core::secret::Secret;
use hostkit_core::size::ByteSize;
use hostkit_host::beneath::{Folder, Rights};
use nix::unistd::User;
use tokio::time::{Instant, timeout_at};

use super::addon::{Postgres, Server};
use super::archiving::spool_of;
use super::cluster::{Archiving, Cluster, ClusterSettings};
use super::databases::{self, Known};
use super::pooler::Pooler;
use super::system::{Effect, SystemCluster};
use crate::derived::derive;

/// What a server as it was may keep in memory on a server: programs of projects need theirs.
const PAST_MEMORY: ByteSize = ByteSize::mib(256);
/// How long transactions may take to finish before a new start cuts them off.
const LONGEST_HOLD: Duration = Duration::from_secs(10);
/// What the password is made of that a server as it was lets HostKit in by.
const PAST: &str = "a server as it was";

impl Postgres {
    /// Below this folder the spool lies. On a server it is root's, so that no name in there is anybody else's.
    pub(super) fn filed_below(&self) -> PathBuf {
        self.services.place(&Cluster::name()).data
    }

    /// Makes it so that the server runs, and files its log or does not.
    pub(super) async fn file_log(&self, on: bool) -> Result<(), Failure> {
        self.ensure_server().await?;
        let Server::System(cluster) = &self.server else {
            return Ok(());
        };
        let _turn = self.turn.lock().await;
        let data = self.filed_below();
        let spool = spool_of(&data);
        if !on {
            return cluster.file_nothing(&spool).await;
        }
        make_spool(cluster, &data)?;
        cluster.give_password(&self.past_password()).await?;
        match cluster.file_log(&spool).await? {
            Effect::Now => Ok(()),
            Effect::AfterStart => Err(Failure::new(
                Kind::Conflict,
                "cannot file the log of PostgreSQL away: it has to be started anew once; `hostkit backup history on` does so",
            )),
        }
    }

    /// Takes away what lies where nothing is filed any more.
    pub(super) async fn clear_spool(&self) -> Result<(), Failure> {
        match &self.server {
            Server::System(_) if self.filed_below().is_dir() => self.services.remove(&Cluster::name()).await,
            _ => Ok(()),
        }
    }

    /// Whether the server has to be started anew before it files its log.
    pub(super) async fn filing_needs_start(&self) -> Result<bool, Failure> {
        let Server::System(cluster) = &self.server else {
            return Ok(false);
        };
        // Where HostKit was never let in nobody has made it file anything.
        if self.access().try_connect("postgres").await.is_err() {
            return Ok(true);
        }
        let takes = cluster.filing_takes(&spool_of(&self.filed_below())).await?;
        Ok(takes == Effect::AfterStart)
    }

    /// Starts the server anew, so that it files its log. Transactions by way of PgBouncer wait meanwhile; others are cut off.
    pub(super) async fn start_to_file(&self) -> Result<(), Failure> {
        let Server::System(cluster) = &self.server else {
            return Ok(());
        };
        match self.file_log(true).await {
            Err(failure) if failure.kind == Kind::Conflict && self.filing_needs_start().await? => {}
            done => return done,
        }
        let _turn = self.turn.lock().await;
        let session = self.access().connect("postgres").await?;
        let known = databases::known(&session).await?;
        // What is brought to the disk now need not be while clients wait.
        session.run("start PostgreSQL anew", "CHECKPOINT").await?;
        drop(session);
        // Nobody waits where no environment has a database so far.
        if self.services.observe(&Pooler::name()).await?.is_none() {
            return cluster.start_anew().await;
        }
        self.hold(&known).await;
        let started = cluster.start_anew().await;
        let going = self.let_all_go_on().await;
        started.and(going)
    }

    async fn let_all_go_on(&self) -> Result<(), Failure> {
        let console = self.pooler().console().await?;
        for held in console.held().await? {
            console.resume(&held).await?;
        }
        Ok(())
    }

    /// Lets transactions wait, as far as those that run end in time.
    async fn hold(&self, known: &[Known]) {
        let until = Instant::now() + LONGEST_HOLD;
        for database in known {
            // A console is of no use after a word that was not waited for.
            let hold = async { self.pooler().console().await?.pause(&database.name).await };
            if let Ok(Err(failure)) = timeout_at(until, hold).await {
                tracing::warn!(%failure, database = %database.name, "its transactions are cut off");
            }
        }
    }

    /// The cluster that a copy of this server is run as, and the account that its files belong to where it is not our own.
    pub(super) fn past(&self, environment: &EnvironmentId) -> (Cluster, Option<String>) {
        match &self.server {
            Server::Private(cluster) => (cluster.clone(), None),
            Server::System(_) => {
                let settings = ClusterSettings {
                    port: 0,
                    memory: PAST_MEMORY,
                    archiving: Archiving::Off,
                };
                let account = Cluster::scratch_name(environment).account();
                (Cluster::new(settings, self.past_password()), Some(account))
            }
        }
    }

    fn past_password(&self) -> Secret {
        derive(&self.pooler().operator, PAST)
    }
}

/// Makes the folder that the cluster's account files the log in. What is above it is root's.
fn make_spool(cluster: &SystemCluster, data: &Path) -> Result<(), Failure> {
    let act = "make the spool of PostgreSQL";
    let account = User::from_name(&cluster.account).ok().flatten().ok_or_else(|| {
        let why = format!("cannot {act}: there is no account `{}`", cluster.account);
        Failure::new(Kind::Unavailable, why)
    })?;
    let spool = spool_of(data);
    let mut above = spool.ancestors().skip(1).take(3).collect::<Vec<_>>();
    above.reverse();
    let internal = || {
        Failure::new(
            Kind::Internal,
            format!("cannot {act}: `{}` is no place", spool.display()),
        )
    };
    let name = |path: &Path| {
        let name = path.file_name().and_then(OsStr::to_str);
        name.map(str::to_owned).ok_or_else(internal)
    };
    let root = above
        .first()
        .and_then(|path| path.parent())
        .ok_or_else(internal)?;
    let mut folder = Folder::open(root)?;
    for path in above {
        (folder, _) = folder.ensure_folder(&name(path)?, &Rights::new(0, 0, 0o711))?;
    }
    let rights = Rights::new(account.uid.as_raw(), account.gid.as_raw(), 0o700);
    folder.ensure_folder(&name(&spool)?, &rights).map(drop)
}
