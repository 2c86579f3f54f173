//! What a unit may see and do, typed. One list of settings becomes the lines of a unit file and the properties of a unit
//! without a file alike, so that a build and an instance cannot be shut in differently by accident.

use std::path::{Path, PathBuf};

use hostkit_core::kind::{Failure, Kind};

/// The walls around a unit. [`Sandbox::default`] has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sandbox {
    /// No program in it gains rights (setuid, file capabilities).
    pub no_new_privileges: bool,
    /// No capabilities, for root neither.
    pub no_capabilities: bool,
    /// Which of the system's folders are read-only.
    pub protect_system: ProtectSystem,
    /// What it sees of `/home`, `/root` and `/run/user`.
    pub protect_home: ProtectHome,
    /// `/tmp` and `/var/tmp` of its own.
    pub private_tmp: bool,
    /// No devices but the harmless ones.
    pub private_devices: bool,
    /// No network but a loopback of its own.
    pub private_network: bool,
    /// Shared memory and message queues of its own.
    pub private_ipc: bool,
    /// Accounts of its own: all others look like nobody.
    pub private_users: bool,
    /// `/proc/sys` and `/sys` are read-only.
    pub protect_kernel_tunables: bool,
    /// No kernel modules.
    pub protect_kernel_modules: bool,
    /// No kernel log.
    pub protect_kernel_logs: bool,
    /// The control groups are read-only.
    pub protect_control_groups: bool,
    /// The clock cannot be set.
    pub protect_clock: bool,
    /// The host's name cannot be set.
    pub protect_hostname: bool,
    /// Processes of other accounts are not in `/proc`.
    pub hide_processes: bool,
    /// Nothing but processes is in `/proc`: no memory, no load, no mounts of the machine.
    pub only_processes_in_proc: bool,
    /// The only sorts of sockets it may open, `AF_UNIX`; all where none are named.
    pub address_families: Vec<&'static str>,
    /// No namespaces of its own.
    pub restrict_namespaces: bool,
    /// No real-time scheduling.
    pub restrict_realtime: bool,
    /// No setuid or setgid files are made.
    pub restrict_suid_sgid: bool,
    /// No other execution domain.
    pub lock_personality: bool,
    /// System calls of the native architecture alone.
    pub native_system_calls: bool,
    /// The only system calls, by name or `@set`; all where none are named.
    pub system_calls: Vec<&'static str>,
    /// System calls taken out of these again.
    pub without_system_calls: Vec<&'static str>,
    /// Shared memory and queues of its account go when it ends.
    pub remove_ipc: bool,
    /// The rights new files do not get: `0o077`.
    pub umask: Option<u32>,
    /// Paths it may write to although what is above is read-only. Must exist.
    pub read_write: Vec<PathBuf>,
    /// Paths it may only read. Must exist.
    pub read_only: Vec<PathBuf>,
    /// Paths it does not see; those that do not exist are passed over.
    pub inaccessible: Vec<PathBuf>,
    /// Paths of the machine it sees at another place, or in a folder that is hidden from it.
    pub binds: Vec<Bind>,
    /// Folders that are empty, in memory and its own.
    pub temporary: Vec<PathBuf>,
}

impl Sandbox {
    /// The walls around every program of a project (`systemd-analyze security` scores them).
    ///
    /// Left standing open on purpose: memory that is both written and executed (every just-in-time compiler), `/proc` as a
    /// whole (Node counts processors in `/proc/stat`, and starts no workers where it finds none; processes of others are
    /// hidden), the resource calls (`getrlimit` is one of them), and netlink (`getifaddrs`). `RemoveIPC=` would take shared
    /// memory away from the next generation, which runs beside this one under the same account.
    pub fn for_projects() -> Self {
        Sandbox {
            no_new_privileges: true,
            no_capabilities: true,
            protect_system: ProtectSystem::Strict,
            protect_home: ProtectHome::Empty,
            private_tmp: true,
            private_devices: true,
            private_ipc: true,
            protect_kernel_tunables: true,
            protect_kernel_modules: true,
            protect_kernel_logs: true,
            protect_control_groups: true,
            protect_clock: true,
            protect_hostname: true,
            hide_processes: true,
            address_families: vec!["AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK"],
            restrict_namespaces: true,
            restrict_realtime: true,
            restrict_suid_sgid: true,
            lock_personality: true,
            native_system_calls: true,
            system_calls: vec!["@system-service"],
            without_system_calls: vec!["@privileged"],
            ..Sandbox::default()
        }
    }
}

/// Which folders are read-only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ProtectSystem {
    /// None.
    #[default]
    No,
    /// `/usr` and the boot loader's.
    Yes,
    /// These and `/etc`.
    Full,
    /// All but `/dev`, `/proc`, `/sys` and what is named.
    Strict,
}

/// What is seen of people's homes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ProtectHome {
    /// All.
    #[default]
    No,
    /// Nothing.
    Yes,
    /// All, but read-only.
    ReadOnly,
    /// Nothing but what [`Sandbox::binds`] puts there.
    Empty,
}

/// A path of the machine at a place of the sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bind {
    /// Where it is.
    pub from: PathBuf,
    /// Where it is seen.
    pub to: PathBuf,
    /// Whether it can be written to there.
    pub access: Access,
}

/// Whether something can be written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It can.
    ReadWrite,
    /// It cannot.
    ReadOnly,
}

impl Bind {
    /// A path at its own place.
    pub fn in_place(path: impl Into<PathBuf>, access: Access) -> Self {
        let from = path.into();
        Bind {
            to: from.clone(),
            from,
            access,
        }
    }
}

/// A setting, by systemd's name of it, in a form that becomes a line or a property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wall {
    /// `Key=yes`.
    Yes(&'static str),
    /// `Key=word`.
    Word(&'static str, &'static str),
    /// `CapabilityBoundingSet=`.
    NoCapabilities,
    /// `RestrictNamespaces=yes`.
    NoNamespaces,
    /// `SystemCallArchitectures=native`.
    NativeCalls,
    /// Only these, or all but these.
    Filter(&'static str, Only, Vec<&'static str>),
    /// `UMask=0077`.
    Umask(u32),
    /// `SystemCallErrorNumber=EPERM`: a call that is taken away fails like one without a right. Else it would kill the
    /// program, also one that only tries what works elsewhere.
    Refused,
    /// Checked paths, each with its prefix (`-`: passed over where it does not exist).
    Paths(&'static str, Vec<String>),
    /// Checked paths: from, to.
    Binds(&'static str, Vec<(String, String)>),
    /// Checked paths.
    Temporary(Vec<String>),
}

/// Which way a filter goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Only {
    These,
    Others,
}

impl Sandbox {
    /// All walls that stand. Fails for a path systemd could not be told.
    pub(super) fn walls(&self) -> Result<Vec<Wall>, Failure> {
        let flags = [
            ("NoNewPrivileges", self.no_new_privileges),
            ("PrivateTmp", self.private_tmp),
            ("PrivateDevices", self.private_devices),
            ("PrivateNetwork", self.private_network),
            ("PrivateIPC", self.private_ipc),
            ("PrivateUsers", self.private_users),
            ("ProtectKernelTunables", self.protect_kernel_tunables),
            ("ProtectKernelModules", self.protect_kernel_modules),
            ("ProtectKernelLogs", self.protect_kernel_logs),
            ("ProtectControlGroups", self.protect_control_groups),
            ("ProtectClock", self.protect_clock),
            ("ProtectHostname", self.protect_hostname),
            ("RestrictRealtime", self.restrict_realtime),
            ("RestrictSUIDSGID", self.restrict_suid_sgid),
            ("LockPersonality", self.lock_personality),
            ("RemoveIPC", self.remove_ipc),
        ];
        let mut walls: Vec<Wall> = flags
            .into_iter()
            .filter(|(_, is_up)| *is_up)
            .map(|(key, _)| Wall::Yes(key))
            .collect();
        let system = match self.protect_system {
            ProtectSystem::No => None,
            ProtectSystem::Yes => Some("yes"),
            ProtectSystem::Full => Some("full"),
            ProtectSystem::Strict => Some("strict"),
        };
        let home = match self.protect_home {
            ProtectHome::No => None,
            ProtectHome::Yes => Some("yes"),
            ProtectHome::ReadOnly => Some("read-only"),
            ProtectHome::Empty => Some("tmpfs"),
        };
        walls.extend(system.map(|word| Wall::Word("ProtectSystem", word)));
        walls.extend(home.map(|word| Wall::Word("ProtectHome", word)));
        walls.extend(
            self.hide_processes
                .then_some(Wall::Word("ProtectProc", "invisible")),
        );
        walls.extend(
            self.only_processes_in_proc
                .then_some(Wall::Word("ProcSubset", "pid")),
        );
        walls.extend(self.no_capabilities.then_some(Wall::NoCapabilities));
        walls.extend(self.restrict_namespaces.then_some(Wall::NoNamespaces));
        walls.extend(self.native_system_calls.then_some(Wall::NativeCalls));
        for (key, only, words) in [
            ("RestrictAddressFamilies", Only::These, &self.address_families),
            ("SystemCallFilter", Only::These, &self.system_calls),
            ("SystemCallFilter", Only::Others, &self.without_system_calls),
        ] {
            if !words.is_empty() {
                walls.push(Wall::Filter(key, only, words.clone()));
            }
        }
        let has_filter = !self.system_calls.is_empty() || !self.without_system_calls.is_empty();
        walls.extend(has_filter.then_some(Wall::Refused));
        walls.extend(self.umask.map(Wall::Umask));
        self.path_walls(&mut walls)?;
        Ok(walls)
    }

    fn path_walls(&self, walls: &mut Vec<Wall>) -> Result<(), Failure> {
        for (key, prefix, paths) in [
            ("ReadWritePaths", "", &self.read_write),
            ("ReadOnlyPaths", "", &self.read_only),
            ("InaccessiblePaths", "-", &self.inaccessible),
        ] {
            let texts = paths
                .iter()
                .map(|path| Ok(format!("{prefix}{}", checked(path)?)))
                .collect::<Result<Vec<_>, Failure>>()?;
            if !texts.is_empty() {
                walls.push(Wall::Paths(key, texts));
            }
        }
        for (key, access) in [
            ("BindPaths", Access::ReadWrite),
            ("BindReadOnlyPaths", Access::ReadOnly),
        ] {
            let pairs = self
                .binds
                .iter()
                .filter(|bind| bind.access == access)
                .map(|bind| Ok((checked(&bind.from)?, checked(&bind.to)?)))
                .collect::<Result<Vec<_>, Failure>>()?;
            if !pairs.is_empty() {
                walls.push(Wall::Binds(key, pairs));
            }
        }
        let temporary = self
            .temporary
            .iter()
            .map(|path| checked(path))
            .collect::<Result<Vec<_>, Failure>>()?;
        if !temporary.is_empty() {
            walls.push(Wall::Temporary(temporary));
        }
        Ok(())
    }
}

/// A path as text. Systemd's lists of paths have no way to write some characters, and mean something by others (`:`
/// between two paths): no path of ours has any of them.
fn checked(path: &Path) -> Result<String, Failure> {
    let refused = |why: &str| {
        Failure::new(
            Kind::Invalid,
            format!("cannot put `{}` into a sandbox: {why}", path.display()),
        )
    };
    let text = path.to_str().ok_or_else(|| refused("it is not UTF-8"))?;
    if !text.starts_with('/') || text.split('/').any(|part| part == "..") {
        return Err(refused("it is not absolute, or has `..` in it"));
    }
    if text
        .chars()
        .any(|c| c.is_control() || c.is_whitespace() || matches!(c, ':' | '"' | '\'' | '\\'))
    {
        return Err(refused(
            "it has blanks, quotes, `:`, `\\` or control characters in it",
        ));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_walls_unless_asked() {
        assert_eq!(Sandbox::default().walls().unwrap(), Vec::new());
    }

    #[test]
    fn hostile_paths_are_refused() {
        for path in [
            "relative",
            "",
            "/home/../etc",
            "/a b",
            "/a:b",
            "/a\nb",
            "/a\"b",
            "/a\\b",
            "/a'b",
            "/a\u{7f}",
            "/a\u{a0}b",
        ] {
            for sandbox in [
                Sandbox {
                    read_write: vec![path.into()],
                    ..Sandbox::default()
                },
                Sandbox {
                    inaccessible: vec![path.into()],
                    ..Sandbox::default()
                },
                Sandbox {
                    binds: vec![Bind::in_place(path, Access::ReadOnly)],
                    ..Sandbox::default()
                },
                Sandbox {
                    temporary: vec![path.into()],
                    ..Sandbox::default()
                },
            ] {
                assert_eq!(sandbox.walls().unwrap_err().kind, Kind::Invalid, "{path:?}");
            }
        }
    }
}
