//! The HTTP API as data: one table of endpoints ([`endpoints`]) that the server's router, the typed [`client`], the
//! OpenAPI document and the reference page are made from, and the types that travel. Nothing else of HostKit is
//! ever serialised to a client; secrets have a place only where a value is asked for by name, in an export and in
//! the answer that makes a token.

pub mod endpoint;
pub mod endpoints;
pub mod error;
pub mod target;

pub mod client;
pub mod openapi;
pub mod reference;

pub mod addon;
pub mod backup;
pub mod cache;
pub mod caller;
pub mod certificate;
pub mod database;
pub mod deployment;
pub mod domain;
pub mod event;
pub mod installation;
pub mod log;
pub mod operator_key;
pub mod project;
pub mod release;
pub mod run;
pub mod source;
pub mod token;
pub mod variable;
pub mod vault;
