//! What the kernel says of control groups, of version 1 and 2: who is in one, and how many were killed there for memory.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

const ROOT: &str = "/sys/fs/cgroup";

/// Where the control groups that systemd makes may be found: version 2 alone, beside version 1, version 1 alone.
const OF_SYSTEMD: [&str; 3] = ["", "unified", "systemd"];

/// The processes of a control group by its path below the root, as systemd tells it, and of those inside of it.
pub fn processes_of(group: &Path) -> Vec<u32> {
    let Ok(inside) = group.strip_prefix("/") else {
        return Vec::new();
    };
    let found = OF_SYSTEMD
        .iter()
        .map(|hierarchy| Path::new(ROOT).join(hierarchy).join(inside))
        .find(|folder| folder.join("cgroup.procs").exists());
    found.map_or_else(Vec::new, |folder| below(&folder))
}

fn below(folder: &Path) -> Vec<u32> {
    let text = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    let mut found: Vec<u32> = text.lines().filter_map(|line| line.parse().ok()).collect();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(below(&entry.path()));
        }
    }
    found
}

/// The processes of the control group this process is in.
pub(super) fn own_processes() -> Vec<u32> {
    let own = own_groups().into_iter();
    let of_systemd = own.filter(|(name, _)| name.is_empty() || name == "name=systemd");
    of_systemd
        .map(|(_, path)| processes_of(&path))
        .find(|found| !found.is_empty())
        .unwrap_or_default()
}

/// What the kernel counted in one control group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MemoryKills {
    /// The group, by its number in the file system.
    pub(super) group: u64,
    /// How many of its processes were killed for memory, whosever memory it was that was used up.
    pub(super) count: u64,
    /// Whether its own limit was ever reached. Where it was not, all groups above it or the machine had no memory left.
    pub(super) reached_limit: bool,
}

/// The kernel's count for the control group this process is in.
pub(super) fn own_memory_kills() -> Option<MemoryKills> {
    own_groups().into_iter().find_map(|(name, path)| {
        let inside = path.strip_prefix("/").ok()?;
        match name.as_str() {
            "" => kills_of(&Path::new(ROOT).join(inside)),
            "memory" => kills_of_version_1(&Path::new(ROOT).join("memory").join(inside)),
            _ => None,
        }
    })
}

fn kills_of(folder: &Path) -> Option<MemoryKills> {
    let text = fs::read_to_string(folder.join("memory.events")).ok()?;
    Some(MemoryKills {
        group: fs::metadata(folder).ok()?.ino(),
        count: count_of("oom_kill", &text)?,
        reached_limit: count_of("oom", &text).is_some_and(|times| times > 0),
    })
}

fn kills_of_version_1(folder: &Path) -> Option<MemoryKills> {
    let text = fs::read_to_string(folder.join("memory.oom_control")).ok()?;
    let denied = fs::read_to_string(folder.join("memory.failcnt")).unwrap_or_default();
    Some(MemoryKills {
        group: fs::metadata(folder).ok()?.ino(),
        count: count_of("oom_kill", &text)?,
        reached_limit: denied.trim().parse::<u64>().is_ok_and(|times| times > 0),
    })
}

/// Whether the kernel tells of kills in this control group only to whoever looks, and ends one process of it alone:
/// systemd does not see that in version 1.
pub(super) fn is_blind() -> bool {
    own_groups().iter().any(|(name, _)| name == "memory")
}

/// Lines `NAME COUNT`.
fn count_of(name: &str, text: &str) -> Option<u64> {
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .find(|(found, _)| *found == name)
        .and_then(|(_, count)| count.trim().parse().ok())
}

/// Lines `NUMBER:NAME[,NAME]:PATH`; version 2 has no name.
fn own_groups() -> Vec<(String, PathBuf)> {
    groups_in(&fs::read_to_string("/proc/self/cgroup").unwrap_or_default())
}

fn groups_in(text: &str) -> Vec<(String, PathBuf)> {
    text.lines()
        .filter_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            Some((parts.next()?.to_owned(), PathBuf::from(parts.next()?)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_are_understood() {
        let found = groups_in("4:memory:/a.slice/b.service\n1:name=systemd:/a:b\n0::/c\n");
        assert_eq!(found[0], ("memory".into(), "/a.slice/b.service".into()));
        assert_eq!(found[1], ("name=systemd".into(), "/a:b".into()));
        assert_eq!(found[2], (String::new(), "/c".into()));
    }

    #[test]
    fn a_kill_at_the_own_limit_is_told_from_one_that_others_brought_about() {
        let group = tempfile::tempdir().unwrap();
        let kills = |events: &str| {
            fs::write(group.path().join("memory.events"), events).unwrap();
            kills_of(group.path()).map(|kills| (kills.count, kills.reached_limit))
        };
        assert_eq!(
            kills("low 0\noom 3\noom_kill 2\noom_group_kill 0\n"),
            Some((2, true))
        );
        assert_eq!(kills("low 0\noom 0\noom_kill 2\n"), Some((2, false)));
        assert_eq!(kills("low 0\n"), None);
        let kills = |control: &str, denied: &str| {
            fs::write(group.path().join("memory.oom_control"), control).unwrap();
            fs::write(group.path().join("memory.failcnt"), denied).unwrap();
            kills_of_version_1(group.path()).map(|kills| (kills.count, kills.reached_limit))
        };
        assert_eq!(
            kills("oom_kill_disable 0\nunder_oom 0\noom_kill 7\n", "12\n"),
            Some((7, true))
        );
        assert_eq!(kills("under_oom 0\noom_kill 7\n", "0\n"), Some((7, false)));
        assert_eq!(kills("oom_kill_disable 0\nunder_oom 0\n", "0\n"), None);
        assert_eq!(kills_of(Path::new("/no/such/group")), None);
    }

    #[test]
    fn a_group_that_is_not_there_has_no_processes() {
        assert!(processes_of(Path::new("/no/such.slice")).is_empty());
        assert!(processes_of(Path::new("relative")).is_empty());
    }
}
