//! Suites, one per trait of `hostkit_core::traits` and of `hostkit_host`: what its documentation promises, as tests that
//! any implementation can be put through.

pub mod accounts;
pub mod addon;
pub mod archives;
pub mod backup_target;
pub mod copies;
pub mod firewall;
pub mod history;
pub mod homes;
pub mod operator_keys;
pub mod outside;
pub mod port_owners;
pub mod premises;
pub mod runtime;
pub mod services;
pub mod ssh_keys;
pub mod sudoers;
pub mod suite;
pub mod systemd;
