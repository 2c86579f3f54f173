//! The roles of our own binary that this crate brings. `main` asks [`dispatch`] before it does anything else: a
//! role is a small process that never builds an async runtime.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

/// Runs the role that `args` (the whole command line, the program's name first) asks for, to its end. `None` when
/// it asks for none of these roles.
pub fn dispatch(args: &[OsString]) -> Option<i32> {
    match args.get(1)?.to_str()? {
        "attempts" => Some(crate::isolation::run_role()),
        "ended" => Some(crate::launch_role::ended()),
        "guard" => Some(crate::guard::run()),
        "launch" => Some(crate::launch_role::launch()),
        "shim" => Some(crate::shim::run(args.get(2).map(PathBuf::from))),
        _ => None,
    }
}

/// Where our own binary is, to be started in a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelfProgram {
    path: PathBuf,
}

impl SelfProgram {
    /// The binary that runs now. It is found through `/proc/self/exe`, so that also a binary that was replaced or
    /// removed since (an upgrade) starts its roles in its own version.
    pub fn current() -> Self {
        SelfProgram {
            path: PathBuf::from("/proc/self/exe"),
        }
    }

    /// Another binary that calls [`dispatch`], for tests.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        SelfProgram { path: path.into() }
    }

    /// Where it is, for who has something else start it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A command that starts a role, named `hostkit ROLE` in the process list, with an empty environment.
    pub fn role(&self, role: &str) -> std::process::Command {
        use std::os::unix::process::CommandExt;
        let mut command = std::process::Command::new(&self.path);
        command.arg0("hostkit").arg(role).env_clear();
        command
    }

    /// Starts a role that speaks by a socket in the place of its standard input. It finds nothing else open, no
    /// environment, and no folder of ours.
    pub fn start_with_socket(&self, role: &str, socket: OwnedFd) -> std::io::Result<Child> {
        self.role(role)
            .current_dir("/")
            .stdin(socket)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
    }
}
