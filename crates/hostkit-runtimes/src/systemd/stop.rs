//! Ending of an instance and of all that is kept of it.

use futures_util::future::join_all;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::workload::InstanceId;
use hostkit_host::files;

use super::SystemdRuntime;
use super::folder::open_to_all;
use super::unit;
use crate::shared::off_thread;

impl SystemdRuntime {
    /// Ends instances and all that is kept of them. The manager forgets their units at once: until it read its files
    /// again it would go on to list them.
    pub(super) async fn stop_all(&self, ids: &[InstanceId]) -> Result<(), Failure> {
        if ids.is_empty() {
            return Ok(());
        }
        let stopped = join_all(ids.iter().map(|id| self.stop(id))).await;
        self.systemd.reload().await?;
        stopped.into_iter().collect()
    }

    /// Ends an instance and everything it started, and forgets it. Its log stays. Systemd sees to it that nothing of a
    /// unit is left, whatever its processes do.
    pub(super) async fn stop(&self, id: &InstanceId) -> Result<(), Failure> {
        let name = unit::name_of(id)?;
        self.mark_asked(id).await?;
        self.unpoint_project(id).await?;
        self.systemd.disable(&name).await?;
        self.systemd.stop(&name).await?;
        self.systemd.reset_failed(&name).await?;
        self.systemd.remove_file(&name).await?;
        self.forget(id).await
    }

    /// Removes what root keeps of an instance that is gone, and gives its port back.
    async fn forget(&self, id: &InstanceId) -> Result<(), Failure> {
        let (folder, leases) = (self.folder(id), self.leases.clone());
        off_thread(move || {
            let cannot = |e: std::io::Error| {
                Failure::new(Kind::Internal, format!("cannot forget `{}`: {e}", folder.id))
            };
            if let Some(address) = folder.spec().and_then(|spec| spec.address) {
                leases
                    .give_back(address.port(), &folder.id.to_string())
                    .map_err(cannot)?;
            }
            files::remove_tree(&folder.state).map_err(cannot)?;
            files::remove_tree(&folder.path).map_err(cannot)?;
            files::remove_tree(&folder.asked).map_err(cannot)
        })
        .await
    }

    /// From now on an end of the program is one that was asked for.
    pub(super) async fn mark_asked(&self, id: &InstanceId) -> Result<(), Failure> {
        let mark = self.folder(id).asked;
        off_thread(move || {
            let parent = mark.parent().map_or(Ok(()), open_to_all);
            parent
                .and_then(|()| files::replace(&mark, b"", 0o644))
                .map_err(|e| Failure::new(Kind::Internal, format!("cannot write `{}`: {e}", mark.display())))
        })
        .await
    }

    pub(super) async fn unmark_asked(&self, id: &InstanceId) -> Result<(), Failure> {
        let mark = self.folder(id).asked;
        off_thread(move || {
            files::remove_tree(&mark)
                .map_err(|e| Failure::new(Kind::Internal, format!("cannot remove `{}`: {e}", mark.display())))
        })
        .await
    }
}
