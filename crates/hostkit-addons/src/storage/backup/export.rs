//! Making a copy while everything goes on. Nothing is held in memory but a piece, and nothing is written but the index:
//! files are never changed, and none that the copy names is removed before the copy is made.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use hostkit_host::piecewise::PieceWriter;
use tar::{Builder, EntryType, Header};
use tokio::sync::mpsc::Receiver;

use super::{INDEX, counts, path_of};
use crate::storage::contents::RemovalsHeld;
use crate::storage::error::Result;
use crate::storage::index::Snapshot;
use crate::storage::place::Copying;
use crate::storage::s3::{Storage, blocking};

/// Files that are looked up at once.
const TOGETHER: usize = 500;

/// A copy that is made while it is taken. Dropped, it ends.
pub struct Copy {
    /// What is in it.
    pub counts: BTreeMap<String, u64>,
    /// Its bytes. Where it cannot be made to its end they end with an error.
    pub pieces: Receiver<io::Result<Vec<u8>>>,
}

/// The moment that a copy is of. As long as it lives, nothing of it is removed.
struct Moment {
    storage: Storage,
    snapshot: Snapshot,
    index: Copying,
    _held: RemovalsHeld,
}

impl Storage {
    /// Begins a copy of all that there is now.
    pub async fn copy_all(&self) -> Result<Copy> {
        let storage = self.clone();
        let (moment, counts) = blocking(move || {
            let moment = Moment::begin(storage)?;
            let counts = counts(&moment.snapshot.holdings()?);
            Ok((moment, counts))
        })
        .await?;
        let (writer, pieces) = PieceWriter::new();
        tokio::task::spawn_blocking(move || moment.write(writer));
        Ok(Copy { counts, pieces })
    }
}

impl Moment {
    fn begin(storage: Storage) -> Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        // In this order: what is removed from now on was there when the index was copied, or is not in the copy.
        let held = storage.contents().hold_removals();
        storage.contents().room_for(storage.index().size()?)?;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let index = Copying::begin(&storage.settings().folder, number)?;
        let snapshot = storage.index().snapshot(index.path())?;
        Ok(Moment {
            storage,
            snapshot,
            index,
            _held: held,
        })
    }

    fn write(self, to: PieceWriter) {
        let mut tar = Builder::new(to);
        tar.sparse(false);
        let written = self
            .write_all(&mut tar)
            .and_then(|()| tar.finish())
            .and_then(|()| tar.get_mut().flush());
        let Err(why) = written else { return };
        if why.kind() != io::ErrorKind::BrokenPipe {
            tracing::error!("cannot copy the storage: {why}");
        }
        tar.get_mut().fail(why);
    }

    fn write_all(&self, tar: &mut Builder<PieceWriter>) -> io::Result<()> {
        append(tar, INDEX, File::open(self.index.path())?)?;
        let mut after = None;
        loop {
            let some = self
                .snapshot
                .contents(after, TOGETHER)
                .map_err(io::Error::other)?;
            let Some(last) = some.last() else {
                return Ok(());
            };
            after = Some(*last);
            for id in some {
                let file = File::open(self.storage.contents().path(id));
                let file = file.map_err(|why| io::Error::new(why.kind(), format!("{}: {why}", id.text())))?;
                append(tar, &path_of(id), file)?;
            }
        }
    }
}

fn append(tar: &mut Builder<PieceWriter>, path: &str, file: File) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o600);
    header.set_size(file.metadata()?.len());
    tar.append_data(&mut header, path, file)
}
