//! Real servers of PostgreSQL, and real PgBouncers in front of them. One of each serves all tests that do not kill it.
#![allow(clippy::unwrap_used)] // Only inside `#[test]` functions does clippy know that this is a test.

mod archiving;
mod changes;
mod conformance;
mod copies;
mod databases;
mod elsewhere;
mod history;
mod house;
mod isolation;
mod large;
mod outside;
mod pooler;
mod sdk;
mod stats;
mod survive;
mod woven;
