//! Unit files of the fake.

use hostkit_core::kind::{Failure, Kind};
use hostkit_host::systemd::unit_file::UnitFile;
use hostkit_host::systemd::{UnitFiles, UnitName};

use super::FakeSystemd;

#[async_trait::async_trait]
impl UnitFiles for FakeSystemd {
    async fn ensure_file(&self, name: &UnitName, file: &UnitFile) -> Result<bool, Failure> {
        self.journal.note(format!("ensure_file {name}"));
        self.faults.pass("ensure_file").await?;
        file.render()?;
        let mut state = self.state();
        if state.files.get(name) == Some(file) {
            return Ok(false);
        }
        state.files.insert(name.clone(), file.clone());
        Ok(true)
    }

    async fn remove_file(&self, name: &UnitName) -> Result<bool, Failure> {
        self.journal.note(format!("remove_file {name}"));
        self.faults.pass("remove_file").await?;
        Ok(self.state().files.remove(name).is_some())
    }

    async fn point_alias(&self, alias: &UnitName, target: &UnitName) -> Result<bool, Failure> {
        self.journal.note(format!("point_alias {alias} {target}"));
        self.faults.pass("point_alias").await?;
        let refused = |kind, why: &str| {
            let message = format!("cannot make `{alias}` a name of `{target}`: {why}");
            Err(Failure::new(kind, message))
        };
        if alias.kind() != target.kind() {
            return refused(Kind::Invalid, "they are of different kinds");
        }
        let mut state = self.state();
        if state.files.contains_key(alias) {
            return refused(Kind::Conflict, "it is a unit itself");
        }
        let before = state.aliases.insert(alias.clone(), target.clone());
        Ok(before.as_ref() != Some(target))
    }

    async fn remove_alias(&self, alias: &UnitName) -> Result<bool, Failure> {
        self.journal.note(format!("remove_alias {alias}"));
        self.faults.pass("remove_alias").await?;
        Ok(self.state().aliases.remove(alias).is_some())
    }

    async fn alias_target(&self, alias: &UnitName) -> Result<Option<UnitName>, Failure> {
        self.faults.pass("alias_target").await?;
        Ok(self.state().aliases.get(alias).cloned())
    }

    async fn enable(&self, name: &UnitName) -> Result<bool, Failure> {
        self.journal.note(format!("enable {name}"));
        self.faults.pass("enable").await?;
        let mut state = self.state();
        let Some(file) = state.files.get(name) else {
            let message = format!("cannot enable `{name}`: there is no such unit");
            return Err(Failure::new(Kind::NotFound, message));
        };
        if file.written("WantedBy")?.is_empty() {
            let message = format!("cannot enable `{name}`: it has no `[Install]` section");
            return Err(Failure::new(Kind::Internal, message));
        }
        Ok(state.enabled.insert(name.clone()))
    }

    async fn disable(&self, name: &UnitName) -> Result<bool, Failure> {
        self.journal.note(format!("disable {name}"));
        self.faults.pass("disable").await?;
        Ok(self.state().enabled.remove(name))
    }

    async fn reload(&self) -> Result<(), Failure> {
        self.journal.note("reload");
        self.faults.pass("reload").await?;
        self.state().reload();
        let _ = self.changed.send(None);
        Ok(())
    }
}
