//! Object storage: the names that clients choose, the files that objects consist of, and the index that says which.

pub mod contents;
pub mod error;
pub mod index;
pub mod names;
