//! Family of what an environment can have besides its programs. The catalogue: [`redis::RedisAddon`], a Redis server of
//! its own, with [`redis_rest`], the REST protocol of Upstash, in front; [`postgres`], a database of the server that all
//! share; and [`storage`], a bucket of a server of its own that speaks S3. What somebody else keeps is used by its address
//! ([`outside`]): [`postgres::outside`], [`redis::OutsideRedis`], [`storage::OutsideStorage`].

mod derived;
mod given;
pub mod outside;
pub mod postgres;
mod proof;
mod reached;
pub mod redis;
pub mod redis_rest;
mod secret_file;
pub mod storage;
mod stream;

use std::sync::Arc;

use hostkit_core::reach::Reach;
use hostkit_core::traits::{Addon, Copies, History, Services};
use hostkit_host::command::Guard;

use outside::Outside;
use postgres::Described;
use postgres::addon::Filing;
use postgres::archiving::PostgresHistory;
use postgres::copies::PostgresCopies;
use postgres::local::{LocalPostgres, Seats};
use postgres::outside::OutsidePostgres;
use postgres::server::ServerPostgres;
use postgres::system::SystemCluster;
use redis::{OutsideRedis, RedisAddon, RedisCopies};
use storage::OutsideStorage;
use storage::addon::{PublicAddresses, StorageAddon, StorageCopies};

/// What environments can have, and how it gets into backups.
pub struct Catalogue {
    /// What provides each kind, and what uses those kept elsewhere.
    pub addons: Vec<Arc<dyn Addon>>,
    /// What makes copies of what each kind keeps.
    pub copies: Vec<Arc<dyn Copies>>,
    /// What files every change of databases, where that can be done.
    pub history: Option<Arc<dyn History>>,
}

/// What add-ons are made with.
pub struct Surroundings<'a> {
    /// Where their programs run.
    pub services: &'a Arc<dyn Services>,
    /// Where their programs are looked for, folders as in PATH; those of PostgreSQL are where Debian puts them.
    pub system_path: &'a str,
    /// Where those are found that serve all projects.
    pub seats: Seats,
    /// Where environments are found from outside.
    pub public: PublicAddresses,
    /// What is run besides is run under it.
    pub guard: Guard,
    /// How far HostKit goes to what somebody else keeps.
    pub reach: Reach,
    /// Whether changes of databases are filed from the start.
    pub files_history: bool,
}

/// All of them, one of each kind, as local mode has them: with a PostgreSQL of the installation's own.
pub fn catalogue(with: Surroundings<'_>) -> Catalogue {
    // Known before anything is started: a server that runs would let go of what it has to file.
    let filing = Filing::new(with.files_history.into());
    let (services, seats, guard) = (with.services.clone(), with.seats.clone(), with.guard.clone());
    let postgres = Arc::new(LocalPostgres::new(services, seats, guard, filing.clone()));
    all(with, postgres, filing)
}

/// The same as a server has them: PostgreSQL is the machine's own `cluster`, if it has one so far.
pub fn server_catalogue(with: Surroundings<'_>, cluster: Option<SystemCluster>) -> Catalogue {
    let (services, seats, guard) = (with.services.clone(), with.seats.clone(), with.guard.clone());
    let filing = Filing::new(with.files_history.into());
    let postgres = ServerPostgres::new(services, seats, guard, cluster);
    all(with, Arc::new(postgres), filing)
}

fn all<P: Addon + Described + 'static>(
    with: Surroundings<'_>,
    postgres: Arc<P>,
    filing: Filing,
) -> Catalogue {
    let (services, guard) = (with.services.clone(), with.guard.clone());
    let history = PostgresHistory::new(postgres.clone(), services, guard, filing);
    let redis = Arc::new(RedisAddon::new(with.services.clone(), with.system_path));
    let storage = Arc::new(StorageAddon::new(with.services.clone(), with.public));
    let outside = OutsidePostgres::new(postgres.clone(), with.guard, with.reach);
    Catalogue {
        addons: vec![
            postgres.clone(),
            redis.clone(),
            storage.clone(),
            Arc::new(Outside::new(outside.clone())),
            Arc::new(Outside::new(OutsideRedis::new(with.reach))),
            Arc::new(Outside::new(OutsideStorage::new(with.reach))),
        ],
        copies: vec![
            Arc::new(PostgresCopies::new(postgres, outside)),
            Arc::new(RedisCopies::new(with.services.clone(), redis)),
            Arc::new(StorageCopies::new(with.services.clone(), storage)),
        ],
        history: Some(Arc::new(history)),
    }
}
