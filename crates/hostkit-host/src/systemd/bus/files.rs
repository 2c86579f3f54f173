//! Unit files, and the links beside them.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use hostkit_core::kind::{Failure, Kind};

use super::Bus;
use super::link::Call;
use super::timeouts::RELOAD;
use crate::files;
use crate::systemd::unit_file::UnitFile;
use crate::systemd::{UnitFiles, UnitName};

const MODE: u32 = 0o644;

/// Links made or removed: what was done, the link, what it leads to.
type LinkChanges = Vec<(String, String, String)>;

#[async_trait::async_trait]
impl UnitFiles for Bus {
    async fn ensure_file(&self, name: &UnitName, file: &UnitFile) -> Result<bool, Failure> {
        let text = file.render()?;
        let path = self.path(name);
        if holds(&path, text.as_bytes()) {
            return Ok(false);
        }
        files::write_atomic(&path, text.as_bytes(), MODE).map_err(|e| cannot("write", &path, &e))?;
        Ok(true)
    }

    async fn remove_file(&self, name: &UnitName) -> Result<bool, Failure> {
        remove(&self.path(name))
    }

    async fn point_alias(&self, alias: &UnitName, target: &UnitName) -> Result<bool, Failure> {
        let link = self.path(alias);
        if alias.kind() != target.kind() {
            let message = format!("cannot make `{alias}` a name of `{target}`: they are of different kinds");
            return Err(Failure::new(Kind::Invalid, message));
        }
        if self.alias_target(alias).await?.as_ref() == Some(target) {
            return Ok(false);
        }
        if fs::symlink_metadata(&link).is_ok_and(|found| !found.is_symlink()) {
            let message = format!("cannot make `{alias}` a name of `{target}`: it is a unit itself");
            return Err(Failure::new(Kind::Conflict, message));
        }
        files::swap_symlink(&link, Path::new(target.as_str())).map_err(|e| cannot("link", &link, &e))?;
        Ok(true)
    }

    async fn remove_alias(&self, alias: &UnitName) -> Result<bool, Failure> {
        let link = self.path(alias);
        match fs::symlink_metadata(&link) {
            Ok(found) if found.is_symlink() => remove(&link),
            _ => Ok(false),
        }
    }

    async fn alias_target(&self, alias: &UnitName) -> Result<Option<UnitName>, Failure> {
        let target = fs::read_link(self.path(alias)).ok();
        let name = target.as_deref().and_then(Path::file_name);
        Ok(name.and_then(|name| UnitName::parse(name.to_str()?).ok()))
    }

    async fn enable(&self, name: &UnitName) -> Result<bool, Failure> {
        let body = (&[name.as_str()][..], false, true);
        let answer = self
            .link
            .call(Call::manager("EnableUnitFiles", &body))
            .await
            .and_then(|answer| Ok(answer.body().deserialize::<(bool, LinkChanges)>()?));
        match answer {
            Ok((true, changes)) => Ok(!changes.is_empty()),
            Ok((false, _)) => {
                let message = format!("cannot enable `{name}`: it has no `[Install]` section");
                Err(Failure::new(Kind::Internal, message))
            }
            Err(refusal) => Err(refusal.into_failure("enable", format!("`{name}`"))),
        }
    }

    async fn disable(&self, name: &UnitName) -> Result<bool, Failure> {
        let body = (&[name.as_str()][..], false);
        let answer = self
            .link
            .call(Call::manager("DisableUnitFiles", &body))
            .await
            .and_then(|answer| Ok(answer.body().deserialize::<LinkChanges>()?));
        match answer {
            Ok(changes) => Ok(!changes.is_empty()),
            Err(refusal) if refusal.is_no_such_unit() => Ok(false),
            Err(refusal) => Err(refusal.into_failure("disable", format!("`{name}`"))),
        }
    }

    async fn reload(&self) -> Result<(), Failure> {
        let call = Call {
            patience: RELOAD,
            ..Call::manager("Reload", &())
        };
        match self.link.call(call).await {
            Ok(_) => Ok(()),
            Err(refusal) => Err(refusal.into_failure("reload", "unit files")),
        }
    }
}

impl Bus {
    /// Names are parsed and have no `/`: this is always inside of the folder.
    fn path(&self, name: &UnitName) -> PathBuf {
        self.folder.join(name.as_str())
    }

    /// The units that have a file here; links to others are not units.
    pub(super) fn files(&self, prefix: &str) -> Result<BTreeSet<UnitName>, Failure> {
        let entries = match fs::read_dir(&self.folder) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
            Err(e) => return Err(cannot("read", &self.folder, &e)),
            Ok(entries) => entries,
        };
        Ok(entries
            .flatten()
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
            .filter_map(|entry| UnitName::parse(entry.file_name().to_str()?).ok())
            .filter(|name| name.as_str().starts_with(prefix))
            .collect())
    }
}

fn holds(path: &Path, content: &[u8]) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_file() && found.mode() & 0o7777 == MODE)
        && fs::read(path).is_ok_and(|there| there == content)
}

fn remove(path: &Path) -> Result<bool, Failure> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(cannot("remove", path, &e)),
    }
}

fn cannot(verb: &str, path: &Path, why: &io::Error) -> Failure {
    let kind = match why.kind() {
        io::ErrorKind::PermissionDenied => Kind::Denied,
        _ => Kind::Internal,
    };
    Failure::new(kind, format!("cannot {verb} `{}`: {why}", path.display()))
}
