//! The front door as its users meet it: real sockets, raw bytes, real tables over the admin socket.

#![allow(clippy::unwrap_used, reason = "all of this is tests")]

mod answers;
mod caching;
mod caching_cases;
mod caching_hostile;
mod compression;
mod files;
mod forwarding;
mod holding;
mod hostile;
mod lifecycle;
mod limits;
mod plain;
mod ports;
mod support;
mod tables;
mod tunnels;
