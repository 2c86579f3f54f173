//! The spool: a folder below the data of the service, in which the server puts full pieces of its log under their own names,
//! each as a whole or not at all. Whoever keeps them elsewhere removes them here.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hostkit_core::kind::{Failure, Kind};

use crate::postgres::session::Access;

/// Its name.
const FOLDER: &str = "spool";
/// How long a piece may take from being full to lying in the spool.
const LONGEST_FILING: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(50);

/// Where it is, by the folder of the service's data.
pub(crate) fn folder(data: &Path) -> PathBuf {
    data.join(FOLDER)
}

/// Whether a file of the spool is a piece of the log, or a history of time lines: 24 or 8 hexadecimal digits.
pub(super) fn is_piece(name: &str) -> bool {
    let (number, length) = match name.strip_suffix(".history") {
        Some(number) => (number, 8),
        None => (name, 24),
    };
    number.len() == length
        && number
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b))
}

/// How filing away goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpoolState {
    /// The piece that was filed away last.
    pub last: Option<String>,
    /// Pieces that could not be filed away at the first try, since the statistics began.
    pub failures: i64,
}

impl SpoolState {
    /// Asks the server.
    pub async fn of(access: &Access) -> Result<Self, Failure> {
        let session = access.connect(&access.home).await?;
        let question = "SELECT last_archived_wal, failed_count FROM pg_stat_archiver";
        let row = session.row("look at the spool", question, &[]).await?;
        Ok(row.map_or(
            SpoolState {
                last: None,
                failures: 0,
            },
            |row| SpoolState {
                last: row.get(0),
                failures: row.get(1),
            },
        ))
    }
}

/// Ends the piece that is being written, after one transaction more, and returns when it lies in the spool: from then on
/// every moment before this call can be recovered.
pub async fn switch_piece(access: &Access) -> Result<String, Failure> {
    let act = "file the log away";
    let session = access.connect(&access.home).await?;
    // A moment is reached where a later transaction is found; this is that one.
    session.run(act, "SELECT pg_current_xact_id()").await?;
    let row = session
        .row(act, "SELECT pg_walfile_name(pg_switch_wal())", &[])
        .await?;
    let piece: String = row
        .map(|row| row.get(0))
        .ok_or_else(|| Failure::new(Kind::Internal, format!("cannot {act}: the server names no piece")))?;
    let filed = async {
        loop {
            // Names of one time line are in their order; those of a later one come after them.
            if SpoolState::of(access)
                .await?
                .last
                .is_some_and(|last| last >= piece)
            {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    match tokio::time::timeout(LONGEST_FILING, filed).await {
        Ok(filed) => filed.map(|()| piece),
        Err(_) => Err(Failure::new(
            Kind::Unavailable,
            format!(
                "cannot {act}: `{piece}` is not in the spool after {} s",
                LONGEST_FILING.as_secs()
            ),
        )
        .hint("is the disk full? the server keeps the piece and tries again")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pieces_and_histories_are_taken_from_a_spool() {
        for good in [
            "000000010000000000000003",
            "0000000A0000000B000000FF",
            "00000002.history",
        ] {
            assert!(is_piece(good), "{good}");
        }
        for bad in [
            "",
            "archtemp.000000010000000000000003.123.456",
            "00000001000000000000000g",
            "../00000001000000000000",
            "000000010000000000000003.partial",
            "2.history",
            "00000001000000000000000a",
        ] {
            assert!(!is_piece(bad), "{bad}");
        }
    }
}
