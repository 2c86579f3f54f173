//! Family of what an environment can have besides its programs. The catalogue: [`redis::RedisAddon`], a Redis server of
//! its own. Not in it yet: [`postgres`], databases with a pooler, [`redis_rest`], the REST protocol of Upstash in front of
//! Redis, and [`storage`], which speaks S3 (docs/decisions/007-object-storage.md).

pub mod postgres;
pub mod redis;
pub mod redis_rest;
pub mod storage;

use std::sync::Arc;

use hostkit_core::traits::{Addon, Services};

/// All of them, one of each kind. Their programs are looked for in `system_path`, folders as in PATH.
pub fn catalogue(services: &Arc<dyn Services>, system_path: &str) -> Vec<Arc<dyn Addon>> {
    vec![Arc::new(redis::RedisAddon::new(services.clone(), system_path))]
}
