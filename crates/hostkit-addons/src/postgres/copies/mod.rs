//! Copies of databases: dumps, and restores into a new database that then takes the old one's place.

mod dump;
mod restore;
mod tools;

pub use dump::{contents, dump};
pub use restore::{Waiting, discard, restore_beside, take_place};
pub use tools::Tools;
