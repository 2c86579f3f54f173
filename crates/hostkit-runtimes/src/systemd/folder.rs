//! What root keeps of an instance, and where. The folder is root's alone: systemd opens its files for the roles of the
//! unit, so that no account of a project needs a way in.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use hostkit_core::layout::Layout;
use hostkit_core::workload::InstanceId;
use hostkit_host::launch_role::LaunchSpec;

use super::unit;

/// Makes a folder that every account may pass through, whatever rights new files of ours get.
pub(crate) fn open_to_all(path: &Path) -> std::io::Result<()> {
    hostkit_host::files::create_folder(path, 0o755)?;
    if std::fs::metadata(path)?.mode() & 0o755 != 0o755 {
        std::fs::set_permissions(path, Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// Where one instance is described.
#[derive(Debug, Clone)]
pub(super) struct InstanceFolder {
    pub(super) id: InstanceId,
    pub(super) path: PathBuf,
    /// The project's own folder of this instance, made by systemd.
    pub(super) state: PathBuf,
    /// There while somebody asked for an end of the program.
    pub(super) asked: PathBuf,
}

impl InstanceFolder {
    pub(super) fn new(layout: &Layout, id: &InstanceId) -> Self {
        InstanceFolder {
            path: layout.instances(&id.workload.environment).join(id.to_string()),
            state: PathBuf::from("/run").join(unit::state_folder(id)),
            asked: layout.run().join("asked").join(id.to_string()),
            id: id.clone(),
        }
    }

    /// What `launch` is told.
    pub(super) fn spec_file(&self) -> PathBuf {
        self.path.join("spec.json")
    }

    /// The release's variables.
    pub(super) fn variables_file(&self) -> PathBuf {
        self.path.join("variables.env")
    }

    /// The port and the host.
    pub(super) fn address_file(&self) -> PathBuf {
        self.path.join("address.env")
    }

    /// What the instance is; nothing while that is not written.
    pub(super) fn spec(&self) -> Option<LaunchSpec> {
        serde_json::from_slice(&std::fs::read(self.spec_file()).ok()?).ok()
    }
}
