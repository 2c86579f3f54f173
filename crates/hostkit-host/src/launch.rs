//! Starting a program as a child that cannot outlive its parent. Used by the two roles, which are single-threaded:
//! the kernel ties a child's life to the thread that started it.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::libc;
use nix::sys::prctl;
use nix::sys::signal::{SigHandler, SigSet, Signal};
use nix::unistd::{getpid, getppid, setsid};
use serde::{Deserialize, Serialize};

/// What is started. Never part of a command line or an environment of our own: variables are secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// The program; looked up in the PATH of `environment` where it has no slash.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Everything it finds in its environment.
    pub environment: BTreeMap<String, String>,
    /// The folder it starts in.
    pub directory: PathBuf,
    /// What it leads.
    pub leads: Leads,
    /// How much it may push others aside.
    pub priority: Priority,
}

/// What a started program is the leader of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leads {
    /// A process group of its own.
    #[default]
    Group,
    /// A session of its own whose terminal is its standard input.
    Terminal,
}

/// How much a program may push others aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// As everybody.
    #[default]
    Normal,
    /// Behind everybody: builds must not slow down what serves requests.
    Background,
}

/// The standard streams of a started program.
pub(crate) struct Streams {
    pub(crate) input: Stdio,
    pub(crate) output: Stdio,
    pub(crate) errors: Stdio,
}

impl Launch {
    /// Starts the program. It is killed when the calling thread ends, however that comes.
    #[allow(unsafe_code)]
    pub(crate) fn spawn(&self, streams: Streams) -> io::Result<Child> {
        if !self.directory.is_dir() {
            // The kernel's own word for this does not tell it from a missing program.
            let why = format!("its folder `{}` does not exist", self.directory.display());
            return Err(io::Error::new(io::ErrorKind::NotFound, why));
        }
        let program = find_program(&self.program, &self.environment, &self.directory)?;
        let mut command = Command::new(program);
        command
            .arg0(&self.program)
            .args(&self.arguments)
            .env_clear()
            .envs(&self.environment)
            .current_dir(&self.directory)
            .stdin(streams.input)
            .stdout(streams.output)
            .stderr(streams.errors);
        let (leads, priority) = (self.leads, self.priority);
        if leads == Leads::Group {
            command.process_group(0);
        }
        let parent = getpid();
        // SAFETY: between fork and exec only system calls are made, no allocation and no lock.
        unsafe {
            command.pre_exec(move || {
                prctl::set_pdeathsig(Some(Signal::SIGKILL))?;
                if getppid() != parent {
                    // The parent ended before the line above took effect.
                    return Err(io::ErrorKind::BrokenPipe.into());
                }
                for signal in [
                    Signal::SIGHUP,
                    Signal::SIGINT,
                    Signal::SIGQUIT,
                    Signal::SIGTERM,
                    Signal::SIGCHLD,
                ] {
                    nix::sys::signal::signal(signal, SigHandler::SigDfl)?;
                }
                SigSet::empty().thread_set_mask()?;
                if leads == Leads::Terminal {
                    setsid()?;
                    if libc::ioctl(0, libc::TIOCSCTTY, 0) != 0 {
                        return Err(io::Error::last_os_error());
                    }
                }
                if priority == Priority::Background {
                    // Best effort: a system may forbid either.
                    libc::setpriority(libc::PRIO_PROCESS, 0, 10);
                    const BEST_EFFORT_LOWEST: i32 = (2 << 13) | 7;
                    libc::syscall(libc::SYS_ioprio_set, 1, 0, BEST_EFFORT_LOWEST);
                }
                Ok(())
            });
        }
        command.spawn()
    }
}

/// The file a program's name means: itself where it has a slash (from `directory`), else the first executable file
/// of that name in the PATH of `environment`.
pub fn find_program(
    program: &str,
    environment: &BTreeMap<String, String>,
    directory: &Path,
) -> io::Result<PathBuf> {
    let usable =
        |path: &Path| path.is_file() && nix::unistd::access(path, nix::unistd::AccessFlags::X_OK).is_ok();
    if program.contains('/') {
        let path = directory.join(program);
        return if usable(&path) {
            Ok(path)
        } else if path.exists() {
            Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "it is not an executable file",
            ))
        } else {
            Err(io::Error::new(io::ErrorKind::NotFound, "there is no such file"))
        };
    }
    let path = environment
        .get("PATH")
        .map_or("/usr/local/bin:/usr/bin:/bin", String::as_str);
    std::env::split_paths(path)
        .map(|folder| directory.join(folder).join(program))
        .find(|candidate| !program.is_empty() && usable(candidate))
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "it was not found in PATH"))
}
