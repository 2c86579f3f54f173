//! Starts another role of our own binary with listening sockets handed over, in the way systemd does it: from file
//! descriptor 3 on, counted by `LISTEN_FDS`. The sockets stay open in the caller, so that a role that dies and is
//! started again refuses no connection in between.

use std::ffi::OsString;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use command_fds::{CommandFdExt, FdMapping};

/// The first file descriptor handed over (`sd_listen_fds(3)`).
pub const FIRST_LISTEN_FD: i32 = 3;
/// More than the stable ports of all projects.
const MOST_SOCKETS: i64 = 4096;

/// A role to start.
#[derive(Debug)]
pub struct RoleProcess {
    /// The binary.
    pub program: PathBuf,
    /// Its arguments, the role first.
    pub arguments: Vec<OsString>,
    /// Sockets it finds from descriptor 3 on.
    pub sockets: Vec<OwnedFd>,
    /// Where its output and errors go.
    pub log: File,
}

impl RoleProcess {
    /// Starts the role in a process group of its own (a `Ctrl-C` in the caller's terminal does not reach it) with
    /// the caller's environment.
    pub fn spawn(self) -> std::io::Result<tokio::process::Child> {
        let mut command = Command::new(&self.program);
        let errors = self.log.try_clone()?;
        command
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(self.log)
            .stderr(errors)
            .process_group(0)
            .env("LISTEN_FDS", self.sockets.len().to_string())
            .env_remove("LISTEN_PID")
            .env_remove("LISTEN_FDNAMES");
        let mappings = self
            .sockets
            .into_iter()
            .enumerate()
            .map(|(at, parent_fd)| FdMapping {
                parent_fd,
                child_fd: FIRST_LISTEN_FD + at as i32,
            })
            .collect();
        command.fd_mappings(mappings).map_err(std::io::Error::other)?;
        tokio::process::Command::from(command).spawn()
    }
}

/// A socket that a parent handed over.
#[derive(Debug)]
pub struct ListenSocket {
    /// What it is for, where the parent says so (`LISTEN_FDNAMES`).
    pub name: String,
    /// The socket.
    pub socket: OwnedFd,
}

/// Takes over the sockets that a parent handed to this process. Must be called once, before anything else opens
/// files: it believes `LISTEN_FDS`, unless `LISTEN_PID` says that it is meant for another process.
#[allow(unsafe_code)]
pub fn take_listen_sockets() -> Vec<ListenSocket> {
    use std::os::fd::{BorrowedFd, FromRawFd};
    let number = |name: &str| std::env::var(name).ok().and_then(|n| n.parse::<i64>().ok());
    if number("LISTEN_PID").is_some_and(|pid| pid != i64::from(std::process::id())) {
        return Vec::new();
    }
    let count = number("LISTEN_FDS").unwrap_or(0).clamp(0, MOST_SOCKETS);
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':');
    (0..i32::try_from(count).unwrap_or(0))
        .filter_map(|at| {
            let fd = FIRST_LISTEN_FD + at;
            let name = names.next().unwrap_or_default().to_owned();
            if nix::fcntl::fcntl(
                // SAFETY: only asks the kernel whether the number is open; the borrow ends with the call.
                unsafe { BorrowedFd::borrow_raw(fd) },
                nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC),
            )
            .is_err()
            {
                return None;
            }
            // SAFETY: the descriptor is open, was handed over for this purpose and is taken once.
            let socket = unsafe { OwnedFd::from_raw_fd(fd) };
            Some(ListenSocket { name, socket })
        })
        .collect()
}

/// Starts our own binary with `arguments` in a session of its own, output and errors appended to `log`. It goes on
/// when the caller ends and its terminal closes.
#[allow(unsafe_code)]
pub fn spawn_in_background(
    arguments: &[OsString],
    log: &std::path::Path,
) -> std::io::Result<std::process::Child> {
    let log = File::options().create(true).append(true).mode(0o600).open(log)?;
    let mut command = Command::new("/proc/self/exe");
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    // SAFETY: setsid is async-signal-safe and nothing else happens between fork and exec.
    unsafe { command.pre_exec(|| nix::unistd::setsid().map(drop).map_err(std::io::Error::from)) };
    command.spawn()
}
