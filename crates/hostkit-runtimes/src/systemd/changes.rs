//! Word of changes, from systemd.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use hostkit_core::traits::Changes;
use hostkit_host::systemd::{Systemd, UnitChange, UnitChanges};
use tokio::sync::Mutex;

use super::unit;

/// How often to look where systemd tells nothing.
const BLIND: Duration = Duration::from_secs(1);

/// Watches the units of instances.
pub(super) struct UnitWatch {
    systemd: Arc<dyn Systemd>,
    changes: Mutex<Option<UnitChanges>>,
}

impl UnitWatch {
    pub(super) fn new(systemd: Arc<dyn Systemd>) -> Self {
        UnitWatch {
            systemd,
            changes: Mutex::default(),
        }
    }

    /// Watches from now on. While somebody waits that is so already.
    pub(super) async fn begin(&self) {
        if let Ok(mut changes) = self.changes.try_lock() {
            self.subscribe(&mut changes).await;
        }
    }

    async fn subscribe(&self, changes: &mut Option<UnitChanges>) {
        if changes.is_some() {
            return;
        }
        match self.systemd.changes("hostkit-").await {
            Ok(stream) => *changes = Some(stream),
            Err(failure) => tracing::warn!(%failure, "cannot watch units; they are looked at instead"),
        }
    }
}

#[async_trait::async_trait]
impl Changes for UnitWatch {
    async fn wait(&self) {
        let mut changes = self.changes.lock().await;
        self.subscribe(&mut changes).await;
        let Some(stream) = changes.as_mut() else {
            return tokio::time::sleep(BLIND).await;
        };
        loop {
            match stream.next().await {
                Some(UnitChange::Unit(name)) if unit::instance_of(&name).is_none() => {}
                Some(_) => return,
                None => {
                    // Whatever happened meanwhile: it is worth to look again.
                    *changes = None;
                    return tokio::time::sleep(BLIND).await;
                }
            }
        }
    }
}
