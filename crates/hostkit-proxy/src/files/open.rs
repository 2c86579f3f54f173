//! Opening files below a root, which the kernel watches over: no link, `..` or race leads out of it. What is in the
//! kernel's caches is opened at once; what is not, on another thread.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, open, openat2};
use rustix::io::Errno;

/// A folder whose files are served. Opened once: it stays the same folder whatever its path means later.
pub(super) struct Root {
    path: PathBuf,
    folder: Arc<OnceLock<OwnedFd>>,
}

/// What a path led to.
pub(super) enum Found<File> {
    File(File),
    Folder,
    Nothing,
}

/// An open file.
pub(super) struct Opened {
    pub(super) fd: OwnedFd,
    pub(super) size: u64,
    pub(super) modified: SystemTime,
}

impl Root {
    /// The folder `path`. That it is missing shows when a file is asked for.
    pub(super) fn new(path: PathBuf) -> Self {
        let folder = Arc::new(OnceLock::new());
        if let Ok(fd) = open_root(&path) {
            drop(folder.set(fd));
        }
        Root { path, folder }
    }

    /// The folder's path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the file `name` below the root.
    pub(super) async fn open(&self, name: Vec<u8>) -> io::Result<Found<Opened>> {
        if let Some(folder) = self.folder.get() {
            match open_below(folder, &name, ResolveFlags::CACHED) {
                // Not cached, or a kernel that cannot tell.
                Err(Errno::AGAIN | Errno::INVAL) => {}
                outcome => return outcome.map_err(io::Error::from),
            }
        }
        let folder = Arc::clone(&self.folder);
        let path = self.path.clone();
        let opening = tokio::task::spawn_blocking(move || {
            if folder.get().is_none() {
                drop(folder.set(open_root(&path)?));
            }
            match folder.get() {
                Some(folder) => open_below(folder, &name, ResolveFlags::empty()),
                None => Err(Errno::NOENT),
            }
        });
        opening.await.map_err(io::Error::other)?.map_err(io::Error::from)
    }
}

fn open_root(path: &Path) -> rustix::io::Result<OwnedFd> {
    open(
        path,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )
}

fn open_below(folder: &OwnedFd, name: &[u8], how: ResolveFlags) -> rustix::io::Result<Found<Opened>> {
    // Not blocking: opening a FIFO somebody left there must not hang.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let fd = match openat2(
        folder,
        name,
        flags,
        Mode::empty(),
        ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | how,
    ) {
        Ok(fd) => fd,
        // XDEV: a link that leaves the root. NXIO: a socket.
        Err(
            Errno::NOENT
            | Errno::NOTDIR
            | Errno::XDEV
            | Errno::LOOP
            | Errno::ACCESS
            | Errno::NAMETOOLONG
            | Errno::NXIO,
        ) => return Ok(Found::Nothing),
        Err(error) => return Err(error),
    };
    let stat = fstat(&fd)?;
    Ok(match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Found::File(Opened {
            fd,
            size: stat.st_size.try_into().unwrap_or_default(),
            modified: SystemTime::UNIX_EPOCH
                + Duration::new(
                    stat.st_mtime.try_into().unwrap_or_default(),
                    stat.st_mtime_nsec as u32,
                ),
        }),
        FileType::Directory => Found::Folder,
        _ => Found::Nothing,
    })
}
