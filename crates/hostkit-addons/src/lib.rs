//! Family of what an environment can have besides its programs. The catalogue: [`redis::RedisAddon`], a Redis server of
//! its own, with [`redis_rest`], the REST protocol of Upstash, in front; [`postgres`], a database of the server that all
//! share; and [`storage`], a bucket of a server of its own that speaks S3.

mod derived;
pub mod postgres;
pub mod redis;
pub mod redis_rest;
pub mod storage;

use std::sync::Arc;

use hostkit_core::traits::{Addon, Copies, Services};
use hostkit_host::command::Guard;

use postgres::copies::PostgresCopies;
use postgres::local::{LocalPostgres, Seats};
use redis::{RedisAddon, RedisCopies};
use storage::addon::{PublicAddresses, StorageAddon};

/// What environments can have, and how it gets into backups.
pub struct Catalogue {
    /// What provides each kind.
    pub addons: Vec<Arc<dyn Addon>>,
    /// What makes copies of what each kind keeps. Of storage there are none.
    pub copies: Vec<Arc<dyn Copies>>,
}

/// All of them, one of each kind, as local mode has them. Their programs are looked for in `system_path`, folders as in
/// PATH; those of PostgreSQL where Debian puts them. Those that serve all projects are found where `seats` says, what is
/// public where `public` does. What these run besides is run under `guard`.
pub fn catalogue(
    services: &Arc<dyn Services>,
    system_path: &str,
    seats: Seats,
    public: PublicAddresses,
    guard: Guard,
) -> Catalogue {
    let postgres = Arc::new(LocalPostgres::new(services.clone(), seats, guard));
    let redis = Arc::new(RedisAddon::new(services.clone(), system_path));
    let storage = Arc::new(StorageAddon::new(services.clone(), public));
    Catalogue {
        addons: vec![postgres.clone(), redis.clone(), storage],
        copies: vec![
            Arc::new(PostgresCopies::new(postgres)),
            Arc::new(RedisCopies::new(services.clone(), redis)),
        ],
    }
}
