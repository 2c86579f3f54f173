//! What there is of a project on the machine that somebody else could go for: looked up by root, of the machine itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirEntry};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::layout::Layout;
use hostkit_core::names::EnvironmentName;
use hostkit_core::project::EnvironmentId;

use super::Tenant;
use crate::firewall::Nft;

/// Folders everybody may make files in.
const SHARED_BY_ALL: [&str; 3] = ["/tmp", "/var/tmp", "/dev/shm"];
/// Of each kind so many are enough: what refuses one refuses them all.
const ENOUGH: usize = 3;
/// The most entries that are looked at in search of a kind.
const LONGEST_LOOK: usize = 10_000;

/// What there is of one project.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Its processes.
    pub(super) processes: Vec<i32>,
    /// Files in whose folders the kernel keeps its control groups.
    pub(super) control_groups: Vec<PathBuf>,
    /// Ports that are its own, stable ones and those of instances.
    pub(super) ports: BTreeMap<u16, Listened>,
    /// Ports of its add-ons, which are for its programs alone.
    pub(super) addon_ports: BTreeMap<u16, Listened>,
    /// Unix sockets it listens on.
    pub(super) sockets: Vec<PathBuf>,
    /// Files of its in folders for everybody.
    pub(super) temporary: Vec<PathBuf>,
    /// What root keeps of its instances.
    pub(super) instance_files: Vec<PathBuf>,
}

/// Ports, each with where somebody listens.
type Ports = BTreeMap<u16, Listened>;

/// At which loopback addresses somebody listens on a port.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Listened {
    pub(super) v4: bool,
    pub(super) v6: bool,
}

pub(super) fn look(layout: &Layout, of: &Tenant) -> Result<Found, Failure> {
    let processes = processes(of.uid);
    let production = EnvironmentId::new(of.project.clone(), EnvironmentName::production());
    let is_file = |entry: &DirEntry| entry.file_type().is_ok_and(|kind| kind.is_file());
    let is_socket = |entry: &DirEntry| entry.file_type().is_ok_and(|kind| kind.is_socket());
    let is_theirs = |entry: &DirEntry| is_file(entry) && entry.metadata().is_ok_and(|m| m.uid() == of.uid);
    let (ports, addon_ports) = ports(of.uid)?;
    let control_groups: BTreeSet<PathBuf> = processes.iter().filter_map(|pid| control_group(*pid)).collect();
    Ok(Found {
        control_groups: control_groups.into_iter().collect(),
        ports,
        addon_ports,
        sockets: search(&layout.home(&of.project), is_socket),
        temporary: SHARED_BY_ALL
            .iter()
            .flat_map(|folder| search(Path::new(folder), is_theirs))
            .collect(),
        instance_files: search(&layout.instances(&production), is_file),
        processes,
    })
}

fn processes(uid: u32) -> Vec<i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let theirs = entries.filter(|entry| entry.metadata().is_ok_and(|meta| meta.uid() == uid));
    let numbers = theirs.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.take(ENOUGH).collect()
}

/// The file that takes processes into the group of this one, where systemd keeps it.
fn control_group(pid: i32) -> Option<PathBuf> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let below = |root: &str, group: &str| PathBuf::from(format!("/sys/fs/cgroup{root}{group}/cgroup.procs"));
    let places = text.lines().flat_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        match (parts.next(), parts.next()) {
            (Some(""), Some(group)) => vec![below("", group), below("/unified", group)],
            (Some("name=systemd"), Some(group)) => vec![below("/systemd", group)],
            _ => Vec::new(),
        }
    });
    places.into_iter().find(|place| place.exists())
}

/// The ports that the rules in force name, with those its programs listen on, whatever the rules say; and the ports of
/// services that the rules let it connect to, as one of few.
fn ports(uid: u32) -> Result<(Ports, Ports), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::new(Kind::Internal, format!("cannot look for ports: {e}")))?;
    let rules = runtime.block_on(Nft.sets())?;
    let mut own: BTreeSet<u16> = rules
        .owners
        .into_iter()
        .filter(|(_, owner)| *owner == uid)
        .map(|(port, _)| port)
        .collect();
    let callable = rules.callers.into_iter().filter(|(_, caller)| *caller == uid);
    let of_addons: BTreeSet<u16> = callable.map(|(port, _)| port).collect();
    let mut listened: BTreeMap<u16, Listened> = BTreeMap::new();
    for (table, is_v6) in [("/proc/net/tcp", false), ("/proc/net/tcp6", true)] {
        let text = fs::read_to_string(table).unwrap_or_default();
        for listener in text.lines().filter_map(listener) {
            let at = listened.entry(listener.port).or_default();
            at.v4 |= !is_v6 || listener.is_everywhere;
            at.v6 |= is_v6;
            if listener.uid == uid {
                own.insert(listener.port);
            }
        }
    }
    let with_listeners = |ports: BTreeSet<u16>| -> Ports {
        ports
            .into_iter()
            .map(|port| (port, listened.get(&port).copied().unwrap_or_default()))
            .collect()
    };
    Ok((with_listeners(own), with_listeners(of_addons)))
}

#[derive(Debug, PartialEq, Eq)]
struct Listener {
    port: u16,
    uid: u32,
    /// Whether it listens at every address.
    is_everywhere: bool,
}

/// A line of the kernel's table of sockets, where somebody listens on it.
fn listener(line: &str) -> Option<Listener> {
    const LISTEN: &str = "0A";
    let words: Vec<&str> = line.split_whitespace().collect();
    let (address, port) = words.get(1)?.rsplit_once(':')?;
    if words.get(3) != Some(&LISTEN) {
        return None;
    }
    Some(Listener {
        port: u16::from_str_radix(port, 16).ok()?,
        uid: words.get(7)?.parse().ok()?,
        is_everywhere: address.chars().all(|digit| digit == '0'),
    })
}

/// The first entries below a folder that are wanted. Links are not followed.
fn search(root: &Path, is_wanted: impl Fn(&DirEntry) -> bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    let mut looked = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            looked += 1;
            if found.len() == ENOUGH || looked > LONGEST_LOOK {
                return found;
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(entry.path());
            } else if is_wanted(&entry) {
                found.push(entry.path());
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_that_somebody_listens_on_are_told_from_others() {
        let line = "   0: 0100007F:5014 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1002        0 4711 1";
        let expected = Listener {
            port: 20500,
            uid: 1002,
            is_everywhere: false,
        };
        assert_eq!(listener(line), Some(expected));
        assert!(
            listener(&line.replace("0100007F", "00000000"))
                .unwrap()
                .is_everywhere
        );
        assert_eq!(listener(&line.replace(" 0A ", " 01 ")), None);
        for broken in ["", "0: x", "0: a:zz b 0A c d e 1002"] {
            assert_eq!(listener(broken), None, "{broken}");
        }
    }

    #[test]
    fn a_search_ends_and_follows_no_link() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..9 {
            fs::write(folder.path().join(number.to_string()), "").unwrap();
        }
        assert_eq!(search(folder.path(), |_| true).len(), ENOUGH);
        let other = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(folder.path(), other.path().join("link")).unwrap();
        assert_eq!(search(other.path(), |entry| entry.file_name() == "1").len(), 0);
    }

    #[test]
    fn ones_own_processes_are_found() {
        let mine = processes(nix::unistd::getuid().as_raw());
        assert!(!mine.is_empty() && mine.len() <= ENOUGH);
    }
}
