//! Which certificate a front door shows for which host name: brought by somebody, ordered by ACME, from an authority of
//! our own, or self-signed where there is no other. Knows names, keys and certificates; nothing of routes or SQL.

mod acme;
mod authority_file;
mod book;
mod certificates;
mod chain;
mod challenges;
mod disk;
mod entry;
mod files;
mod import;
mod look;
mod own_authority;
mod pair;
mod record;
mod schedule;
mod self_signed;
mod settings;
mod table;
mod tend;
#[cfg(test)]
mod tests;

pub use authority_file::{authority_file, read_authority};
pub use certificates::Certificates;
pub use challenges::ACME_TLS_ALPN;
pub use settings::{Pace, Settings};
