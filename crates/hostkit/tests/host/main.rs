//! The product on machines of its own: real systemd, real packages, power cuts. As root, and on a host that can boot
//! them: `script/test host` sees to both.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod access;
mod acme;
mod addons;
mod apps;
mod deploy;
mod documents;
mod endings;
mod fixture;
mod images;
mod installed;
mod moment;
mod package;
mod setup;
mod survive;
mod tenants;
mod vm;
