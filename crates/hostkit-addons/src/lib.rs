//! Family of what a project can have besides its programs. So far: the lowest layer of the object storage, which nothing
//! uses yet (docs/decisions/007-object-storage.md).

pub mod redis_rest;
pub mod storage;
