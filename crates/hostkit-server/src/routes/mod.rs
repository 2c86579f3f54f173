//! Handlers, one file per noun: read from the store, write through the engine, show through `view`.

pub(crate) mod addon;
pub(crate) mod backup;
pub(crate) mod bucket;
pub(crate) mod cache;
pub(crate) mod caller;
pub(crate) mod certificate;
pub(crate) mod database;
pub(crate) mod deployment;
pub(crate) mod domain;
pub(crate) mod environment;
pub(crate) mod event;
pub(crate) mod installation;
pub(crate) mod log;
pub(crate) mod operator_key;
pub(crate) mod project;
pub(crate) mod release;
pub(crate) mod run;
pub(crate) mod source;
pub(crate) mod token;
pub(crate) mod variable;
pub(crate) mod vault;
