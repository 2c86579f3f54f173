//! What can go wrong with the files of objects.

use std::io;

/// Why an act was not done. What was stored before is as it was.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The disk is full, or would have less room than is kept free.
    #[error("the disk is full")]
    DiskFull,
    /// A file could not be read or written.
    #[error("cannot {act}")]
    File {
        /// What was tried.
        act: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// What an act on the storage gives.
pub type Result<T> = std::result::Result<T, StorageError>;

impl StorageError {
    /// A file that could not be used; a disk without room is told apart.
    pub(crate) fn file(act: &'static str, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                StorageError::DiskFull
            }
            _ => StorageError::File { act, source },
        }
    }
}
