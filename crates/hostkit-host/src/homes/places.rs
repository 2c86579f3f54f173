//! The table of places: names, owners and modes, without touching any.

use super::Owners;
use crate::beneath::Rights;

/// The variables of the live release.
pub(super) const VARIABLES: &str = ".env";
/// The link to the live release.
pub(super) const LIVE: &str = "app";
/// All releases of an environment.
pub(super) const RELEASES: &str = "releases";
/// All environments but production.
pub(super) const ENVIRONMENTS: &str = "environments";
/// Every name HostKit makes in the folder of an environment; the last but two is a copy of a backup that waits.
pub(super) const OF_ENVIRONMENT: &[&str] = &[
    LIVE,
    VARIABLES,
    RELEASES,
    "shared",
    "shared.restore",
    ".cache",
    "build",
];

/// To enter a folder.
const ENTER: u16 = 1;

/// A folder of root's that the project reads and the front door passes through.
pub(super) fn passage(root: u32, owners: &Owners) -> Rights {
    Rights::new(root, owners.project.gid, 0o750).grant(owners.front_door, ENTER)
}

/// The project's own.
pub(super) fn private(owners: &Owners, mode: u32) -> Rights {
    Rights::new(owners.project.uid, owners.project.gid, mode)
}

/// Folders below that of an environment.
pub(super) fn of_environment(root: u32, owners: &Owners) -> Vec<(&'static str, Rights)> {
    vec![
        (RELEASES, passage(root, owners)),
        ("shared", private(owners, 0o700)),
        (".cache", private(owners, 0o700)),
        // A folder of its own for each build, made and removed by root.
        ("build", Rights::new(root, owners.project.gid, 0o750)),
    ]
}

/// Folders that only a home has.
pub(super) fn of_home(root: u32, owners: &Owners) -> Vec<(&'static str, Rights)> {
    vec![
        (ENVIRONMENTS, passage(root, owners)),
        (".ssh", Rights::new(root, owners.project.gid, 0o750)),
    ]
}

/// The folder of a project's logs. With the set-group bit, what its programs make there is for the readers of logs, also
/// after a rotation.
pub(super) fn logs(owners: &Owners) -> Rights {
    Rights::new(owners.project.uid, owners.log_readers, 0o2750)
}
