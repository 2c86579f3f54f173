//! The API on real sockets, with a real store and engine; only the machine behind them is fake.

#![allow(clippy::unwrap_used)] // Only inside `#[test]` functions does clippy know that this is a test.

mod access;
mod addons;
mod cancelling;
mod certificates;
mod command;
mod contents;
mod databases;
mod domains;
mod exec;
mod hostile;
mod house;
mod metrics;
mod operator_keys;
mod page;
mod peers;
mod secrets;
mod streams;
mod uploads;
