//! The role `guard`: stands between us and one command. It is a subreaper, so that nothing the command starts can
//! get away from it, and holds a socket to its caller: when that closes, because the caller is done, was cancelled
//! or died, everything below is killed.

mod watch;

use std::io::{BufRead, BufReader, Write};
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::sys::prctl;
use serde::{Deserialize, Serialize};

use crate::launch::{Launch, Streams};

/// The descriptor on which a guard finds the socket to its caller.
pub(crate) const LINK: i32 = 3;

/// What a guard is told, one line of JSON.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) launch: Launch,
    pub(crate) time: Option<Duration>,
    pub(crate) memory: Option<u64>,
}

/// What a guard tells, one line of JSON each.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Report {
    /// The program could not be started.
    Refused(String),
    /// The program runs.
    Started(u32),
    /// The program and everything below it is gone.
    Ended(Ending),
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// By itself, with this exit code.
    Exited(i32),
    /// By this signal.
    Signalled(i32),
    /// It took longer than it may and was killed.
    TimedOut,
    /// It used more memory than it may and was killed.
    OutOfMemory,
}

impl Ending {
    /// Whether it ended well: exit code 0.
    pub fn is_success(self) -> bool {
        self == Ending::Exited(0)
    }

    /// The code a shell would show: the exit code, or 128 and the signal.
    pub fn code(self) -> i32 {
        match self {
            Ending::Exited(code) => code,
            Ending::Signalled(signal) => 128 + signal,
            Ending::TimedOut => 124,
            Ending::OutOfMemory => 137,
        }
    }
}

impl std::fmt::Display for Ending {
    /// Goes on after `ended with` or stands for itself: `exit status 1`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Ending::Exited(code) => write!(f, "exit status {code}"),
            Ending::Signalled(signal) => write!(f, "signal {signal}"),
            Ending::TimedOut => f.write_str("the time limit"),
            Ending::OutOfMemory => f.write_str("the memory limit"),
        }
    }
}

/// Runs the role. The exit code matters to nobody: the report goes over the socket.
pub(crate) fn run() -> i32 {
    let Some(link) = take_link() else { return 64 };
    match guard(link) {
        Ok(()) => 0,
        Err(_) => 70,
    }
}

#[allow(unsafe_code)]
fn take_link() -> Option<UnixStream> {
    use nix::fcntl::{FcntlArg, FdFlag, fcntl};
    // SAFETY: only asks the kernel whether the number is open; the borrow ends with the call.
    let open = fcntl(
        unsafe { BorrowedFd::borrow_raw(LINK) },
        FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC),
    );
    // SAFETY: the descriptor is open, was handed over for this purpose and is taken once.
    open.is_ok()
        .then(|| UnixStream::from(unsafe { OwnedFd::from_raw_fd(LINK) }))
}

fn guard(link: UnixStream) -> std::io::Result<()> {
    // A session of its own: the terminal's Ctrl-C is the caller's business.
    let _ = nix::unistd::setsid();
    prctl::set_child_subreaper(true)?;
    let _ = prctl::set_name(c"hostkit-guard");
    let signals = watch::block_signals()?;

    let mut line = String::new();
    BufReader::new(&link).read_line(&mut line)?;
    let order: Order = serde_json::from_str(&line)?;
    let inherit = Streams {
        input: std::process::Stdio::inherit(),
        output: std::process::Stdio::inherit(),
        errors: std::process::Stdio::inherit(),
    };
    let child = match order.launch.spawn(inherit) {
        Ok(child) => child,
        Err(e) => return tell(&link, &Report::Refused(e.to_string())),
    };
    // Whoever reads the command's output must see its end when the command closes it, not when the guard goes.
    let_go_of_streams()?;
    tell(&link, &Report::Started(child.id()))?;
    let ending = watch::watch(&link, &signals, child.id(), &order)?;
    match ending {
        Some(ending) => tell(&link, &Report::Ended(ending)),
        None => Ok(()),
    }
}

fn tell(mut link: &UnixStream, report: &Report) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(report)?;
    line.push(b'\n');
    link.write_all(&line)
}

/// Points the three standard streams at `/dev/null`.
pub(crate) fn let_go_of_streams() -> std::io::Result<()> {
    let null = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")?;
    nix::unistd::dup2_stdin(&null)?;
    nix::unistd::dup2_stdout(&null)?;
    nix::unistd::dup2_stderr(&null)?;
    Ok(())
}
