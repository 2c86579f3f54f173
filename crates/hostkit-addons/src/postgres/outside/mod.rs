//! Servers elsewhere, by their URL: Supabase, Neon, Amazon, another machine. HostKit makes no logins and no databases there.
//! What is told of databases works on them as far as the login there may look; dumps are made with the login's own rights,
//! and tried in a database beside those of HostKit's own server.

mod addon;
mod address;
mod given;
mod look;
mod requests;
mod restore;

pub use addon::OutsidePostgres;
pub use address::parse;
pub use given::Given;
pub(in crate::postgres) use look::connector;
pub use look::{Seen, look};
