//! The product as its users meet it: the real binary, real programs, real sockets. One test binary; every test has
//! an installation of its own in a temporary folder and stops it at its end.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod apps;
mod backups;
mod balancing;
mod bucket;
mod cache_on_disk;
mod canary;
mod canary_kills;
mod cancelling;
mod databases;
mod documents;
mod domains;
mod faults;
mod grpc;
mod harness;
mod hostile;
mod lifecycle;
mod many_sockets;
mod neighbours;
mod no_downtime;
mod no_downtime_tls;
mod outside;
mod outside_redis;
mod outside_storage;
mod point_in_time;
mod postgres;
mod production;
mod redis;
mod redis_rest;
mod requests;
mod secrets;
mod storage;
mod tls;
mod tools;
mod variables;
mod vault;
