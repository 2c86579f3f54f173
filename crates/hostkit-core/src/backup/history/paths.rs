//! Where a history lies at a target: beside the backups of projects, in a folder whose name no project can have, and below
//! it in one for each server.
//!
//! ```text
//! cluster.postgres/7312345678901234567/base/3/files      all files of the server
//! cluster.postgres/7312345678901234567/base/3/manifest   what is needed to use them; put last
//! cluster.postgres/7312345678901234567/log/000000010000000000000007.1764417600123   a piece, and when it was filed
//! ```

use jiff::Timestamp;

use super::LogPiece;
use crate::kind::{Failure, Kind};
use crate::names::BackupPath;

/// The folder of all.
const FOLDER: &str = "cluster.postgres";

/// A file of a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// The files of a base.
    Files(u64),
    /// Its manifest.
    Manifest(u64),
    /// A piece of the log, and when it was filed.
    Piece(LogPiece, Timestamp),
}

/// The folder of a server, which is told from others by its own number.
pub fn folder(server: &str) -> Result<BackupPath, Failure> {
    path(&format!("{FOLDER}/{server}"))
}

/// Where a part lies.
pub fn of(server: &str, part: &Part) -> Result<BackupPath, Failure> {
    path(&match part {
        Part::Files(number) => format!("{FOLDER}/{server}/base/{number}/files"),
        Part::Manifest(number) => format!("{FOLDER}/{server}/base/{number}/manifest"),
        Part::Piece(piece, filed_at) => format!(
            "{FOLDER}/{server}/log/{}.{}",
            piece.as_str().to_ascii_lowercase(),
            filed_at.as_millisecond()
        ),
    })
}

/// What lies there; none where it is nothing of a history.
pub fn read(path: &BackupPath) -> Option<Part> {
    match path.as_str().split('/').collect::<Vec<_>>()[..] {
        [FOLDER, _, "base", number, "files"] => Some(Part::Files(number.parse().ok()?)),
        [FOLDER, _, "base", number, "manifest"] => Some(Part::Manifest(number.parse().ok()?)),
        [FOLDER, _, "log", name] => {
            let (piece, filed_at) = name.split_once('.')?;
            let piece = LogPiece::parse(&piece.to_ascii_uppercase()).ok()?;
            let filed_at = Timestamp::from_millisecond(filed_at.parse().ok()?).ok()?;
            Some(Part::Piece(piece, filed_at))
        }
        _ => None,
    }
}

fn path(text: &str) -> Result<BackupPath, Failure> {
    BackupPath::parse(text).map_err(|why| Failure::new(Kind::Internal, why.to_string()))
}
