//! Family of what leaves the machine. So far: what the file of a backup is, and where such files are kept, which nothing
//! uses yet.

pub mod backup_file;
pub mod targets;
