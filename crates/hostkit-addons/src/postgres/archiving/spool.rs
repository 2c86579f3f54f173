//! The spool: a folder below the data of the service, in which the server puts full pieces of its log under their own names,
//! each as a whole or not at all. Whoever keeps them elsewhere removes them here.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hostkit_core::backup::history::LogPiece;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::traits::FiledPiece;
use hostkit_host::beneath::Folder;
use jiff::{SignedDuration, Timestamp};

use crate::postgres::session::Access;

/// Its name.
const FOLDER: &str = "spool";
/// How long a piece may take from being full to lying in the spool.
const LONGEST_FILING: Duration = Duration::from_secs(60);
/// A file that was being written so long ago is not any more.
const LONGEST_WRITING: SignedDuration = SignedDuration::from_mins(10);
const PAUSE: Duration = Duration::from_millis(50);

/// Where it is, by the folder of the service's data.
pub(crate) fn folder(data: &Path) -> PathBuf {
    data.join(FOLDER)
}

/// The spool of a service, open. None where there is none yet.
fn open(data: &Path) -> Result<Option<Folder>, Failure> {
    match data.is_dir() {
        // The server could have put a link there.
        true => Folder::open(data)?.folder(FOLDER),
        false => Ok(None),
    }
}

/// What lies filed in the spool of a service, in its order, also what has the name of a piece and cannot be read. Files
/// that nobody needs are removed: what was cut off, and the notes that a server leaves of base backups.
pub(super) fn filed(data: &Path) -> Result<Vec<FiledPiece>, Failure> {
    let Some(spool) = open(data)? else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for name in spool.names()? {
        let Some(name) = name.to_str() else { continue };
        let written = written_at(&spool, name);
        match (LogPiece::parse(name), written) {
            (Ok(piece), Ok(Some(filed_at))) => found.push(FiledPiece { piece, filed_at }),
            // No file of the server's: whoever reads it is told why, and the others go on.
            (Ok(piece), Err(_)) => found.push(FiledPiece {
                piece,
                filed_at: Timestamp::now(),
            }),
            (Err(_), Ok(Some(at))) if is_waste(name, at) => drop(spool.remove_file(name)?),
            (_, Ok(_)) | (Err(_), Err(_)) => {}
        }
    }
    Ok(found)
}

fn written_at(spool: &Folder, name: &str) -> Result<Option<Timestamp>, Failure> {
    let Some(file) = spool.open_file(name)? else {
        return Ok(None);
    };
    let written = file.metadata().and_then(|about| about.modified());
    let written = written.map_err(|why| cannot_read(name, &why))?;
    Timestamp::try_from(written)
        .map(Some)
        .map_err(|why| cannot_read(name, &why))
}

/// Files that are not being written by now.
fn is_waste(name: &str, at: Timestamp) -> bool {
    let is_note = name.ends_with(".backup") || name.ends_with(".history");
    let is_cut_off = name.starts_with("archtemp.");
    is_note || (is_cut_off && Timestamp::now().duration_since(at) > LONGEST_WRITING)
}

/// What is in a piece.
pub(super) fn read(data: &Path, piece: &LogPiece) -> Result<Vec<u8>, Failure> {
    let content = match open(data)? {
        Some(spool) => spool.read_file(piece.as_str(), LogPiece::BYTES)?,
        None => None,
    };
    content.ok_or_else(|| {
        Failure::new(
            Kind::NotFound,
            format!("cannot read `{piece}` of the log: it does not lie in the spool"),
        )
    })
}

/// Takes a piece away.
pub(super) fn forget(data: &Path, piece: &LogPiece) -> Result<(), Failure> {
    match open(data)? {
        Some(spool) => spool.remove_file(piece.as_str()).map(drop),
        None => Ok(()),
    }
}

fn cannot_read(name: &str, why: &dyn std::fmt::Display) -> Failure {
    Failure::new(
        Kind::Internal,
        format!("cannot read `{name}` of the log in the spool: {why}"),
    )
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
    use std::fs;

    use super::*;

    #[test]
    fn only_pieces_are_taken_from_a_spool_and_waste_goes() {
        let data = tempfile::tempdir().unwrap();
        assert_eq!(filed(data.path()).unwrap(), []);
        let spool = folder(data.path());
        fs::create_dir(&spool).unwrap();
        let piece = |name: &str| LogPiece::parse(name).unwrap();
        let (second, first) = (
            piece("000000010000000000000004"),
            piece("000000010000000000000003"),
        );
        let half = "archtemp.000000010000000000000003.123.456";
        for name in [
            second.as_str(),
            first.as_str(),
            half,
            "000000010000000000000003.00000028.backup",
            "00000002.history",
            "somebody's",
        ] {
            fs::write(spool.join(name), name).unwrap();
        }
        let found = filed(data.path()).unwrap();
        let names: Vec<&LogPiece> = found.iter().map(|found| &found.piece).collect();
        assert_eq!(names, [&first, &second]);
        assert!(Timestamp::now().duration_since(found[0].filed_at) < SignedDuration::from_mins(5));
        let mut left: Vec<_> = fs::read_dir(&spool)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, [first.as_str(), second.as_str(), half, "somebody's"]);
        assert_eq!(read(data.path(), &first).unwrap(), first.as_str().as_bytes());
        forget(data.path(), &first).unwrap();
        forget(data.path(), &first).unwrap();
        assert_eq!(read(data.path(), &first).unwrap_err().kind, Kind::NotFound);
        // A link is nobody's piece, whatever its name, and holds up none.
        for name in [first.as_str(), "00000003.history", "archtemp.1", "another"] {
            std::os::unix::fs::symlink("/etc/passwd", spool.join(name)).unwrap();
        }
        let found = filed(data.path()).unwrap();
        let names: Vec<&LogPiece> = found.iter().map(|found| &found.piece).collect();
        assert_eq!(names, [&first, &second]);
        let refused = read(data.path(), &first).unwrap_err();
        assert!(refused.message.contains("it is a symbolic link"), "{refused}");
        assert_eq!(read(data.path(), &second).unwrap(), second.as_str().as_bytes());
        assert!(spool.join("another").is_symlink(), "it is somebody's");
        // Where all of it is taken away the link goes, and not what it leads to.
        forget(data.path(), &first).unwrap();
        assert!(!spool.join(first.as_str()).is_symlink() && Path::new("/etc/passwd").exists());
    }
}
