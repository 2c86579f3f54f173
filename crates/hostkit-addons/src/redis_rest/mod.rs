//! The REST protocol of Upstash in front of Redis servers, so that `@upstash/redis` and what is built on it work unchanged
//! (<https://upstash.com/docs/redis/features/restapi>). One gateway serves all projects: a token says which Redis is meant,
//! and as whom. What a token may do is decided by that Redis, by the rights of the user.
//!
//! What is not there: RediSearch and JSON commands (Redis itself has none), `ACL RESTTOKEN`, and commands that wait.

mod access;
mod commands;
mod process;
mod reply;
mod request;
mod scripts;
mod serve;
mod share;
mod stream;

pub use access::{Access, Settings, token_hash};
pub use process::run;
pub use serve::Gateway;
