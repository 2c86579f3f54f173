//! What can go wrong with objects, their files and the index.

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
    /// The index could not be read or written.
    #[error("cannot use the index of the storage")]
    Index(#[source] rusqlite::Error),
    /// The index has something that no version of HostKit wrote.
    #[error("the index of the storage is damaged: {0}")]
    Damaged(&'static str),
    /// The transaction that an act was part of came to nothing, or it is unknown whether it did.
    #[error("cannot record in the index of the storage: {0}")]
    NotRecorded(String),
    /// There is no such bucket.
    #[error("there is no such bucket")]
    NoSuchBucket,
    /// There is no such object.
    #[error("there is no such object")]
    NoSuchKey,
    /// There is no such upload in parts: never begun, or completed or aborted.
    #[error("there is no such upload")]
    NoSuchUpload,
    /// A condition of a request (`If-Match`, `If-None-Match`) does not hold.
    #[error("the condition does not hold")]
    Precondition,
    /// Files that a copy should have did not come with it.
    #[error("{0} files of objects are missing")]
    Incomplete(u64),
    /// The bytes of an object are not those that were put.
    #[error("the object {0:?} has other bytes than were put")]
    OtherBytes(String),
    /// A copy of a storage has something in it that no copy has.
    #[error("it is no copy of a storage: {0}")]
    NoCopy(&'static str),
    /// The bucket would have more bytes than it may.
    #[error("the bucket may have {quota} bytes and would have {needed}")]
    Quota {
        /// Bytes it may have.
        quota: u64,
        /// Bytes it would have.
        needed: u64,
    },
    /// A checksum that the client said is not that of the bytes.
    #[error("a checksum does not fit: {0}")]
    BadDigest(&'static str),
    /// Parts that are to be completed are not there, or others.
    #[error("part {0} was not uploaded, or is another one")]
    InvalidPart(u32),
    /// Parts that are to be completed are not in ascending order.
    #[error("the parts are not in ascending order")]
    PartOrder,
    /// A part that is not the last one is too small.
    #[error("part {0} is smaller than 5 MiB and not the last one")]
    PartTooSmall(u32),
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

impl StorageError {
    /// A copy whose bytes could not be read: where the connection broke nothing is known of it, else it is broken itself.
    pub(crate) fn unread(source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::ConnectionAborted => StorageError::file("read a copy of the storage", source),
            io::ErrorKind::UnexpectedEof => StorageError::NoCopy("it ends too early"),
            _ => StorageError::NoCopy("it is no archive, or a broken one"),
        }
    }

    /// What an index that came with a copy says of itself.
    pub(crate) fn of_copy(self) -> Self {
        match self {
            StorageError::Index(_) => StorageError::NoCopy("its index is no database, or a broken one"),
            other => other,
        }
    }
}

impl From<rusqlite::Error> for StorageError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => StorageError::DiskFull,
            _ => StorageError::Index(error),
        }
    }
}
