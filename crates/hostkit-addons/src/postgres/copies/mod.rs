//! Copies of databases: dumps, restores into a new database that then takes the old one's place, clones.

mod clone;
mod dump;
mod restore;
mod tools;

pub use clone::clone_database;
pub use dump::{Contents, Dump, contents};
pub use restore::{Restored, discard, restore_beside, take_place};
pub use tools::Tools;
