//! Why a command ends before its time, and the exit code that says so: 0 fine, 1 the user's side, 2 ours, 64 usage.

use hostkit_core::kind::{Failure, Kind};

/// Exit code of wrong usage.
pub(crate) const USAGE: u8 = 64;
/// Exit code after Ctrl-C.
pub(crate) const INTERRUPTED: u8 = 130;

/// The end of a command that is not its last line.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Something failed and is still to be told.
    Failed(Failure),
    /// The command line makes no sense; still to be told.
    Usage(Failure),
    /// Whoever read our output has had enough (`| head`). Quiet, and fine.
    ClosedPipe,
    /// All is said; only the exit code is left.
    Code(u8),
}

impl Stop {
    /// A bug of ours, or a machine that does not work.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Stop::Failed(Failure::new(Kind::Internal, message))
    }

    /// Wrong usage that the parser cannot see.
    pub(crate) fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Stop::Usage(Failure::new(Kind::Invalid, message).hint(hint))
    }

    /// The same end, with its failure told otherwise.
    pub(crate) fn map(self, tell: impl FnOnce(Failure) -> Failure) -> Self {
        match self {
            Stop::Failed(failure) => Stop::Failed(tell(failure)),
            other => other,
        }
    }

    /// What a failed write to stdout means.
    pub(crate) fn from_output(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Stop::ClosedPipe,
            _ => Stop::Failed(Failure::new(
                Kind::Failed,
                format!("cannot write to stdout: {error}"),
            )),
        }
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Stop::Failed(failure)
    }
}
