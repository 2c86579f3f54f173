//! The front door: listeners, the route table, forwarding, files, the request log. A process of its own that knows a
//! table and nothing of projects or SQL. [`run`] is the process; [`ProxyClient`] is how the engine speaks to it.
//!
//! A request goes: `worker` (thread, connection; `worker::plain` for what is short and simple) > `forward` (check, edit,
//! pick, send; `plain` for what is short and simple) > `table` (where to). Answers go through `cache` and `compress`;
//! `images` makes some of them smaller. Tables come in through `control`.

mod body;
mod cache;
mod client;
mod compress;
mod config;
mod control;
mod exchange;
mod files;
mod forward;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod images;
mod listen;
mod metrics;
mod page;
mod plain;
mod request_log;
mod rules;
mod shared;
mod start;
mod table;
mod tls;
mod worker;

pub use client::ProxyClient;
pub use config::{
    ImageProcess, ImageProgram, KeptPorts, Limits, LogLimits, PortKeeper, ProxyConfig, default_threads,
};
pub use listen::{bind_public, inherited_listeners};
pub use start::{Moment, Proxy, ProxyHandle, run};
