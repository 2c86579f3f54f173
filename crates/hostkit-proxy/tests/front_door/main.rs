//! The front door as its users meet it: real sockets, raw bytes, real tables over the admin socket.

#![allow(clippy::unwrap_used, reason = "all of this is tests")]

mod acme;
mod answers;
mod caching;
mod caching_cases;
mod caching_hostile;
mod caching_on_disk;
mod canary;
mod certificates;
mod compression;
mod ejection;
mod files;
mod floods;
mod forwarding;
mod frames;
mod h2c;
mod holding;
mod hostile;
mod http2;
mod images;
mod lifecycle;
mod limits;
mod metrics;
mod plain;
mod ports;
mod redirects;
mod request_log;
mod resting;
mod rules;
mod secure;
mod shares;
mod smuggling;
mod sticky;
mod support;
mod tables;
mod tls;
mod tunnels;
mod two_ways;
