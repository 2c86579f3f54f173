//! Word of changes: a shim that replaces its state file, and a shim that is gone, which lets go of its lock file
//! however it ended.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hostkit_core::traits::Changes;
use hostkit_host::folder_watch::{FolderWatch, Happened};
use hostkit_host::shim::{LOCK_FILE, STATE_FILE};
use tokio::time::Instant;

/// How often to look where the kernel tells nothing.
const BLIND: Duration = Duration::from_secs(1);
/// A process that ends lets go of its files first: a moment later it is seen to be gone.
const END: Duration = Duration::from_millis(200);

/// Watches the folders of instances.
pub(super) struct InstanceWatch {
    folders: FolderWatch,
    /// Whether a folder could not be watched.
    blind: AtomicBool,
    /// When to look once more.
    again: Mutex<Option<Instant>>,
}

impl InstanceWatch {
    /// Nothing where the system has no more of these.
    pub(super) fn new() -> Option<Self> {
        let folders = FolderWatch::new()
            .inspect_err(|error| tracing::warn!(%error, "cannot watch instances; they are looked at instead"))
            .ok()?;
        Some(InstanceWatch {
            folders,
            blind: AtomicBool::new(false),
            again: Mutex::default(),
        })
    }

    /// Watches an instance from now on.
    pub(super) fn add(&self, folder: &Path) {
        let Err(error) = self.folders.add(folder) else {
            return;
        };
        let is_gone = matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory);
        if !is_gone && !self.blind.swap(true, Ordering::Relaxed) {
            let folder = folder.display();
            tracing::warn!(%folder, %error, "cannot watch an instance; all are looked at instead");
        }
    }

    fn again(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.again.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_change(&self, happened: &Happened) -> bool {
        match happened {
            Happened::Placed(name) => name == STATE_FILE,
            Happened::LetGo(name) if name == LOCK_FILE => {
                *self.again() = Some(Instant::now() + END);
                true
            }
            Happened::LetGo(_) => false,
            Happened::TooMuch => true,
        }
    }
}

#[async_trait::async_trait]
impl Changes for InstanceWatch {
    async fn wait(&self) {
        if self.blind.load(Ordering::Relaxed) {
            return tokio::time::sleep(BLIND).await;
        }
        let again = *self.again();
        let once_more = async {
            match again {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            told = self.folders.wait_for(|happened| self.is_change(happened)) => {
                if told.is_err() {
                    tokio::time::sleep(BLIND).await;
                }
            }
            () = once_more => *self.again() = None,
        }
    }
}
