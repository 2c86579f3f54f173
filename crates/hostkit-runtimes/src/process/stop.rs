//! Ending of an instance.

use hostkit_core::kind::{Failure, Kind};
use hostkit_host::files;
use hostkit_host::shim::STATE_FILE;

use super::ProcessRuntime;
use super::folder::InstanceFolder;
use crate::shared::off_thread;

impl ProcessRuntime {
    /// Ends an instance and everything it started, and forgets it.
    pub(super) async fn stop(&self, folder: &InstanceFolder) -> Result<(), Failure> {
        folder.shimmed().stop().await?;
        self.forget(folder).await
    }

    /// Removes the folder of an instance that is gone, and gives its port back. Its log stays.
    pub(super) async fn forget(&self, folder: &InstanceFolder) -> Result<(), Failure> {
        let (folder, leases) = (folder.clone(), self.leases.clone());
        off_thread(move || {
            let cannot = |e: std::io::Error| {
                Failure::new(Kind::Internal, format!("cannot forget `{}`: {e}", folder.id))
            };
            if let Some(address) = folder.spec().and_then(|spec| spec.address) {
                leases
                    .give_back(address.port(), &folder.id.to_string())
                    .map_err(cannot)?;
            }
            // First what makes it look alive, so that a crash in between leaves a folder that is started anew.
            files::remove_tree(&folder.path.join(STATE_FILE)).map_err(cannot)?;
            files::remove_tree(&folder.path).map_err(cannot)
        })
        .await
    }
}
