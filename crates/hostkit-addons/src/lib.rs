//! Family of what an environment can have besides its programs. The catalogue: [`redis::RedisAddon`], a Redis server of
//! its own. [`storage`] is the lowest layer of the object storage, which nothing uses yet
//! (docs/decisions/007-object-storage.md).

pub mod redis;
pub mod redis_rest;
pub mod storage;
