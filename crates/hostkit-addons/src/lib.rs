//! Family of what an environment can have besides its programs. The catalogue: [`redis::RedisAddon`], a Redis server of
//! its own, with [`redis_rest`], the REST protocol of Upstash, in front; [`postgres`], a database of the server that all
//! share; and [`storage`], a bucket of a server of its own that speaks S3.

mod derived;
pub mod postgres;
pub mod redis;
pub mod redis_rest;
pub mod storage;

use std::sync::Arc;

use hostkit_core::traits::{Addon, Services};
use hostkit_host::command::Guard;

use postgres::local::Seats;
use storage::addon::PublicAddresses;

/// All of them, one of each kind, as local mode has them. Their programs are looked for in `system_path`, folders as in
/// PATH; those of PostgreSQL where Debian puts them. Those that serve all projects are found where `seats` says, what is
/// public where `public` does. What these run besides is run under `guard`.
pub fn catalogue(
    services: &Arc<dyn Services>,
    system_path: &str,
    seats: Seats,
    public: PublicAddresses,
    guard: Guard,
) -> Vec<Arc<dyn Addon>> {
    vec![
        Arc::new(postgres::local::LocalPostgres::new(
            services.clone(),
            seats,
            guard,
        )),
        Arc::new(redis::RedisAddon::new(services.clone(), system_path)),
        Arc::new(storage::addon::StorageAddon::new(services.clone(), public)),
    ]
}
