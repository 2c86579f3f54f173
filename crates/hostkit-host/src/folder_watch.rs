//! Word from the kernel of what happens to files in folders. Costs nothing while nothing happens.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// What happened in one of the folders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happened {
    /// A file of this name was moved into its place.
    Placed(OsString),
    /// Somebody who could write to the file of this name closed it, or ended.
    LetGo(OsString),
    /// More than the kernel could keep.
    TooMuch,
}

/// Watches folders.
pub struct FolderWatch {
    inotify: Inotify,
}

impl FolderWatch {
    /// A watch of nothing. Fails where the system has no more of these for this account.
    pub fn new() -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        Ok(FolderWatch { inotify })
    }

    /// Watches a folder from now on. One that is watched already stays so; one that is removed is forgotten.
    pub fn add(&self, folder: &Path) -> io::Result<()> {
        let what = AddWatchFlags::IN_MOVED_TO | AddWatchFlags::IN_CLOSE_WRITE | AddWatchFlags::IN_ONLYDIR;
        self.inotify.add_watch(folder, what)?;
        Ok(())
    }

    /// What happened since the last call.
    pub fn take(&self) -> Vec<Happened> {
        let mut all = Vec::new();
        loop {
            match self.inotify.read_events() {
                Ok(events) => all.extend(events.into_iter().filter_map(happened)),
                Err(Errno::EINTR) => {}
                Err(_) => return all,
            }
        }
    }

    /// Waits until something happened that `matters`, which is asked of all that did. What does not matter is
    /// forgotten; dropped while it waits, it loses nothing.
    pub async fn wait_for(&self, matters: impl Fn(&Happened) -> bool) -> io::Result<()> {
        let ready = register(self.inotify.as_fd().try_clone_to_owned()?)?;
        while self.take().iter().filter(|seen| matters(seen)).count() == 0 {
            ready.readable().await?.clear_ready();
        }
        Ok(())
    }
}

#[allow(unsafe_code)]
fn register(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` always gives the same descriptor, which stays open as long as it lives.
    Ok(unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) }?)
}

fn happened(event: InotifyEvent) -> Option<Happened> {
    if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
        return Some(Happened::TooMuch);
    }
    let name = event.name?;
    if event.mask.contains(AddWatchFlags::IN_MOVED_TO) {
        Some(Happened::Placed(name))
    } else {
        event
            .mask
            .contains(AddWatchFlags::IN_CLOSE_WRITE)
            .then_some(Happened::LetGo(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::time::Duration;

    #[tokio::test]
    async fn what_is_placed_and_what_is_let_go_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let watch = FolderWatch::new().unwrap();
        let held = File::create(folder.path().join("lock")).unwrap();
        watch.add(folder.path()).unwrap();
        watch.add(folder.path()).unwrap();
        assert!(watch.add(&folder.path().join("missing")).is_err());
        drop(File::open(folder.path().join("lock")).unwrap());
        assert_eq!(watch.take(), []);
        crate::files::replace(&folder.path().join("state"), b"{}", 0o600).unwrap();
        let state = Happened::Placed("state".into());
        let waits = watch.wait_for(|seen| *seen == state);
        tokio::time::timeout(Duration::from_secs(20), waits)
            .await
            .unwrap()
            .unwrap();
        let lock = Happened::LetGo("lock".into());
        let waits = watch.wait_for(|seen| *seen == lock);
        let later = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            fs::write(folder.path().join("other"), "x").unwrap();
            drop(held);
        };
        let (waited, ()) = tokio::join!(tokio::time::timeout(Duration::from_secs(20), waits), later);
        waited.unwrap().unwrap();
    }
}
