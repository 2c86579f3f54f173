//! The end of everything that an account runs.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hostkit_core::kind::{Failure, Kind};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid, getuid};

use super::LOWEST_UID;
use crate::processes;

/// The kernel lets go of a killed process at once, unless its disk does not answer.
const LONGEST: Duration = Duration::from_secs(30);

/// Kills every process of an account until there is none. Blocks.
pub fn end_processes(uid: u32, gid: u32) -> Result<(), Failure> {
    let broken = |why: &dyn std::fmt::Display| {
        Failure::new(
            Kind::Internal,
            format!("cannot end the programs of account {uid}: {why}"),
        )
    };
    if uid < LOWEST_UID {
        return Err(broken(&"it is an account of the system"));
    }
    let deadline = Instant::now() + LONGEST;
    loop {
        let left = processes_of(uid);
        if left.is_empty() {
            return Ok(());
        }
        if Instant::now() > deadline {
            let pids = left.iter().take(5).map(u32::to_string).collect::<Vec<_>>();
            return Err(Failure::new(
                Kind::Unavailable,
                format!(
                    "cannot end the programs of account {uid}: {} is still there",
                    pids.join(", ")
                ),
            )
            .hint(format!("ps -o pid,stat,wchan,args -p {}", pids.join(","))));
        }
        strike(uid, gid).map_err(|e| broken(&e))?;
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Processes that act as an account or could again, and have not ended.
fn processes_of(uid: u32) -> Vec<u32> {
    let is_its = |pid: &u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let ended = processes::stat(*pid).is_none_or(|stat| matches!(stat.state, 'Z' | 'X'));
        let line = status.lines().find_map(|line| line.strip_prefix("Uid:"));
        let mut numbers = line.unwrap_or_default().split_ascii_whitespace();
        !ended && numbers.any(|number| number.parse() == Ok(uid))
    };
    processes::all().into_iter().filter(is_its).collect()
}

/// Kills all processes of the account in one act of the kernel, which no program that forks without end outruns: a
/// process of that account, made here for nothing else, sends the signal to everybody it may send it to.
#[allow(unsafe_code)]
fn strike(uid: u32, gid: u32) -> io::Result<()> {
    let mut command = Command::new("/bin/true");
    command
        .uid(uid)
        .gid(gid)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // SAFETY: between fork and exec only system calls are made, no allocation and no lock.
    unsafe {
        command.pre_exec(move || {
            // As anybody else this would be the end of the machine.
            if uid < LOWEST_UID || getuid().as_raw() != uid || geteuid().as_raw() != uid {
                return Err(io::ErrorKind::PermissionDenied.into());
            }
            match kill(Pid::from_raw(-1), Signal::SIGKILL) {
                // Nobody is left.
                Ok(()) | Err(nix::errno::Errno::ESRCH | nix::errno::Errno::EPERM) => Ok(()),
                Err(e) => Err(e.into()),
            }
        });
    }
    match command.status() {
        // Its own account may have killed it, or have no process to spare: whether it did its work is seen by who is left.
        Ok(_) => Ok(()),
        Err(e) if e.raw_os_error() == Some(nix::libc::EAGAIN) => Ok(()),
        Err(e) => Err(e),
    }
}
