//! PostgreSQL as an add-on of environments.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hostkit_core::addon::{AddonHealth, AddonId, AddonKind, AddonOrder, AddonState, Console};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::VariableName;
use hostkit_core::port_use::{Callers, PortUse, PortUser};
use hostkit_core::secret::Secret;
use hostkit_core::traits::{Addon, Databases, Services};
use hostkit_core::variables::Variables;
use hostkit_host::command::Guard;
use tokio_postgres::SimpleQueryMessage;

use super::address::{Address, POOLED_FOR_PRISMA};
use super::cluster::{Archiving, Cluster};
use super::copies::Tools;
use super::databases::{self, Limits};
use super::names::DatabaseName;
use super::pooler::Pooler;
use super::programs::{Programs, major_of};
use super::session::{Access, explain};
use super::settled::Left;
use super::system::SystemCluster;

/// The pooled address: for programs.
pub(super) const DATABASE_URL: &str = "DATABASE_URL";
/// The direct one: for migrations, and for what needs a session (`LISTEN`, advisory locks that are kept, `SET`).
pub(super) const DIRECT_URL: &str = "DIRECT_URL";
/// The pooled one with what Prisma must be told of a pool; nobody else understands that word, so it has a name of its own,
/// the one that Vercel gives it.
pub(super) const POSTGRES_PRISMA_URL: &str = "POSTGRES_PRISMA_URL";

/// How long a look at a database may take.
const LONGEST_LOOK: Duration = Duration::from_secs(10);

/// Where the databases lie.
#[derive(Debug, Clone)]
pub enum Server {
    /// In a cluster of HostKit's own: local mode.
    Private(Cluster),
    /// In the machine's.
    System(SystemCluster),
}

/// Whether the server files its log away. Shared by who decides it and who describes a private cluster.
pub type Filing = Arc<AtomicBool>;

/// The server of all environments and what stands in front of it. Clones are one.
#[derive(Clone)]
pub struct Postgres {
    pub(super) services: Arc<dyn Services>,
    pub(super) server: Server,
    pooler: Pooler,
    /// Runs the server's own tools.
    guard: Guard,
    filing: Filing,
    /// Who changes what all share waits for who does: add-ons are ensured side by side.
    pub(super) turn: Arc<tokio::sync::Mutex<()>>,
    /// How databases were left.
    pub(super) left: Left,
}

impl Postgres {
    /// Describes both; nothing is started by it.
    pub fn new(services: Arc<dyn Services>, server: Server, pooler: Pooler, guard: Guard) -> Self {
        Postgres {
            services,
            server,
            pooler,
            guard,
            filing: Filing::default(),
            turn: Arc::default(),
            left: Left::default(),
        }
    }

    /// The same, with its log filed away as somebody decides.
    pub fn with_filing(mut self, filing: Filing) -> Self {
        self.filing = filing;
        self
    }

    /// The cluster, where it is HostKit's own.
    fn private(&self) -> Option<Cluster> {
        let archiving = match self.filing.load(Ordering::Relaxed) {
            true => Archiving::Spool,
            false => Archiving::Off,
        };
        match &self.server {
            Server::Private(cluster) => Some(cluster.with(archiving)),
            Server::System(_) => None,
        }
    }

    /// How HostKit gets into the server.
    pub fn access(&self) -> Access {
        match &self.server {
            Server::Private(cluster) => cluster.access(&*self.services),
            Server::System(cluster) => cluster.access(),
        }
    }

    /// What dumps and restores.
    pub fn tools(&self) -> Result<Tools, Failure> {
        let programs = match &self.server {
            Server::Private(_) => Programs::for_data(&Cluster::data(&*self.services))?,
            Server::System(_) => Programs::newest()?,
        };
        Ok(Tools::new(self.guard.clone(), programs, self.access().port))
    }

    /// What environments may have.
    pub fn limits(&self) -> &Limits {
        &self.pooler.limits
    }

    /// What stands in front of the server.
    pub fn pooler(&self) -> &Pooler {
        &self.pooler
    }

    /// Makes it so that the server runs and answers. Also what a restore begins with.
    pub async fn ensure_server(&self) -> Result<(), Failure> {
        let _turn = self.turn.lock().await;
        match (&self.server, self.private()) {
            (Server::System(cluster), _) => cluster.ensure().await,
            (Server::Private(cluster), described) => {
                described
                    .as_ref()
                    .unwrap_or(cluster)
                    .ensure(&*self.services)
                    .await
            }
        }
    }

    /// Tells PgBouncer which databases and logins there are now.
    pub async fn tell_pooler(&self) -> Result<(), Failure> {
        let _turn = self.turn.lock().await;
        self.pooler.ensure(&*self.services, &self.access()).await
    }

    /// Where a database is found with the newest credential of an order: through PgBouncer.
    pub fn pooled(&self, order: &AddonOrder, database: &DatabaseName) -> Option<Address> {
        self.at(order, database, self.pooler.port)
    }

    /// The same, at the server itself.
    pub fn direct(&self, order: &AddonOrder, database: &DatabaseName) -> Option<Address> {
        self.at(order, database, self.access().port)
    }

    fn at(&self, order: &AddonOrder, database: &DatabaseName, port: u16) -> Option<Address> {
        let newest = order.credentials.first()?;
        Some(Address {
            port,
            login: DatabaseName::main(&order.id.environment).login(newest.number),
            password: newest.secret.clone(),
            database: database.as_str().to_owned(),
        })
    }
}

#[async_trait::async_trait]
impl Addon for Postgres {
    fn kind(&self) -> AddonKind {
        AddonKind::Postgres
    }

    fn needs_port(&self) -> bool {
        false
    }

    async fn ensure(&self, order: &AddonOrder) -> Result<(), Failure> {
        self.left.forget(&order.id);
        let main = DatabaseName::main(&order.id.environment);
        if order.made && self.has_lost_all()? {
            return Err(self.lost(&main, "the data of PostgreSQL are gone"));
        }
        self.ensure_server().await?;
        let (access, limits) = (self.access(), self.limits());
        if order.made && !databases::is_there(&access, &main).await? {
            return Err(self.lost(&main, "it was there before and is gone"));
        }
        databases::ensure(&access, &main, limits).await?;
        // New logins are known to the server before PgBouncer hears of them, and are heard of before old ones are gone.
        databases::admit(&access, &main, &order.credentials, limits).await?;
        self.tell_pooler().await?;
        if databases::expel_others(&access, &main, &order.credentials).await? {
            self.tell_pooler().await?;
        }
        self.let_go_on(&access, &main).await?;
        self.note_left(order).await
    }

    async fn settled(&self, orders: &[&AddonOrder]) -> Result<BTreeSet<AddonId>, Failure> {
        self.still_as_left(orders).await
    }

    async fn observe(&self, order: &AddonOrder) -> Result<AddonState, Failure> {
        let main = DatabaseName::main(&order.id.environment);
        let state = |health, version| AddonState {
            health,
            memory: None,
            version,
            warnings: Vec::new(),
        };
        let address = self
            .pooled(order, &main)
            .ok_or_else(|| Failure::new(Kind::Internal, "cannot look at a database without a credential"))?;
        // As a program would: through PgBouncer, with the newest credential. In one message and without a setting: what a
        // client leaves behind there is the next one's.
        let asks = async {
            let session = address.access().try_connect(main.as_str()).await;
            let session = session.map_err(|why| explain("ask the database", &why))?;
            session.simple("ask the database", "SHOW server_version").await
        };
        // While the server is away PgBouncer lets its clients wait, for longer than anybody looks.
        let asked = tokio::time::timeout(LONGEST_LOOK, asks)
            .await
            .unwrap_or_else(|_| {
                let why = "cannot ask the database: PostgreSQL does not answer";
                Err(Failure::new(Kind::Unavailable, why))
            });
        match asked {
            Ok(said) => Ok(state(AddonHealth::Ready, first_value(&said))),
            Err(failure) if failure.kind == Kind::Unavailable && self.is_starting().await => {
                Ok(state(AddonHealth::Starting, None))
            }
            Err(failure) => Ok(state(AddonHealth::Down(failure.message), None)),
        }
    }

    async fn remove(&self, id: &AddonId) -> Result<(), Failure> {
        self.left.forget(id);
        // Where there never was a cluster, there is nothing to remove, and none is made for it.
        if matches!(self.server, Server::Private(_))
            && self.services.observe(&Cluster::name()).await?.is_none()
        {
            return Ok(());
        }
        // Nor is one made anew to take out of it what is lost.
        if self.has_lost_all()? {
            return Ok(());
        }
        self.ensure_server().await?;
        databases::remove(&self.access(), &DatabaseName::main(&id.environment)).await?;
        self.tell_pooler().await
    }

    fn variable_names(&self) -> Vec<VariableName> {
        variable_names()
    }

    fn variables(&self, order: &AddonOrder) -> Variables {
        let main = DatabaseName::main(&order.id.environment);
        let url = |address: Option<Address>, parameters: &str| {
            Some(Secret::new(format!("{}{parameters}", address?.url().reveal())))
        };
        [
            (DATABASE_URL, url(self.pooled(order, &main), "")),
            (DIRECT_URL, url(self.direct(order, &main), "")),
            (
                POSTGRES_PRISMA_URL,
                url(self.pooled(order, &main), POOLED_FOR_PRISMA),
            ),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((VariableName::parse(name).ok()?, value?)))
        .collect()
    }

    fn ports(&self, _: &AddonOrder) -> BTreeMap<u16, PortUse> {
        let server = match &self.server {
            Server::Private(_) => PortUser::Service(Cluster::name()),
            Server::System(cluster) => PortUser::Account(cluster.account.clone()),
        };
        let pooler = PortUser::Service(Pooler::name());
        // Who gets into which database is a matter of passwords.
        [(self.access().port, server), (self.pooler.port, pooler)]
            .into_iter()
            .map(|(port, answers)| {
                let callers = Callers::Everybody;
                (port, PortUse { answers, callers })
            })
            .collect()
    }

    fn console(&self, order: &AddonOrder, arguments: &[String]) -> Option<Console> {
        let main = DatabaseName::main(&order.id.environment);
        let address = self.direct(order, &main)?;
        let mut words = vec!["psql".to_owned()];
        words.extend_from_slice(arguments);
        Some(Console {
            arguments: words,
            variables: address.variables(),
        })
    }

    fn databases(&self, _: &AddonOrder) -> Option<Arc<dyn Databases>> {
        Some(Arc::new(self.clone()))
    }
}

/// What programs are told under.
pub(crate) fn variable_names() -> Vec<VariableName> {
    [DATABASE_URL, DIRECT_URL, POSTGRES_PRISMA_URL]
        .iter()
        .filter_map(|name| VariableName::parse(name).ok())
        .collect()
}

/// The first column of the first row.
fn first_value(said: &[SimpleQueryMessage]) -> Option<String> {
    said.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    })
}

impl Postgres {
    /// Whether there is a cluster of our own without its data.
    pub(super) fn has_lost_all(&self) -> Result<bool, Failure> {
        match self.server {
            Server::Private(_) => Ok(major_of(&Cluster::data(&*self.services))?.is_none()),
            Server::System(_) => Ok(false),
        }
    }

    /// Something empty in the place of what is lost would hide that.
    fn lost(&self, main: &DatabaseName, why: &str) -> Failure {
        let place = match self.server {
            Server::Private(_) => Cluster::data(&*self.services).display().to_string(),
            Server::System(_) => "the machine's PostgreSQL".to_owned(),
        };
        let message = format!("cannot provide the database `{main}`: {why}, in {place}");
        Failure::new(Kind::Conflict, message).hint(
            "put the data back; to begin with none, `hostkit addon remove NAME postgres`, then add it again",
        )
    }

    /// A restore that was killed half way left transactions waiting.
    async fn let_go_on(&self, access: &Access, main: &DatabaseName) -> Result<(), Failure> {
        let console = self.pooler.console().await?;
        let held = console.held().await?;
        if held.is_empty() {
            return Ok(());
        }
        let known = databases::known(&access.connect(&access.home).await?).await?;
        for database in known.iter().filter(|database| database.owner == main.as_str()) {
            console.resume(&database.name).await?;
        }
        Ok(())
    }

    /// Whether the server is there and reads its log, or is about to be started again.
    async fn is_starting(&self) -> bool {
        use hostkit_core::workload::InstanceState::{Backoff, Running};
        let found = self.services.observe(&Cluster::name()).await;
        matches!(found, Ok(Some(state)) if matches!(state.state, Running | Backoff))
    }
}
