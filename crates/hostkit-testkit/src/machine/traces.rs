//! What a world leaves on the host: nothing, and this is how a test looks.

use std::fs;

use super::base::Base;
use super::cgroups;
use super::container::is_running;

/// Everything on the host that belongs to the world of this name: processes, mounts, cgroups, folders.
pub fn traces(name: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Ok(process) = entry.file_name().to_string_lossy().parse() else {
            continue;
        };
        let mentions = |file: &str| {
            let bytes = fs::read(entry.path().join(file)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).contains(name)
        };
        if is_running(process) && (mentions("cmdline") || mentions("cgroup")) {
            let command = fs::read(entry.path().join("comm")).unwrap_or_default();
            let command = String::from_utf8_lossy(&command).trim_end().to_owned();
            found.push(format!("process {process} ({command})"));
        }
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    found.extend(
        mounts
            .lines()
            .filter(|line| line.contains(name))
            .map(|line| format!("mount {line}")),
    );
    let groups = cgroups::named(name);
    found.extend(groups.iter().map(|path| format!("cgroup {}", path.display())));
    let machines = Base::find().machines();
    for parent in [machines.as_path(), "/run/systemd/nspawn/propagate".as_ref()] {
        let entries = fs::read_dir(parent).into_iter().flatten().flatten();
        let left = entries.filter(|entry| entry.file_name().to_string_lossy().contains(name));
        found.extend(left.map(|entry| format!("folder {}", entry.path().display())));
    }
    found
}
