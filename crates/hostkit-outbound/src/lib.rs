//! Family of what leaves the machine: what the file of a backup is ([`backup_file`], as streams [`cipher`]), and where such
//! files are kept ([`targets`]).

pub mod backup_file;
pub mod cipher;
pub mod targets;
