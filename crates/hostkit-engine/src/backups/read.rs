//! Reading a backup: what comes back from the target, and whether it is what was written.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use hostkit_core::backup::Backup;
use hostkit_core::backup::manifest::{self, BackupManifest};
use hostkit_core::backup::part::{FileFigures, PartName};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::BackupPath;
use hostkit_core::project::EnvironmentId;
use hostkit_core::secret::Secret;
use hostkit_core::traits::{BackupCipher, BackupTarget, Measured, Pieces};

use super::act::Moved;
use super::{open_store, parts, readable, target_settings};
use crate::context::Context;

/// The most bytes of what is read as a whole: manifests, variables, what a project is.
const LONGEST: usize = 64 << 20;

/// Reads files of backups of one target with one key.
pub(super) struct Reader {
    cipher: Arc<dyn BackupCipher>,
    target: Arc<dyn BackupTarget>,
    key: Secret,
    patience: Duration,
}

/// Why something of a backup cannot be used.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It is not what was written.
    Damaged(String),
    /// Nobody can say: the target does not answer.
    Unknown(Failure),
}

impl Trouble {
    /// As a failure that names the file.
    pub(super) fn told(self, path: &BackupPath) -> Failure {
        match self {
            Trouble::Damaged(why) => Failure::new(
                Kind::Conflict,
                format!("cannot use `{path}` of the backup: it is damaged: {why}"),
            )
            .hint("restore another backup: `hostkit backup list` shows them"),
            Trouble::Unknown(failure) => failure,
        }
    }
}

impl Reader {
    pub(super) fn new(
        context: &Context,
        target: Arc<dyn BackupTarget>,
        key: Secret,
    ) -> Result<Self, Failure> {
        let parts = parts(context)?;
        Ok(Reader {
            cipher: parts.cipher.clone(),
            target,
            key,
            patience: parts.patience,
        })
    }

    /// Of the target that a backup is at, which must be the one that is in use: at another there is nothing of it, and that
    /// is no damage.
    pub(super) async fn of(context: &Context, backup: &Backup) -> Result<Self, Failure> {
        let here = target_settings(context)?.place();
        if backup.place != here {
            let message = format!(
                "cannot read backup {} of `{}`: it is at {}, and backups are kept at {here} now",
                backup.number, backup.environment, backup.place
            );
            return Err(Failure::new(Kind::Conflict, message).hint(
                "name the place where it is again for as long as it is needed: `hostkit backup target --help`",
            ));
        }
        Reader::here(context).await
    }

    /// Of the target that is in use.
    pub(super) async fn here(context: &Context) -> Result<Self, Failure> {
        let store = open_store(context).await?;
        Reader::new(context, store.target, store.key)
    }

    /// What is in a file. A file that is not there is damage: the manifest says that it is.
    pub(super) async fn open(&self, path: &BackupPath) -> Result<Measured, Trouble> {
        let moved = Moved::default();
        let act = format!("read `{path}` of the backup");
        let file = moved.within(self.patience, &act, self.target.get(path)).await;
        let file = file.map_err(|failure| match failure.kind {
            Kind::NotFound => Trouble::Damaged("it is not there".into()),
            _ => Trouble::Unknown(failure),
        })?;
        let opened = self
            .cipher
            .open(&self.key, path.as_str(), paced(file, self.patience));
        opened.map_err(Trouble::Unknown)
    }

    /// Reads a file to its end and compares it with what was written.
    pub(super) async fn verify(&self, path: &BackupPath, expected: &FileFigures) -> Result<(), Trouble> {
        let mut opened = self.open(path).await?;
        while let Some(piece) = opened.pieces.next().await {
            piece.map_err(|why| self.trouble(path, &why))?;
        }
        match opened.measure.get() {
            Some(found) if found == expected => Ok(()),
            Some(found) => Err(Trouble::Damaged(format!(
                "it has {} bytes and another hash, {} were written",
                found.bytes, expected.bytes
            ))),
            None => Err(Trouble::Damaged("it has no end".into())),
        }
    }

    /// A whole file that is small.
    pub(super) async fn whole(&self, path: &BackupPath) -> Result<Vec<u8>, Trouble> {
        let mut opened = self.open(path).await?;
        let mut all = Vec::new();
        while let Some(piece) = opened.pieces.next().await {
            all.extend(piece.map_err(|why| self.trouble(path, &why))?);
            if all.len() > LONGEST {
                return Err(Trouble::Damaged("it is longer than any of its kind".into()));
            }
        }
        Ok(all)
    }

    /// The manifest of a backup.
    pub(super) async fn manifest(&self, id: &EnvironmentId, number: u64) -> Result<BackupManifest, Failure> {
        let path = manifest::file(id, number, manifest::FILE)?;
        let bytes = self.whole(&path).await.map_err(|trouble| trouble.told(&path))?;
        BackupManifest::parse(&bytes, id, number)
    }

    /// What an error at the end of a stream means.
    pub(super) fn trouble(&self, path: &BackupPath, why: &io::Error) -> Trouble {
        match why.kind() {
            io::ErrorKind::InvalidData => Trouble::Damaged(why.to_string()),
            _ => Trouble::Unknown(Failure::new(
                Kind::Unavailable,
                format!("cannot read `{path}` from {}: {why}", self.target.place()),
            )),
        }
    }
}

/// Each piece comes within some time, or the stream ends with an error.
fn paced(pieces: Pieces, patience: Duration) -> Pieces {
    Box::pin(stream::try_unfold(pieces, move |mut pieces| async move {
        match tokio::time::timeout(patience, pieces.try_next()).await {
            Ok(piece) => Ok(piece?.map(|piece| (piece, pieces))),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }))
}

/// The content of a part, decrypted, for somebody who takes it away. A backup that is damaged ends it with an error.
pub(crate) async fn download(
    context: &Context,
    id: &EnvironmentId,
    number: u64,
    part: &PartName,
) -> Result<Pieces, Failure> {
    let backup = readable(context, id, number)?;
    if !backup.parts.iter().any(|stored| stored.name == *part) {
        let names: Vec<String> = backup
            .parts
            .iter()
            .map(|stored| stored.name.to_string())
            .collect();
        return Err(Failure::new(
            Kind::NotFound,
            format!("cannot download `{part}` of backup {number} of `{id}`: it has no such part"),
        )
        .hint(format!("it has {}", names.join(", "))));
    }
    let reader = Reader::of(context, &backup).await?;
    let path = manifest::file(id, number, &part.to_string())?;
    let opened = reader.open(&path).await.map_err(|trouble| trouble.told(&path))?;
    Ok(opened.pieces)
}
