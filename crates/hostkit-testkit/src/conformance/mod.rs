//! Suites, one per trait of `hostkit_core::traits`: what its documentation promises, as tests that any implementation
//! can be put through.

pub mod accounts;
pub mod firewall;
pub mod homes;
pub mod premises;
pub mod runtime;
pub mod suite;
