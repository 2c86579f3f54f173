//! What the kernel has counted for a unit's control group: memory, processor time, processes killed for memory. Reads
//! both hierarchies, the unified one (v2) and the older one with a folder for each resource (v1, also mixed).

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::size::ByteSize;

/// Groups within groups that are looked at: systemd makes two or three.
const DEEPEST: usize = 8;

/// What one group used. A figure is none where the kernel keeps it not, or where there is no limit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Figures {
    /// Memory in use, with the disk's cache.
    pub memory: Option<ByteSize>,
    /// The most it was (Linux 5.19 and newer on v2).
    pub memory_peak: Option<ByteSize>,
    /// The most it may be.
    pub memory_limit: Option<ByteSize>,
    /// Processor time since the group was made.
    pub processor: Option<Duration>,
    /// Processes that the kernel killed because the memory was used up.
    pub memory_kills: Option<u64>,
    /// Processes and threads now.
    pub tasks: Option<u64>,
    /// The processes in it and in the groups below.
    pub processes: Vec<u32>,
}

/// The control groups of the machine.
#[derive(Debug, Clone)]
pub struct ControlGroups {
    root: PathBuf,
}

impl Default for ControlGroups {
    fn default() -> Self {
        ControlGroups::at("/sys/fs/cgroup")
    }
}

impl ControlGroups {
    /// The hierarchy mounted somewhere else.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        ControlGroups { root: root.into() }
    }

    /// The figures of a group by its path, as systemd tells it (`ControlGroup`: `/hostkit.slice/…/x.service`); none
    /// where there is no such group.
    pub fn figures(&self, group: &str) -> Result<Option<Figures>, Failure> {
        let below = relative(group)?;
        let found = if self.root.join("cgroup.controllers").exists() {
            self.unified(below)
        } else {
            self.by_resource(below)
        };
        found.map_err(|e| {
            Failure::new(
                Kind::Internal,
                format!("cannot read the figures of `{group}`: {e}"),
            )
        })
    }

    fn unified(&self, below: &Path) -> io::Result<Option<Figures>> {
        let group = self.root.join(below);
        if !group.is_dir() {
            return Ok(None);
        }
        let at = |name: &str| group.join(name);
        Ok(Some(Figures {
            memory: number(&at("memory.current"))?.map(ByteSize),
            memory_peak: number(&at("memory.peak"))?.map(ByteSize),
            memory_limit: number(&at("memory.max"))?.map(ByteSize),
            processor: entry(&at("cpu.stat"), "usage_usec")?.map(Duration::from_micros),
            memory_kills: entry(&at("memory.events"), "oom_kill")?,
            tasks: number(&at("pids.current"))?,
            processes: processes(&group)?,
        }))
    }

    fn by_resource(&self, below: &Path) -> io::Result<Option<Figures>> {
        // The first of these folders that has the group; where none has it, the first.
        let of = |names: &[&str]| {
            let mut folders = names.iter().map(|name| self.root.join(name).join(below));
            let first = folders.next().unwrap_or_default();
            if first.is_dir() {
                return first;
            }
            folders.find(|folder| folder.is_dir()).unwrap_or(first)
        };
        let memory = of(&["memory"]);
        let processor = of(&["cpuacct", "cpu,cpuacct"]);
        // Where the two are apart, systemd makes no group for the one; the unified hierarchy beside them counts it always.
        let unified = self.root.join("unified").join(below);
        let tasks = of(&["pids"]);
        let all = of(&["unified", "systemd", "pids", "memory"]);
        if ![&memory, &processor, &tasks, &all]
            .iter()
            .any(|folder| folder.is_dir())
        {
            return Ok(None);
        }
        // "No limit" is the greatest number of pages here.
        let limit = number(&memory.join("memory.limit_in_bytes"))?
            .filter(|bytes| *bytes < i64::MAX as u64 - (1 << 16));
        Ok(Some(Figures {
            memory: number(&memory.join("memory.usage_in_bytes"))?.map(ByteSize),
            memory_peak: number(&memory.join("memory.max_usage_in_bytes"))?.map(ByteSize),
            memory_limit: limit.map(ByteSize),
            processor: match number(&processor.join("cpuacct.usage"))? {
                Some(nanoseconds) => Some(Duration::from_nanos(nanoseconds)),
                None => entry(&unified.join("cpu.stat"), "usage_usec")?.map(Duration::from_micros),
            },
            memory_kills: entry(&memory.join("memory.oom_control"), "oom_kill")?,
            tasks: number(&tasks.join("pids.current"))?,
            processes: processes(&all)?,
        }))
    }
}

/// A group is named from the root of the hierarchy and stays below it.
fn relative(group: &str) -> Result<&Path, Failure> {
    let below = group.strip_prefix('/').map(Path::new);
    below
        .filter(|below| {
            below
                .components()
                .all(|part| matches!(part, Component::Normal(_)))
        })
        .filter(|below| !below.as_os_str().is_empty() && !group.contains('\0'))
        .ok_or_else(|| {
            Failure::new(
                Kind::Invalid,
                format!("cannot read the figures of {group:?}: it is not a control group"),
            )
        })
}

/// The text of a file; none where there is none, as for a resource that is not counted or a group that just ended.
fn text(path: &Path) -> io::Result<Option<String>> {
    const NO_DEVICE: i32 = nix::libc::ENODEV;
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == io::ErrorKind::NotFound || e.raw_os_error() == Some(NO_DEVICE) => Ok(None),
        Err(e) => Err(e),
    }
}

/// The number in a file; `max` is none.
fn number(path: &Path) -> io::Result<Option<u64>> {
    Ok(text(path)?.and_then(|text| text.trim().parse().ok()))
}

/// The number behind a word in a file of lines.
fn entry(path: &Path, word: &str) -> io::Result<Option<u64>> {
    let found = text(path)?.and_then(|text| {
        text.lines().find_map(|line| {
            let (name, value) = line.split_once(' ')?;
            (name == word).then(|| value.trim().parse().ok())?
        })
    });
    Ok(found)
}

fn processes(group: &Path) -> io::Result<Vec<u32>> {
    let mut found = Vec::new();
    collect(group, 0, &mut found)?;
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

fn collect(group: &Path, depth: usize, found: &mut Vec<u32>) -> io::Result<()> {
    // A group of threads says that it cannot list processes; its parent lists them.
    let pids = text(&group.join("cgroup.procs")).or_else(|e| match e.raw_os_error() {
        Some(nix::libc::EOPNOTSUPP) => Ok(None),
        _ => Err(e),
    })?;
    found.extend(
        pids.iter()
            .flat_map(|pids| pids.lines())
            .filter_map(|pid| pid.parse::<u32>().ok()),
    );
    if depth == DEEPEST {
        return Ok(());
    }
    let entries = match fs::read_dir(group) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e),
    };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect(&entry.path(), depth + 1, found)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
