//! PostgreSQL of a server: the machine's own cluster, and a PgBouncer of ours in front of it. No port is chosen and nothing
//! in the cluster is changed before the first environment wants a database.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use hostkit_core::addon::{AddonId, AddonKind, AddonOrder, AddonState, Console};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::VariableName;
use hostkit_core::port_use::PortUse;
use hostkit_core::services::ServiceRole;
use hostkit_core::traits::{Addon, Databases, Services};
use hostkit_core::variables::Variables;
use hostkit_host::command::Guard;

use super::addon::{Postgres, Server, variable_names};
use super::databases::Limits;
use super::local::{Seats, refuse_settings};
use super::pooler::Pooler;
use super::system::SystemCluster;

/// What installs all that is missing.
const SETUP: &str = "hostkit server setup";

/// Provides PostgreSQL.
pub struct ServerPostgres {
    services: Arc<dyn Services>,
    seats: Seats,
    guard: Guard,
    cluster: OnceLock<SystemCluster>,
    described: OnceLock<Postgres>,
}

impl ServerPostgres {
    /// Databases in a cluster, if the machine has one so far; `seats` says where PgBouncer is found,
    /// tools run under `guard`.
    pub fn new(
        services: Arc<dyn Services>,
        seats: Seats,
        guard: Guard,
        cluster: Option<SystemCluster>,
    ) -> Self {
        let found = OnceLock::new();
        if let Some(cluster) = cluster {
            found.get_or_init(|| cluster);
        }
        ServerPostgres {
            services,
            seats,
            guard,
            cluster: found,
            described: OnceLock::new(),
        }
    }

    /// The server and its pooler, described; not before the machine has a cluster.
    pub fn postgres(&self) -> Result<&Postgres, Failure> {
        if let Some(described) = self.described.get() {
            return Ok(described);
        }
        let Some(cluster) = self.cluster.get() else {
            return Err(Failure::new(
                Kind::Unavailable,
                "cannot use PostgreSQL: this machine had none when it was looked for",
            )
            .hint(SETUP));
        };
        let pooler = (self.seats)(ServiceRole::PgBouncer)?;
        let described = Postgres::new(
            self.services.clone(),
            Server::System(cluster.clone()),
            Pooler {
                port: pooler.port,
                operator: pooler.operator,
                limits: Limits::default(),
            },
            self.guard.clone(),
        );
        Ok(self.described.get_or_init(|| described))
    }

    /// The same, after another look for a cluster where none was found so far.
    async fn looked_for(&self) -> Result<&Postgres, Failure> {
        if self.cluster.get().is_none() {
            let found = SystemCluster::find().await?;
            self.cluster.get_or_init(|| found);
        }
        self.postgres()
    }
}

#[async_trait::async_trait]
impl super::Described for ServerPostgres {
    fn postgres(&self) -> Result<&Postgres, Failure> {
        ServerPostgres::postgres(self)
    }

    async fn filing(&self, wanted: bool) -> Result<Option<&Postgres>, Failure> {
        if self.cluster.get().is_none() {
            let Ok(found) = SystemCluster::find().await else {
                return Ok(None);
            };
            self.cluster.get_or_init(|| found);
        }
        let postgres = self.postgres()?;
        // Chosen before the first environment wants a database, it begins with that one.
        let is_in_use = wanted || postgres.access().try_connect("postgres").await.is_ok();
        Ok(is_in_use.then_some(postgres))
    }
}

#[async_trait::async_trait]
impl Addon for ServerPostgres {
    fn kind(&self) -> AddonKind {
        AddonKind::Postgres
    }

    fn needs_port(&self) -> bool {
        false
    }

    async fn ensure(&self, order: &AddonOrder) -> Result<(), Failure> {
        refuse_settings(order)?;
        // Before a database is made that nobody could be let into.
        refuse_missing_pooler()?;
        self.looked_for().await?.ensure(order).await
    }

    async fn settled(&self, orders: &[&AddonOrder]) -> Result<BTreeSet<AddonId>, Failure> {
        refuse_missing_pooler()?;
        self.looked_for().await?.settled(orders).await
    }

    async fn observe(&self, order: &AddonOrder) -> Result<AddonState, Failure> {
        self.looked_for().await?.observe(order).await
    }

    async fn remove(&self, id: &AddonId) -> Result<(), Failure> {
        // Where there never was a database, nothing is looked for to find that out.
        if self.services.observe(&Pooler::name()).await?.is_none() {
            return Ok(());
        }
        self.looked_for().await?.remove(id).await
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
        Some(Arc::new(self.postgres().ok()?.clone()))
    }
}

/// On a server it is installed by what sets the machine up.
fn refuse_missing_pooler() -> Result<(), Failure> {
    Pooler::refuse_missing().map_err(|failure| failure.hint(SETUP))
}
