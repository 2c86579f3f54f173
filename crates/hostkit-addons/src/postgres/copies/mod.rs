//! Copies of databases: dumps, and restores into a new database that then takes the old one's place.

mod backup;
mod dump;
mod fill;
mod head;
mod moment;
mod pieces;
mod restore;
mod tools;

pub use backup::PostgresCopies;
pub(crate) use backup::{export_part, parts_of};
pub use dump::dump;
pub(crate) use moment::Moment;
pub use moment::contents;
pub(crate) use pieces::{fed, last_lines, sent};
pub use restore::{Waiting, discard, restore_beside, take_place};
pub use tools::Tools;
pub(crate) use tools::acting_as;
