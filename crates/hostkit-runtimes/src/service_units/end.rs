//! Ending of a service, and of all that is kept of it.

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::services::ServiceName;
use hostkit_host::files;

use super::{SystemdServices, unit};
use crate::shared::off_thread;

impl SystemdServices {
    /// Ends the program and everything it started, and does not start it with the machine. Its folder stays.
    pub(super) async fn end(&self, name: &ServiceName) -> Result<(), Failure> {
        let unit = unit::name_of(name)?;
        self.on_files(name, "stop", |folder| folder.mark_asked()).await?;
        self.systemd.disable(&unit).await?;
        self.systemd.stop(&unit).await?;
        self.systemd.reset_failed(&unit).await?;
        self.on_files(name, "stop", |folder| files::remove_tree(&folder.asked))
            .await
    }

    /// Ends it, and removes its unit, its files and its account.
    pub(super) async fn take_away(&self, name: &ServiceName) -> Result<(), Failure> {
        self.end(name).await?;
        if self.systemd.remove_file(&unit::name_of(name)?).await? {
            self.systemd.reload().await?;
        }
        self.on_files(name, "remove", |folder| {
            files::remove_tree(&folder.state)?;
            files::remove_tree(&folder.path)
        })
        .await?;
        let _ = self.accounts.remove_service(name).await?;
        Ok(())
    }

    async fn on_files(
        &self,
        name: &ServiceName,
        verb: &'static str,
        act: impl FnOnce(&super::ServiceFolder) -> std::io::Result<()> + Send + 'static,
    ) -> Result<(), Failure> {
        let (folder, name) = (self.folder(name), name.clone());
        off_thread(move || {
            act(&folder)
                .map_err(|e| Failure::new(Kind::Internal, format!("cannot {verb} service `{name}`: {e}")))
        })
        .await
    }
}
