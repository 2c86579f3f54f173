//! Object storage: the names that clients choose, and the files that objects consist of.

pub mod contents;
pub mod error;
pub mod names;
