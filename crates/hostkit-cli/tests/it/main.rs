//! The command line as a process against an API that answers as told.
#![allow(clippy::unwrap_used)]

mod access;
mod api;
mod cache;
mod cancel;
mod certificate;
mod completion;
mod deploy;
mod domain;
mod help;
mod look;
mod output;
mod provision;
mod run;
mod scan;
mod server;
mod speed;
mod trust;
mod variables;
