//! The engine on fakes of everything outside, and on a real state database and disk.

// The lint's exception for tests does not see what stands outside of a `#[test]` function.
#![allow(clippy::unwrap_used)]

mod acts;
mod addons;
mod aging;
mod backups;
mod bench;
mod caches;
mod canary;
mod cancelling;
mod databases;
mod doctor;
mod domains;
mod exposure;
mod failures;
mod history;
mod hosts;
mod interruptions;
mod lanes;
mod outside;
mod ports;
mod provisioning;
mod readiness;
mod reconcile;
mod routing;
mod scan;
mod telling;
