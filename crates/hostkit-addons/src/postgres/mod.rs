//! PostgreSQL with PgBouncer: one server for all projects, a database for each environment.

pub mod addon;
pub mod address;
pub mod cluster;
pub mod copies;
pub mod databases;
pub mod extensions;
pub mod local;
pub mod names;
pub mod outside;
pub mod pooler;
pub mod programs;
pub mod quote;
mod requests;
pub mod session;
pub mod stats;
pub mod system;
pub mod tenants;
pub mod verifier;
