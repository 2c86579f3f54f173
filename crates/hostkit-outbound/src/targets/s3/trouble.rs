//! What goes wrong with a storage, in words.

use std::error::Error;
use std::io;
use std::time::Duration;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::BackupPath;
use http::StatusCode;

/// As much as is read of the reason that a storage gives.
pub(super) const LONGEST_REASON: usize = 64 * 1024;
/// As much of it as is shown.
const SHOWN: usize = 200;

/// What went wrong. Nothing of a request is in it, and so no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Trouble {
    /// No connection.
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    /// A connection that ended too early.
    #[error("the connection broke off: {0}")]
    BrokenOff(String),
    /// Nothing moved for so long.
    #[error("nothing came from it for {0:?}")]
    Silent(Duration),
    /// It said no.
    #[error("{}", said(*status, code, message))]
    Refused {
        status: StatusCode,
        /// `NoSuchBucket`; empty where it gave none.
        code: String,
        message: String,
    },
    /// Its answer is none.
    #[error("its answer cannot be understood: {0}")]
    Unclear(String),
}

fn said(status: StatusCode, code: &str, message: &str) -> String {
    match (code, message) {
        ("", "") => format!("it answers {status}"),
        (code, "") => format!("it answers {status} ({code})"),
        (code, message) => format!("it answers {status} ({code}: {message})"),
    }
}

impl Trouble {
    /// What is behind an error of the library.
    pub(super) fn of(why: &object_store::Error) -> Self {
        let mut last: &(dyn Error + 'static) = why;
        loop {
            if let Some(trouble) = last.downcast_ref::<Trouble>() {
                return trouble.clone();
            }
            match last.source() {
                Some(next) => last = next,
                None => return Trouble::Unclear(shown(&last.to_string())),
            }
        }
    }

    /// A refusal, by its body. Only two elements of it are looked for: others repeat what was asked, signature included.
    pub(super) fn refused(status: StatusCode, body: &[u8]) -> Self {
        let body = String::from_utf8_lossy(body);
        let element = |open: &str, close: &str| {
            let (_, rest) = body.split_once(open)?;
            rest.split_once(close).map(|(text, _)| shown(text))
        };
        Trouble::Refused {
            status,
            code: element("<Code>", "</Code>").unwrap_or_default(),
            message: element("<Message>", "</Message>").unwrap_or_default(),
        }
    }

    /// Whether the same request may succeed a moment later.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Trouble::Refused { status, .. } => {
                status.is_server_error()
                    || matches!(
                        *status,
                        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT
                    )
            }
            Trouble::Unclear(_) => false,
            _ => true,
        }
    }

    /// Whether the object is not there, while the bucket is.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Trouble::Refused { status, code, .. }
            if *status == StatusCode::NOT_FOUND && code != "NoSuchBucket")
    }

    /// The trouble as the end of a stream.
    pub(super) fn into_io(self, place: &str) -> io::Error {
        let kind = match self {
            Trouble::Silent(_) => io::ErrorKind::TimedOut,
            _ => io::ErrorKind::ConnectionReset,
        };
        io::Error::new(kind, format!("cannot read {place} to its end: {self}"))
    }

    /// The trouble as the failure of an act.
    pub(super) fn failure(&self, act: &str, path: Option<&BackupPath>, place: &str) -> Failure {
        let what = path.map(|path| format!(" `{path}`")).unwrap_or_default();
        let begin = format!("cannot {act}{what} at `{place}`");
        if self.is_missing() {
            return Failure::new(Kind::NotFound, format!("{begin}: it is not there"));
        }
        let (kind, hint) = self.advice();
        let failure = Failure::new(kind, format!("{begin}: {self}"));
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }

    fn advice(&self) -> (Kind, Option<&'static str>) {
        let Trouble::Refused { status, code, .. } = self else {
            return match self {
                Trouble::Unreachable(_) => (
                    Kind::Unavailable,
                    Some("see that its endpoint is right and that this machine may connect to it"),
                ),
                _ => (Kind::Unavailable, None),
            };
        };
        match (code.as_str(), *status) {
            ("NoSuchBucket", _) => (
                Kind::Invalid,
                Some("make the bucket at the storage, or name another"),
            ),
            ("RequestTimeTooSkewed", _) => (
                Kind::Invalid,
                Some("set the clock of this machine: `timedatectl set-ntp true`"),
            ),
            ("SignatureDoesNotMatch" | "InvalidAccessKeyId", _) => (
                Kind::Invalid,
                Some("see that access key id, secret access key and region are those of the storage"),
            ),
            (_, StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED) => (
                Kind::Invalid,
                Some("give the key the rights to read, write, list and remove objects of the bucket"),
            ),
            (_, status) if status.is_redirection() => (
                Kind::Invalid,
                Some("see that the endpoint is the one of the region that the bucket is in"),
            ),
            (_, StatusCode::INSUFFICIENT_STORAGE) | ("QuotaExceeded" | "XMinioStorageFull", _) => (
                Kind::Unavailable,
                Some("there is no room left: free some there, or keep fewer backups"),
            ),
            _ => (Kind::Unavailable, None),
        }
    }
}

/// A text of somebody else, fit to be shown: one short line.
fn shown(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let short: String = plain.take(SHOWN).collect();
    short.trim().to_owned()
}
