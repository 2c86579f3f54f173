//! `shared/` in backups: the folder that outlives releases, as a tar. In local mode alone, where whoever runs HostKit owns
//! what is in it.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use hostkit_core::backup::part::{Counts, PartKind, PartName};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::layout::Layout;
use hostkit_core::project::EnvironmentId;
use hostkit_core::traits::{Copies, CopyOf, Counting, Export, Pieces};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use tar::EntryType;
use tokio::sync::mpsc;

use crate::beneath::{Folder, Packed};

/// Bytes that travel at once.
const PIECE: usize = 64 * 1024;
/// Pieces that wait for whoever reads more slowly.
const WAITING: usize = 4;

/// Copies of the shared folders of environments.
#[derive(Debug, Clone)]
pub struct SharedCopies {
    layout: Layout,
}

impl SharedCopies {
    /// Of the environments of one installation in local mode.
    pub fn new(layout: Layout) -> Self {
        SharedCopies { layout }
    }

    /// Where a copy waits: beside the folder, and on its disk.
    fn staged(&self, id: &EnvironmentId) -> PathBuf {
        self.layout.environment(id).join("shared.restore")
    }
}

fn counts(packed: &Packed) -> Counts {
    [
        ("files", packed.files),
        ("folders", packed.folders),
        ("links", packed.links),
    ]
    .map(|(name, count)| (name.to_owned(), count))
    .into()
}

fn on_disk(act: &str, path: &Path, why: &io::Error) -> Failure {
    let kind = match why.kind() {
        // What cannot be unpacked is the copy's fault, all else the disk's.
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::Other => Kind::Failed,
        _ => Kind::Unavailable,
    };
    Failure::new(kind, format!("cannot {act} `{}`: {why}", path.display()))
}

fn remove(path: &Path) -> Result<(), Failure> {
    match fs::remove_dir_all(path) {
        Err(why) if why.kind() != io::ErrorKind::NotFound => Err(on_disk("remove", path, &why)),
        _ => Ok(()),
    }
}

/// Works where it holds up nobody.
async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|why| {
        Err(Failure::new(
            Kind::Internal,
            format!("cannot work on a shared folder: {why}"),
        ))
    })
}

#[async_trait]
impl Copies for SharedCopies {
    fn kind(&self) -> PartKind {
        PartKind::Shared
    }

    async fn parts(&self, of: &CopyOf) -> Result<Vec<PartName>, Failure> {
        let mut entries = match fs::read_dir(self.layout.shared(&of.environment)) {
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|why| on_disk("read", &self.layout.shared(&of.environment), &why))?,
        };
        Ok(match entries.next() {
            Some(_) => vec![PartName::main(PartKind::Shared)],
            None => Vec::new(),
        })
    }

    async fn export(&self, of: &CopyOf, _part: &PartName) -> Result<Export, Failure> {
        let folder = Folder::open(&self.layout.shared(&of.environment))?;
        let counting = Counting::default();
        let (to, pieces) = mpsc::channel(WAITING);
        let counted = counting.clone();
        tokio::task::spawn_blocking(move || {
            let mut tar = tar::Builder::new(Leaving {
                to: to.clone(),
                piece: Vec::with_capacity(PIECE),
            });
            tar.sparse(false);
            let packed = folder.pack(&mut tar, |_, _| false).map_err(io::Error::other);
            let packed = packed.and_then(|packed| {
                tar.into_inner()?.flush()?;
                Ok(packed)
            });
            match packed {
                Ok(packed) => counted.set(counts(&packed)),
                // Where nobody reads any more, nobody is told.
                Err(why) => drop(to.blocking_send(Err(why))),
            }
        });
        let pieces = stream::unfold(pieces, |mut pieces| async move {
            let piece = pieces.recv().await?;
            Some((piece, pieces))
        });
        Ok(Export {
            pieces: Box::pin(pieces),
            counting,
        })
    }

    async fn stage(&self, of: &CopyOf, _part: &PartName, mut content: Pieces) -> Result<Counts, Failure> {
        let folder = self.staged(&of.environment);
        let (to, pieces) = mpsc::channel(WAITING);
        tokio::spawn(async move {
            while let Some(piece) = content.next().await {
                if to.send(piece).await.is_err() {
                    return;
                }
            }
        });
        apart(move || {
            remove(&folder)?;
            let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder);
            let unpacked = made.and_then(|()| unpack(Arriving::new(pieces), &folder));
            unpacked.map(|packed| counts(&packed)).map_err(|why| {
                let failure = on_disk("unpack a copy into", &folder, &why);
                match remove(&folder) {
                    Ok(()) => failure,
                    Err(also) => failure.details(vec![also.message]),
                }
            })
        })
        .await
    }

    async fn take_place(&self, of: &CopyOf, _part: &PartName) -> Result<(), Failure> {
        let (staged, live) = (self.staged(&of.environment), self.layout.shared(&of.environment));
        apart(move || {
            let exchanged = match live.exists() {
                true => {
                    renameat_with(CWD, &staged, CWD, &live, RenameFlags::EXCHANGE).map_err(io::Error::from)
                }
                false => fs::rename(&staged, &live),
            };
            exchanged.map_err(|why| on_disk("put a copy into the place of", &live, &why))?;
            // What was there before has the other name now.
            remove(&staged)
        })
        .await
    }

    async fn discard(&self, of: &CopyOf, _part: &PartName) -> Result<(), Failure> {
        let staged = self.staged(&of.environment);
        apart(move || remove(&staged)).await
    }
}

/// Unpacks what [`Folder::pack`] packed: files, folders and links, none of them outside of the folder or through a link.
fn unpack(from: impl Read, folder: &Path) -> io::Result<Packed> {
    let mut packed = Packed::default();
    let mut archive = tar::Archive::new(from);
    archive.set_preserve_permissions(true);
    for entry in archive.entries()? {
        let mut entry = entry?;
        match entry.header().entry_type() {
            EntryType::Regular => packed.files += 1,
            EntryType::Directory => packed.folders += 1,
            EntryType::Symlink => packed.links += 1,
            _ => {
                return Err(io::Error::other(
                    "it has an entry that is neither file, folder nor link",
                ));
            }
        }
        if !entry.unpack_in(folder)? {
            return Err(io::Error::other("it has an entry that leads out of the folder"));
        }
    }
    // Behind the end there is nothing; a stream that was cut off says so only there.
    io::copy(&mut archive.into_inner(), &mut io::sink())?;
    Ok(packed)
}

/// Bytes on their way to whoever takes the copy.
struct Leaving {
    to: mpsc::Sender<io::Result<Vec<u8>>>,
    piece: Vec<u8>,
}

impl Write for Leaving {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(&bytes[..taken]);
        if self.piece.len() == PIECE {
            self.flush()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        self.to
            .blocking_send(Ok(piece))
            .map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

/// Pieces as a thread reads them.
struct Arriving {
    pieces: mpsc::Receiver<io::Result<Vec<u8>>>,
    piece: io::Cursor<Vec<u8>>,
}

impl Arriving {
    fn new(pieces: mpsc::Receiver<io::Result<Vec<u8>>>) -> Self {
        Arriving {
            pieces,
            piece: io::Cursor::default(),
        }
    }
}

impl Read for Arriving {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.piece.read(out)?;
            if read > 0 || out.is_empty() {
                return Ok(read);
            }
            match self.pieces.blocking_recv() {
                Some(piece) => self.piece = io::Cursor::new(piece?),
                None => return Ok(0),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use futures_util::TryStreamExt;

    use super::*;

    fn of() -> CopyOf {
        CopyOf {
            environment: EnvironmentId::new("shop".parse().unwrap(), "production".parse().unwrap()),
            order: None,
        }
    }

    fn part() -> PartName {
        PartName::main(PartKind::Shared)
    }

    fn content(tar: Vec<u8>) -> Pieces {
        let pieces: Vec<io::Result<Vec<u8>>> = tar.chunks(1000).map(|piece| Ok(piece.to_vec())).collect();
        Box::pin(stream::iter(pieces))
    }

    #[tokio::test]
    async fn a_folder_comes_back_as_it_was_and_stays_until_it_does() {
        let data = tempfile::tempdir().unwrap();
        let layout = Layout::new(data.path());
        let (copies, shared) = (
            SharedCopies::new(layout.clone()),
            layout.shared(&of().environment),
        );
        assert_eq!(copies.parts(&of()).await.unwrap(), []);
        fs::create_dir_all(shared.join("uploads/empty")).unwrap();
        assert_eq!(copies.parts(&of()).await.unwrap(), [part()]);
        fs::write(shared.join("uploads/a"), vec![7; 200_000]).unwrap();
        fs::set_permissions(shared.join("uploads/a"), fs::Permissions::from_mode(0o640)).unwrap();
        symlink("uploads/a", shared.join("link")).unwrap();

        let export = copies.export(&of(), &part()).await.unwrap();
        let tar: Vec<Vec<u8>> = export.pieces.try_collect().await.unwrap();
        let tar = tar.concat();
        let counted = export.counting.get().unwrap().clone();
        assert_eq!(counted.values().copied().collect::<Vec<_>>(), [1, 2, 1]);
        fs::remove_dir_all(shared.join("uploads")).unwrap();
        fs::write(shared.join("new"), "x").unwrap();

        assert_eq!(
            copies.stage(&of(), &part(), content(tar.clone())).await.unwrap(),
            counted
        );
        assert!(shared.join("new").exists());
        copies.discard(&of(), &part()).await.unwrap();
        copies.stage(&of(), &part(), content(tar.clone())).await.unwrap();
        copies.take_place(&of(), &part()).await.unwrap();
        assert!(!shared.join("new").exists() && shared.join("uploads/empty").is_dir());
        assert_eq!(fs::read(shared.join("link")).unwrap(), vec![7; 200_000]);
        let mode = fs::metadata(shared.join("uploads/a"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o640);
        assert!(!copies.staged(&of().environment).exists());
        // A copy that breaks off changes nothing.
        let cut = stream::iter([
            Ok(tar[..5000].to_vec()),
            Err(io::ErrorKind::ConnectionReset.into()),
        ]);
        copies.stage(&of(), &part(), Box::pin(cut)).await.unwrap_err();
        assert!(!copies.staged(&of().environment).exists() && shared.join("uploads/a").exists());
    }

    #[tokio::test]
    async fn nothing_leads_out_of_the_folder() {
        let data = tempfile::tempdir().unwrap();
        let layout = Layout::new(data.path().join("data"));
        let copies = SharedCopies::new(layout.clone());
        let outside = data.path().join("outside");
        fs::create_dir(&outside).unwrap();
        let header = |kind, size| {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.set_size(size);
            header.set_mode(0o644);
            header
        };
        let mut through_a_link = tar::Builder::new(Vec::new());
        through_a_link
            .append_link(&mut header(EntryType::Symlink, 0), "way", &outside)
            .unwrap();
        through_a_link
            .append_data(&mut header(EntryType::Regular, 1), "way/file", &b"x"[..])
            .unwrap();
        let mut upwards = tar::Builder::new(Vec::new());
        let mut up = header(EntryType::Regular, 1);
        up.as_gnu_mut().unwrap().name[..10].copy_from_slice(b"../../file");
        up.set_cksum();
        upwards.append(&up, &b"x"[..]).unwrap();
        let mut device = tar::Builder::new(Vec::new());
        device
            .append_data(&mut header(EntryType::Char, 0), "device", io::empty())
            .unwrap();
        for hostile in [through_a_link, upwards, device] {
            let hostile = hostile.into_inner().unwrap();
            copies.stage(&of(), &part(), content(hostile)).await.unwrap_err();
            assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
            assert!(!copies.staged(&of().environment).exists());
        }
        assert!(!data.path().join("file").exists() && !layout.data().join("file").exists());
    }
}
