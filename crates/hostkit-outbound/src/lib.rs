//! Family of what leaves the machine. So far: what the file of a backup is (`backup_file`), which nothing uses yet.

pub mod backup_file;
