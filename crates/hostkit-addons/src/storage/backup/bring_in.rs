//! Bringing a copy in beside what is there. Whoever made the copy is not trusted: no name of it becomes a path, nothing comes
//! in that its own index does not name, and where anything is not as it should nothing of it is left.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use bytes::Bytes;
use hostkit_host::files::sync_tree;
use hostkit_host::piecewise::PieceReader;
use s3s::crypto::{Checksum as _, Md5};
use tar::{Archive, EntryType, Header};
use tokio::sync::mpsc::Sender;

use super::{INDEX, counts, path_of};
use crate::storage::contents::{ContentId, Contents};
use crate::storage::error::{Result, StorageError};
use crate::storage::index::Brought;
use crate::storage::names::BucketName;
use crate::storage::place::{self, Place};
use crate::storage::s3::{Storage, blocking};

/// Bytes that are read at once.
const BLOCK: usize = 64 << 10;

/// What was counted of a copy that was brought in.
type Counts = BTreeMap<String, u64>;

impl Storage {
    /// Where the bytes of a copy are put, and what does the work meanwhile: it ends when it was given all of them, with
    /// what was counted. What was brought in before is replaced.
    pub fn bring_in(
        &self,
    ) -> (
        Sender<io::Result<Bytes>>,
        impl Future<Output = Result<Counts>> + use<>,
    ) {
        let (to, from) = PieceReader::new();
        let storage = self.clone();
        let work = async move {
            // Not the caller's but the work's: it may go on when nobody waits for it any more.
            let turn = storage.bringing_in.clone().lock_owned().await;
            blocking(move || {
                let brought = storage.bring_in_now(from);
                drop(turn);
                brought
            })
            .await
        };
        (to, work)
    }

    fn bring_in_now(&self, from: PieceReader<Bytes>) -> Result<Counts> {
        let settings = self.settings();
        let (begun, whole) = (
            settings.folder.join(place::BEGUN),
            settings.folder.join(place::RESTORE),
        );
        place::remove(&whole)?;
        let brought = self.unpack(from, &begun, settings.reserve).and_then(|counts| {
            settle(&begun, &whole).map_err(|why| StorageError::file("keep a copy of the storage", why))?;
            Ok(counts)
        });
        if brought.is_err() {
            place::remove(&begun)?;
        }
        brought
    }

    fn unpack(&self, from: PieceReader<Bytes>, folder: &Path, reserve: u64) -> Result<Counts> {
        let place = Place::make_new(folder.to_owned())?;
        let contents = Contents::open(place.contents(), reserve)?;
        let mut archive = Archive::new(from);
        // As they are: long names and the like are read into memory, and no copy has any.
        let mut entries = archive.entries().map_err(StorageError::unread)?.raw(true);
        let Some(first) = entries.next() else {
            return Err(StorageError::NoCopy("it has nothing in it"));
        };
        let mut first = first.map_err(StorageError::unread)?;
        let (path, size) = described(first.header())?;
        if path != INDEX {
            return Err(StorageError::NoCopy("it does not begin with an index"));
        }
        write_index(&mut first, size, &place.index(), &contents)?;
        let index = Brought::open(&place.index()).map_err(StorageError::of_copy)?;
        for entry in entries {
            let mut entry = entry.map_err(StorageError::unread)?;
            let (path, size) = described(entry.header())?;
            let id = id_of(&path).ok_or(StorageError::NoCopy("it has a file with another name"))?;
            if index.expected(id)? != Some(size) {
                return Err(StorageError::NoCopy("it has a file that its index does not name"));
            }
            let mut md5 = Md5::new();
            contents.bring_in((id, size), &mut entry, self.contents(), |bytes| md5.update(bytes))?;
            index.came(id, md5.finalize())?;
        }
        // Behind the end there is nothing; what was cut off says so only there.
        io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(StorageError::unread)?;
        index.check_whole().map_err(StorageError::of_copy)?;
        if let Some(bucket) = self.only_bucket() {
            index.name_bucket(&bucket)?;
        }
        Ok(counts(&index.holdings()?))
    }

    /// The bucket, where the settings name one alone.
    fn only_bucket(&self) -> Option<BucketName> {
        match self.settings().buckets.as_slice() {
            [one] => Some(one.name.clone()),
            _ => None,
        }
    }
}

/// Brings all of it to the disk, and only then calls it whole.
fn settle(begun: &Path, whole: &Path) -> io::Result<()> {
    sync_tree(begun)?;
    fs::rename(begun, whole)?;
    whole
        .parent()
        .map_or(Ok(()), |around| File::open(around)?.sync_all())
}

/// The path of a file and its size. Nothing else is in a copy.
fn described(header: &Header) -> Result<(String, u64)> {
    let path = String::from_utf8(header.path_bytes().into_owned()).ok();
    match (header.entry_type(), path) {
        (EntryType::Regular, Some(path)) => Ok((path, header.entry_size().map_err(StorageError::unread)?)),
        _ => Err(StorageError::NoCopy("it has something in it that is no file")),
    }
}

/// Which file of an object this is.
fn id_of(path: &str) -> Option<ContentId> {
    let id = ContentId::parse(path.rsplit('/').next()?)?;
    (path_of(id) == path).then_some(id)
}

fn write_index(from: &mut impl Read, size: u64, path: &Path, contents: &Contents) -> Result<()> {
    let unwritten = |why| StorageError::file("write an index", why);
    let mut options = OpenOptions::new();
    let made = options.write(true).create_new(true).mode(0o600).open(path);
    let (mut file, mut left) = (made.map_err(unwritten)?, size);
    let mut block = vec![0; BLOCK];
    while left > 0 {
        let read = from.read(&mut block).map_err(StorageError::unread)?;
        if read == 0 {
            return Err(StorageError::unread(io::ErrorKind::UnexpectedEof.into()));
        }
        contents.room_for(read as u64)?;
        file.write_all(&block[..read]).map_err(unwritten)?;
        left = left.saturating_sub(read as u64);
    }
    Ok(())
}
