//! `hostkit-shop.service`: the name by which people find the main process of a project.

use hostkit_core::kind::Failure;
use hostkit_core::project::EnvironmentId;
use hostkit_core::workload::InstanceId;

use super::SystemdRuntime;
use super::unit;

impl SystemdRuntime {
    /// Makes the project's own unit name mean this instance, the first live one of its main process, or nothing.
    /// Only production has such a name. Idempotent.
    pub(super) async fn point_project(
        &self,
        id: &EnvironmentId,
        live: Option<&InstanceId>,
    ) -> Result<(), Failure> {
        if !id.environment.is_production() {
            return Ok(());
        }
        let alias = unit::alias_of(id)?;
        let is_changed = match live {
            Some(live) => self.systemd.point_alias(&alias, &unit::name_of(live)?).await?,
            None => self.systemd.remove_alias(&alias).await?,
        };
        if is_changed {
            self.systemd.reload().await?;
        }
        Ok(())
    }

    /// A name that would mean a unit that is gone is taken away with it.
    pub(super) async fn unpoint_project(&self, gone: &InstanceId) -> Result<(), Failure> {
        let environment = &gone.workload.environment;
        if !environment.environment.is_production() {
            return Ok(());
        }
        let alias = unit::alias_of(environment)?;
        if self.systemd.alias_target(&alias).await? == Some(unit::name_of(gone)?) {
            self.systemd.remove_alias(&alias).await?;
        }
        Ok(())
    }
}
