//! What the kernel says about processes, from `/proc`: who is whose child, how much memory a tree uses, where it
//! listens, and whether a process id still means the process it meant.

mod sockets;

use std::fs;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

pub use sockets::listening;

/// A process for good: its id alone may be given to another one later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessMark {
    /// The process id.
    pub pid: u32,
    /// When it was started, in clock ticks since boot.
    pub start: u64,
    /// The boot this is about.
    pub boot: String,
}

impl ProcessMark {
    /// Marks a process that runs now.
    pub fn of(pid: u32) -> Option<Self> {
        Some(ProcessMark {
            pid,
            start: stat(pid)?.start,
            boot: boot_id(),
        })
    }

    /// Whether that very process still runs (one that ended and was not yet waited for does not).
    pub fn is_alive(&self) -> bool {
        self.boot == boot_id() && is_same_process(self.pid, self.start)
    }
}

/// One line of `/proc/PID/stat`, as far as it is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// `R`, `S`, `Z` …
    pub state: char,
    /// The parent.
    pub parent: u32,
    /// The process group.
    pub group: u32,
    /// The session.
    pub session: u32,
    /// When it was started, in clock ticks since boot.
    pub start: u64,
}

/// Facts about a process; `None` when it is gone.
pub fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let text = String::from_utf8_lossy(&text);
    // The name in parentheses may hold spaces and parentheses itself.
    let mut fields = text.get(text.rfind(')')? + 1..)?.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let mut number = || fields.next()?.parse().ok();
    let (parent, group, session) = (number()?, number()?, number()?);
    let start = fields.nth(15)?.parse().ok()?;
    Some(Stat {
        state,
        parent,
        group,
        session,
        start,
    })
}

/// When a process was started (clock ticks since boot).
pub fn start_time(pid: u32) -> Option<u64> {
    stat(pid).map(|s| s.start)
}

/// Whether the process with this id is the one that was started then, and has not ended.
pub fn is_same_process(pid: u32, start: u64) -> bool {
    stat(pid).is_some_and(|s| s.start == start && !matches!(s.state, 'Z' | 'X'))
}

/// Names this boot of the machine.
pub fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// All process ids there are.
pub fn all() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|e| e.file_name().to_str()?.parse().ok())
        .collect()
}

/// The processes of these sessions that have not ended.
pub fn of_sessions(sessions: &[u32]) -> Vec<u32> {
    let is_of = |s: Stat| sessions.contains(&s.session) && !matches!(s.state, 'Z' | 'X');
    all()
        .into_iter()
        .filter(|pid| stat(*pid).is_some_and(is_of))
        .collect()
}

/// The children of a process, also those that ended and were not yet waited for.
pub fn children(pid: u32) -> Vec<u32> {
    let mut found = Vec::new();
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return found;
    };
    for task in tasks.flatten() {
        match fs::read_to_string(task.path().join("children")) {
            Ok(list) => found.extend(
                list.split_ascii_whitespace()
                    .filter_map(|p| p.parse::<u32>().ok()),
            ),
            // A kernel without that file: the long way round.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && task.path().exists() => {
                return all()
                    .into_iter()
                    .filter(|p| stat(*p).is_some_and(|s| s.parent == pid))
                    .collect();
            }
            Err(_) => {}
        }
    }
    found
}

/// A process's children, their children and so on; without the process itself.
pub fn descendants(pid: u32) -> Vec<u32> {
    let mut found = children(pid);
    let mut next = 0;
    while next < found.len() {
        for child in children(found[next]) {
            if !found.contains(&child) {
                found.push(child);
            }
        }
        next += 1;
    }
    found
}

/// Memory in use by these processes, in bytes; pages they share are counted for each (an upper bound, cheap).
pub fn resident(pids: &[u32]) -> u64 {
    let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE)
        .ok()
        .flatten()
        .unwrap_or(4096) as u64;
    pids.iter()
        .filter_map(|pid| {
            let text = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
            text.split_ascii_whitespace().nth(1)?.parse::<u64>().ok()
        })
        .sum::<u64>()
        * page
}

/// Memory in use by these processes, in bytes, pages they share divided between them (exact, dear).
pub fn proportional(pids: &[u32]) -> u64 {
    pids.iter()
        .map(|pid| {
            let exact = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))
                .ok()
                .and_then(|text| {
                    let line = text.lines().find(|l| l.starts_with("Pss:"))?;
                    Some(line.split_ascii_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
                });
            exact.unwrap_or_else(|| resident(&[*pid]))
        })
        .sum()
}

/// Whether these processes use more than `limit` bytes together: the cheap sum first, the exact one only where
/// that says yes, so that forks that share their pages are not killed for them.
pub fn uses_more_than(pids: &[u32], limit: u64) -> bool {
    resident(pids) > limit && proportional(pids) > limit
}

/// Sends a signal; that the process is gone is no error.
pub fn signal(pid: u32, signal: Signal) {
    let _ = kill(Pid::from_raw(pid as i32), signal);
}

/// Waits for every child that ended, without blocking, and hands each to `ended`. The result says whether there
/// are children left.
pub fn reap(mut ended: impl FnMut(WaitStatus)) -> bool {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => return true,
            Ok(status) => ended(status),
            Err(Errno::EINTR) => {}
            Err(_) => return false,
        }
    }
}

/// Kills everything below this process, which must be a subreaper: children of children come to it when their
/// parents die, so that also a daemon that left its session is found. Hands over what ended. Gives up after ten
/// seconds on processes the kernel does not let go.
pub fn kill_descendants(mut ended: impl FnMut(WaitStatus)) -> bool {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        for pid in descendants(std::process::id()) {
            signal(pid, Signal::SIGKILL);
        }
        if !reap(&mut ended) {
            return true;
        }
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Keeps the memory and open files of this process from others of the same account, until it starts another program.
pub fn hide_memory() {
    // It cannot fail with this argument; where a kernel forbids it all the same, nothing else depends on it.
    let _ = nix::sys::prctl::set_dumpable(false);
}

#[cfg(test)]
mod tests;
