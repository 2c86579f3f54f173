//! The cgroups of one machine, one in each hierarchy of the host. Sharing one between machines would have the second
//! machine's systemd find the first one's groups in its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const MOUNTED: &str = "/sys/fs/cgroup";

/// Folders below `/sys/fs/cgroup`. They are removed with this value, and what still runs in them is ended.
#[derive(Debug)]
pub(super) struct Cgroups(Vec<PathBuf>);

impl Cgroups {
    /// Makes one of this name in each hierarchy.
    pub(super) fn make(name: &str) -> Self {
        let mut made = Cgroups(Vec::new());
        for parent in parents() {
            let folder = parent.join(name);
            fs::create_dir(&folder)
                .unwrap_or_else(|error| panic!("cannot make the cgroup `{}`: {error}", folder.display()));
            made.0.push(folder.clone());
            for file in ["cpuset.cpus", "cpuset.mems"] {
                // In version 1 a new cpuset is empty, and nothing can enter it.
                if let Ok(value) = fs::read_to_string(parent.join(file))
                    && parent.starts_with(format!("{MOUNTED}/cpuset"))
                {
                    fs::write(folder.join(file), value).expect("a cpuset can be filled");
                }
            }
        }
        made
    }

    pub(super) fn folders(&self) -> &[PathBuf] {
        &self.0
    }

    /// Removes those that a killed test program left.
    pub(super) fn remove_named(name: &str) {
        drop(Cgroups(named(name)));
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        for folder in &self.0 {
            remove(folder);
        }
    }
}

/// Cgroups of all hierarchies whose names begin so.
pub(super) fn named(name: &str) -> Vec<PathBuf> {
    parents()
        .iter()
        .flat_map(|parent| fs::read_dir(parent).into_iter().flatten().flatten())
        .filter(|entry| {
            let found = entry.file_name().to_string_lossy().into_owned();
            found == name || found.strip_prefix(name).is_some_and(|rest| rest.starts_with('-'))
        })
        .map(|entry| entry.path())
        .collect()
}

/// Below the cgroup of this program in each hierarchy of version 1; at the top of version 2 where that is the only one,
/// because there a group with processes cannot hand controllers down.
fn parents() -> Vec<PathBuf> {
    let own = fs::read_to_string("/proc/self/cgroup").expect("`/proc/self/cgroup` can be read");
    let only_second = Path::new(MOUNTED).join("cgroup.controllers").exists();
    let parent = |line: &str| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?);
        if only_second {
            return Some(PathBuf::from(MOUNTED));
        }
        let hierarchy = match controllers.trim_start_matches("name=") {
            "" => "unified",
            named => named,
        };
        Some(
            Path::new(MOUNTED)
                .join(hierarchy)
                .join(path.trim_start_matches('/')),
        )
    };
    own.lines()
        .filter_map(parent)
        .filter(|path| path.is_dir())
        .collect()
}

/// The inner ones first. The kernel lets go of a group a moment after its last process.
fn remove(folder: &Path) {
    let started = Instant::now();
    while folder.exists() && started.elapsed() < Duration::from_secs(20) {
        remove_empty(folder);
        if folder.exists() {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn remove_empty(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_empty(&entry.path());
        }
    }
    if fs::remove_dir(folder).is_err() {
        let processes = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
        for process in processes.lines().filter_map(|line| line.parse().ok()) {
            kill(Pid::from_raw(process), Signal::SIGKILL).ok();
        }
    }
}
