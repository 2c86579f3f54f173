//! What can go wrong inside a transaction, and the failure a caller is told.

use hostkit_core::kind::{Failure, Kind};

/// An error inside a read or a write.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// SQLite's own.
    #[error("the state database answered: {0}")]
    Sql(#[from] rusqlite::Error),
    /// A body that cannot be written or read.
    #[error("a stored value has another form: {0}")]
    Body(#[from] serde_json::Error),
    /// Meant for the caller as it is.
    #[error("{0}")]
    Refused(#[from] Failure),
}

/// The result inside a read or a write.
pub(crate) type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The failure told to the caller of an act: `cannot <act>: <why>`.
    pub(crate) fn told(self, act: &str) -> Failure {
        match self {
            Error::Refused(failure) => failure,
            Error::Sql(rusqlite::Error::SqliteFailure(code, _))
                if code.code == rusqlite::ErrorCode::DiskFull =>
            {
                Failure::new(Kind::Unavailable, format!("cannot {act}: the disk is full"))
                    .hint("free some space, then try again")
            }
            other => Failure::new(Kind::Internal, format!("cannot {act}: {other}")),
        }
    }
}

/// A NotFound failure.
pub(crate) fn not_found(message: String, hint: &str) -> Error {
    Error::Refused(Failure::new(Kind::NotFound, message).hint(hint))
}

/// A Conflict failure.
pub(crate) fn conflict(message: String, hint: &str) -> Error {
    Error::Refused(Failure::new(Kind::Conflict, message).hint(hint))
}
