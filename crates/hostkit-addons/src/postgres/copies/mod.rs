//! Copies of databases: dumps, and restores into a new database that then takes the old one's place.

mod backup;
mod coming;
mod dump;
mod fill;
mod head;
mod moment;
mod pieces;
mod restore;
mod shares;
mod tools;
mod weave;

pub use backup::PostgresCopies;
pub use backup::export_part;
pub(crate) use backup::parts_of;
pub(crate) use dump::OF_DUMPS;
pub use dump::dump;
pub(crate) use moment::Moment;
pub use moment::contents;
pub(crate) use pieces::{fed, last_lines, sent};
pub use restore::{Waiting, discard, restore_beside, take_place};
pub use shares::Sharing;
pub use tools::Tools;
pub(crate) use tools::acting_as;
