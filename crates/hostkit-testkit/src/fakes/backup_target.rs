//! A target of backups in memory, with the faults that real ones have.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::BackupPath;
use hostkit_core::traits::{BackupTarget, Pieces, StoredFile};

use super::faults::{Faults, Journal, locked};

/// Files in memory. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct FakeBackupTarget {
    /// Faults of `"put"`, `"get"`, `"list"` and `"remove"`.
    pub faults: Faults,
    /// What was changed: `put a/b`, `remove a/b`.
    pub journal: Journal,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    files: BTreeMap<BackupPath, Vec<u8>>,
    room: Option<usize>,
    keeps: Option<usize>,
    breaks_at: Option<usize>,
}

impl FakeBackupTarget {
    /// No more than so many bytes have room in it.
    pub fn set_room(&self, bytes: Option<usize>) {
        locked(&self.inner).room = bytes;
    }

    /// It lies: of each file it takes all, says so, and keeps only the first so many bytes.
    pub fn set_keeps(&self, bytes: Option<usize>) {
        locked(&self.inner).keeps = bytes;
    }

    /// It breaks off after so many bytes, of what is written and what is read.
    pub fn set_breaks_at(&self, bytes: Option<usize>) {
        locked(&self.inner).breaks_at = bytes;
    }

    /// Changes one bit of a file, which was there.
    pub fn flip(&self, path: &BackupPath, at: usize) {
        if let Some(byte) = locked(&self.inner)
            .files
            .get_mut(path)
            .and_then(|file| file.get_mut(at))
        {
            *byte ^= 1;
        }
    }
}

fn refused(act: &str, path: &BackupPath, why: &str) -> Failure {
    Failure::new(Kind::Unavailable, format!("cannot {act} `{path}`: {why}"))
}

#[async_trait]
impl BackupTarget for FakeBackupTarget {
    fn place(&self) -> String {
        "memory".to_owned()
    }

    async fn put(&self, path: &BackupPath, mut pieces: Pieces) -> Result<u64, Failure> {
        self.faults.pass("put").await?;
        let mut content = Vec::new();
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|why| refused("write", path, &why.to_string()))?;
            content.extend_from_slice(&piece);
            let inner = locked(&self.inner);
            if inner.breaks_at.is_some_and(|at| content.len() > at) {
                return Err(refused("write", path, "the connection broke off"));
            }
            let others = inner.files.iter().filter(|(other, _)| *other != path);
            let used = others.map(|(_, file)| file.len()).sum::<usize>() + content.len();
            if inner.room.is_some_and(|room| used > room) {
                return Err(refused("write", path, "there is no room left"));
            }
        }
        let bytes = content.len() as u64;
        let mut inner = locked(&self.inner);
        content.truncate(inner.keeps.unwrap_or(usize::MAX));
        inner.files.insert(path.clone(), content);
        self.journal.note(format!("put {path}"));
        Ok(bytes)
    }

    async fn get(&self, path: &BackupPath) -> Result<Pieces, Failure> {
        self.faults.pass("get").await?;
        let inner = locked(&self.inner);
        let Some(content) = inner.files.get(path) else {
            return Err(Failure::new(
                Kind::NotFound,
                format!("cannot read `{path}`: it is not there"),
            ));
        };
        let end = inner.breaks_at.unwrap_or(usize::MAX).min(content.len());
        let mut pieces: Vec<io::Result<Vec<u8>>> = content[..end]
            .chunks(65_536)
            .map(|piece| Ok(piece.to_vec()))
            .collect();
        if end < content.len() {
            pieces.push(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Ok(Box::pin(stream::iter(pieces)))
    }

    async fn list(&self, folder: Option<&BackupPath>) -> Result<Vec<StoredFile>, Failure> {
        self.faults.pass("list").await?;
        let inner = locked(&self.inner);
        let here = inner
            .files
            .iter()
            .filter(|(path, _)| folder.is_none_or(|folder| path.is_below(folder)));
        Ok(here
            .map(|(path, content)| StoredFile {
                path: path.clone(),
                bytes: content.len() as u64,
            })
            .collect())
    }

    async fn remove(&self, path: &BackupPath) -> Result<(), Failure> {
        self.faults.pass("remove").await?;
        if locked(&self.inner).files.remove(path).is_some() {
            self.journal.note(format!("remove {path}"));
        }
        Ok(())
    }
}
