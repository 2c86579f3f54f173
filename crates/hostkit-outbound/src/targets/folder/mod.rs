//! Backups in a folder: of this machine's disk, or of another disk that is mounted there.

mod incoming;
mod listing;

#[cfg(test)]
mod tests;

use std::fs::{self, DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::BackupPath;
use hostkit_core::traits::{BackupTarget, Pieces, StoredFile};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use incoming::Incoming;

/// The file that tells the folder that was set up from one that is only there because its disk is not.
const MARK: &str = ".hostkit-backups";
/// Bytes that are read at once.
const PIECE: usize = 64 * 1024;

/// Keeps files of backups in a folder: mode 0600 each, in folders of mode 0700.
#[derive(Debug, Clone)]
pub struct FolderTarget {
    root: PathBuf,
}

impl FolderTarget {
    /// The target in a folder, which must have been set up once.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        FolderTarget { root: root.into() }
    }

    /// Makes the folder and marks it as ours. Idempotent. Blocks.
    pub fn set_up(root: &Path) -> Result<(), Failure> {
        let made = DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(root)
            .and_then(|()| {
                let mut open = OpenOptions::new();
                open.write(true).create(true).truncate(true).mode(0o600);
                open.open(root.join(MARK))?.sync_all()?;
                sync_folder(root)
            });
        made.map_err(|why| failure("set up the folder for backups", root, &why))
    }

    /// Refuses where the folder is not the one that was set up: a disk that is not mounted leaves an empty folder, and
    /// backups in there would be on the disk that they are to save.
    fn check(&self) -> Result<(), Failure> {
        match fs::symlink_metadata(self.root.join(MARK)) {
            Ok(_) => Ok(()),
            Err(why) if why.kind() == io::ErrorKind::NotFound => Err(Failure::new(
                Kind::Unavailable,
                format!(
                    "cannot use `{}` for backups: it is not the folder that was set up for them",
                    self.root.display()
                ),
            )
            .hint("see that its disk is mounted; a new folder is to be set up first")),
            Err(why) => Err(failure("look into", &self.root, &why)),
        }
    }

    fn file(&self, path: &BackupPath) -> PathBuf {
        self.root.join(path.as_str())
    }
}

#[async_trait]
impl BackupTarget for FolderTarget {
    fn place(&self) -> String {
        self.root.display().to_string()
    }

    async fn put(&self, path: &BackupPath, mut pieces: Pieces) -> Result<u64, Failure> {
        self.check()?;
        let cannot = |why: io::Error| failure("write the backup", &self.file(path), &why);
        let (incoming, mut file) = Incoming::begin(&self.root, path).map_err(cannot)?;
        let mut bytes = 0;
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(cannot)?;
            file.write_all(&piece).await.map_err(cannot)?;
            bytes += piece.len() as u64;
        }
        file.flush().await.map_err(cannot)?;
        file.sync_all().await.map_err(cannot)?;
        incoming.finish().map_err(cannot)?;
        Ok(bytes)
    }

    async fn get(&self, path: &BackupPath) -> Result<Pieces, Failure> {
        self.check()?;
        let cannot = |why: io::Error| failure("read the backup", &self.file(path), &why);
        let mut open = tokio::fs::OpenOptions::new();
        open.read(true)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32);
        let file = open.open(self.file(path)).await.map_err(cannot)?;
        if !file.metadata().await.map_err(cannot)?.is_file() {
            return Err(cannot(io::ErrorKind::NotFound.into()));
        }
        let pieces = stream::try_unfold(file, |mut file| async move {
            let mut piece = vec![0; PIECE];
            let read = file.read(&mut piece).await?;
            piece.truncate(read);
            Ok((read > 0).then_some((piece, file)))
        });
        Ok(Box::pin(pieces))
    }

    async fn list(&self, folder: Option<&BackupPath>) -> Result<Vec<StoredFile>, Failure> {
        self.check()?;
        let (root, below) = (self.root.clone(), folder.cloned());
        let found = tokio::task::spawn_blocking(move || listing::files(&root, below.as_ref())).await;
        found
            .map_err(io::Error::other)
            .flatten()
            .map_err(|why| failure("list the backups in", &self.root, &why))
    }

    async fn remove(&self, path: &BackupPath) -> Result<(), Failure> {
        self.check()?;
        match fs::remove_file(self.file(path)) {
            Err(why) if !is_missing(&why) => {
                return Err(failure("remove the backup", &self.file(path), &why));
            }
            _ => {}
        }
        // Folders that became empty. One that is filled at the same moment stays.
        let folders = self.file(path);
        for folder in folders
            .ancestors()
            .skip(1)
            .take_while(|folder| *folder != self.root)
        {
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
        Ok(())
    }
}

/// Whether there is nothing of a name: nothing, or something where a folder would have to be.
fn is_missing(why: &io::Error) -> bool {
    matches!(why.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn failure(act: &str, path: &Path, why: &io::Error) -> Failure {
    let (kind, words, hint) = match why.kind() {
        _ if is_missing(why) => (Kind::NotFound, "it is not there".to_owned(), None),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => (
            Kind::Unavailable,
            "there is no room left".to_owned(),
            Some("free some space there, or keep fewer backups"),
        ),
        io::ErrorKind::ReadOnlyFilesystem => (
            Kind::Unavailable,
            "its disk can only be read".to_owned(),
            Some("see what the kernel says of that disk: `dmesg`"),
        ),
        _ => (Kind::Unavailable, why.to_string(), None),
    };
    let failure = Failure::new(kind, format!("cannot {act} `{}`: {words}", path.display()));
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// Brings the names in a folder to the disk.
fn sync_folder(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}
