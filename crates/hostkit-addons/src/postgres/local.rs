//! PostgreSQL of an installation in local mode: a cluster of its own with a PgBouncer. No port is chosen, no folder made and
//! no program started before the first environment wants a database.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use hostkit_core::addon::{AddonId, AddonKind, AddonOrder, AddonSettings, AddonState, Console};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::VariableName;
use hostkit_core::port_use::PortUse;
use hostkit_core::secret::Secret;
use hostkit_core::services::ServiceRole;
use hostkit_core::size::ByteSize;
use hostkit_core::traits::{Addon, Databases, Services};
use hostkit_core::variables::Variables;
use hostkit_host::command::Guard;

use super::addon::{Filing, Postgres, Server, variable_names};
use super::cluster::{Archiving, Cluster, ClusterSettings};
use super::databases::Limits;
use super::pooler::Pooler;
use super::programs::{INSTALLED, Programs};

/// What the server may keep in memory: the machine is somebody's own, who has other things on it.
const MEMORY: ByteSize = ByteSize::mib(1024);

/// Where a program that serves all projects is found, and what it is ruled with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    /// Its port on 127.0.0.1.
    pub port: u16,
    /// HostKit's own password.
    pub operator: Secret,
}

/// Tells the seat of a program, which is chosen when it is asked for first and the same ever after.
pub type Seats = Arc<dyn Fn(ServiceRole) -> Result<Seat, Failure> + Send + Sync>;

/// Provides PostgreSQL.
pub struct LocalPostgres {
    services: Arc<dyn Services>,
    seats: Seats,
    guard: Guard,
    filing: Filing,
    described: OnceLock<Postgres>,
}

impl LocalPostgres {
    /// Servers kept by `services`, found where `seats` says, with tools that run under `guard`, whose log is filed away while
    /// `filing` says so.
    pub fn new(services: Arc<dyn Services>, seats: Seats, guard: Guard, filing: Filing) -> Self {
        LocalPostgres {
            services,
            seats,
            guard,
            filing,
            described: OnceLock::new(),
        }
    }

    /// The server and its pooler, described.
    pub fn postgres(&self) -> Result<&Postgres, Failure> {
        if let Some(described) = self.described.get() {
            return Ok(described);
        }
        let server = (self.seats)(ServiceRole::Postgres)?;
        let pooler = (self.seats)(ServiceRole::PgBouncer)?;
        let settings = ClusterSettings {
            port: server.port,
            memory: MEMORY,
            archiving: Archiving::Off,
        };
        let described = Postgres::new(
            self.services.clone(),
            Server::Private(Cluster::new(settings, server.operator)),
            Pooler {
                port: pooler.port,
                operator: pooler.operator,
                limits: Limits::default(),
            },
            self.guard.clone(),
        )
        .with_filing(self.filing.clone());
        Ok(self.described.get_or_init(|| described))
    }
}

/// Refuses a machine that has not all of the programs (those of the server below `installed`), before anything is made: what
/// one of them made could not be taken away without the other.
fn refuse_missing(installed: &Path) -> Result<(), Failure> {
    let server = Programs::newest_in(installed).map(drop);
    server
        .and_then(|()| Pooler::refuse_missing())
        .map_err(|failure| failure.hint("apt install postgresql pgbouncer"))
}

/// Refuses what can be chosen for other kinds alone, rather than to act as if it had been heeded.
pub(super) fn refuse_settings(order: &AddonOrder) -> Result<(), Failure> {
    if order.settings == AddonSettings::default() {
        return Ok(());
    }
    let message = format!(
        "cannot give settings to the PostgreSQL of `{}`: it has no memory of its own to limit or to keep all in",
        order.id.environment
    );
    Err(Failure::new(Kind::Invalid, message).hint("leave the settings out"))
}

#[async_trait::async_trait]
impl super::Described for LocalPostgres {
    fn postgres(&self) -> Result<&Postgres, Failure> {
        LocalPostgres::postgres(self)
    }

    async fn filing(&self, _: bool) -> Result<Option<&Postgres>, Failure> {
        // Where there never was a server, no port is chosen to find that out.
        match self.services.observe(&Cluster::name()).await? {
            Some(_) => self.postgres().map(Some),
            None => Ok(None),
        }
    }
}

#[async_trait::async_trait]
impl Addon for LocalPostgres {
    fn kind(&self) -> AddonKind {
        AddonKind::Postgres
    }

    fn needs_port(&self) -> bool {
        false
    }

    async fn ensure(&self, order: &AddonOrder) -> Result<(), Failure> {
        refuse_settings(order)?;
        if self.services.observe(&Cluster::name()).await?.is_none() {
            refuse_missing(Path::new(INSTALLED))?;
        }
        self.postgres()?.ensure(order).await
    }

    async fn settled(&self, orders: &[&AddonOrder]) -> Result<BTreeSet<AddonId>, Failure> {
        self.postgres()?.settled(orders).await
    }

    async fn observe(&self, order: &AddonOrder) -> Result<AddonState, Failure> {
        self.postgres()?.observe(order).await
    }

    async fn remove(&self, id: &AddonId) -> Result<(), Failure> {
        // Where there never was a server, no port is chosen to find that out.
        if self.services.observe(&Cluster::name()).await?.is_none() {
            return Ok(());
        }
        self.postgres()?.remove(id).await
    }

    fn variable_names(&self) -> Vec<VariableName> {
        variable_names()
    }

    fn variables(&self, order: &AddonOrder) -> Variables {
        match self.postgres() {
            Ok(postgres) => postgres.variables(order),
            Err(failure) => {
                tracing::warn!(%failure, "cannot tell programs where their database is");
                Variables::new()
            }
        }
    }

    fn ports(&self, order: &AddonOrder) -> BTreeMap<u16, PortUse> {
        self.postgres()
            .map_or_else(|_| BTreeMap::new(), |postgres| postgres.ports(order))
    }

    fn console(&self, order: &AddonOrder, arguments: &[String]) -> Option<Console> {
        self.postgres().ok()?.console(order, arguments)
    }

    fn databases(&self, _: &AddonOrder) -> Option<Arc<dyn Databases>> {
        match self.postgres() {
            Ok(postgres) => Some(Arc::new(postgres.clone())),
            Err(failure) => {
                tracing::warn!(%failure, "cannot tell where PostgreSQL is");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_the_programs_is_told_of_both_packages() {
        let empty = tempfile::tempdir().unwrap();
        let refused = refuse_missing(empty.path()).unwrap_err();
        assert_eq!(refused.kind, Kind::Unavailable);
        assert!(refused.message.contains("is not installed"), "{refused}");
        assert_eq!(refused.hint.as_deref(), Some("apt install postgresql pgbouncer"));
        refuse_missing(Path::new(INSTALLED)).unwrap();
    }
}
