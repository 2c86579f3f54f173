//! The nouns and rules of HostKit, in reading order. No I/O, no clock, no SQL, no async runtime:
//! everything here can be tested with plain values.

pub mod access;
pub mod addon;
pub mod backup;
pub mod canary;
pub mod certificate;
pub mod database;
pub mod deployment;
pub mod doctor;
pub mod domain;
pub mod event;
pub mod image;
pub mod isolation;
pub mod kind;
pub mod layout;
pub mod log;
pub mod manifest;
pub mod names;
pub mod plan;
pub mod port_use;
pub mod project;
pub mod release;
pub mod route;
pub mod scan;
pub mod secret;
pub mod server;
pub mod server_settings;
pub mod services;
pub mod size;
pub mod source;
pub mod storage;
pub mod traits;
pub mod trust;
pub mod variables;
pub mod vercel;
pub mod workload;
