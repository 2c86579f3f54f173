//! What a database server files of every change, so that any moment can be brought back.

use std::pin::Pin;

use futures_core::Stream;
use jiff::Timestamp;

use super::{CopyOf, Export, Pieces};
use crate::addon::AddonKind;
use crate::backup::history::LogPiece;
use crate::backup::part::PartName;
use crate::kind::Failure;
use crate::project::EnvironmentId;

/// A piece of the log that the server has filed, and that nobody has taken away yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FiledPiece {
    /// Which.
    pub piece: LogPiece,
    /// When it was filed.
    pub filed_at: Timestamp,
}

/// A copy of all files of a server, as it is made.
pub struct BaseCopy {
    /// The piece of the log from which on it is to be read.
    pub first: LogPiece,
    /// The copy. It is whole where it ends without an error.
    pub pieces: Pieces,
}

/// Pieces of a log, each opened when it is its turn.
pub type Log = Pin<Box<dyn Stream<Item = Result<(LogPiece, Pieces), Failure>> + Send>>;

/// Files every change of the server that has the databases of all projects. Calls may overlap, but for those of
/// [`Recovery`] for one environment.
#[async_trait::async_trait]
pub trait History: Recovery {
    /// Whose databases.
    fn kind(&self) -> AddonKind;

    /// Makes it so that changes are filed, or are not, also by a server that is started later; and answers the number that
    /// tells this server from all others. None where there is no server yet: none is made. Where nothing is filed any
    /// more, nothing lies filed. Idempotent; who is connected notices nothing.
    async fn settle(&self, on: bool) -> Result<Option<String>, Failure>;

    /// Whether the server has to be started anew before it files changes. Until then [`History::settle`] is a Conflict.
    async fn needs_start(&self) -> Result<bool, Failure> {
        Ok(false)
    }

    /// Starts it anew for that: who is connected is cut off or waits, and is let in again when this returns. Nothing where
    /// it need not be.
    async fn start_anew(&self) -> Result<(), Failure> {
        Ok(())
    }

    /// What lies filed, in the order in which it was written.
    async fn filed(&self) -> Result<Vec<FiledPiece>, Failure>;

    /// What is in a piece that lies filed.
    async fn read(&self, piece: &LogPiece) -> Result<Pieces, Failure>;

    /// Takes a piece away that was filed. Idempotent.
    async fn forget(&self, piece: &LogPiece) -> Result<(), Failure>;

    /// Ends the piece that is being written, and returns when it lies filed: what was written before this call is in what
    /// was filed until then, and something that was written after it, too.
    async fn file_now(&self) -> Result<(), Failure>;

    /// Begins a copy of all files of the server, while everything goes on. Dropped, it is cut off and nothing of it is left.
    async fn base(&self) -> Result<BaseCopy, Failure>;
}

/// Brings a server back as it was at a moment, beside the one that is in use.
#[async_trait::async_trait]
pub trait Recovery: Send + Sync {
    /// Brings a base to a moment, for one environment: what was committed until then is there, what was later is not.
    /// One that was made for it before is removed first. A moment that the log does not reach is NotFound. After a failure
    /// nothing is left.
    async fn recover(
        &self,
        environment: &EnvironmentId,
        to: Timestamp,
        base: Pieces,
        log: Log,
    ) -> Result<Box<dyn Past>, Failure>;

    /// Takes away what [`Recovery::recover`] made for an environment and nobody ended. Idempotent.
    async fn sweep(&self, environment: &EnvironmentId) -> Result<(), Failure>;
}

/// A server as it was.
#[async_trait::async_trait]
pub trait Past: Send + Sync {
    /// What there was of an environment; nothing where it had none.
    async fn parts(&self, of: &CopyOf) -> Result<Vec<PartName>, Failure>;

    /// A copy of a part, as it was.
    async fn export(&self, of: &CopyOf, part: &PartName) -> Result<Export, Failure>;

    /// Takes it away.
    async fn end(self: Box<Self>) -> Result<(), Failure>;
}
