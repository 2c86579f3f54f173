//! Where backups are kept, one folder each.

pub mod folder;
