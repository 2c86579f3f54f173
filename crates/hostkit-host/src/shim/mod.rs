//! The role `shim`: the supervisor of one instance. It outlives whoever started it, keeps the program running, its
//! output in a log, its state in a file and its children from escaping. One thread, no async runtime: there is one
//! of it for each instance, and it only wakes when something happens.

pub(crate) mod output;
mod spec;
mod supervise;

use std::io::Write;
use std::path::{Path, PathBuf};

use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::processes::ProcessMark;
pub use spec::{RestartRule, ShimSpec, ShimState};
use supervise::Supervisor;

/// What the instance is, written before the shim starts. Mode 0600: it holds the variables.
pub const SPEC_FILE: &str = "spec.json";
/// How the instance is, replaced by the shim at every change.
pub const STATE_FILE: &str = "state.json";
/// Held locked by the shim as long as it lives: two never look after one instance.
pub const LOCK_FILE: &str = "lock";

/// The one word a shim says to whoever started it, on its standard output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FirstWord {
    /// The program was started.
    Started,
    /// The program could not be started; the shim is gone.
    Refused(String),
    /// Another shim looks after this instance; this one is gone.
    Busy,
}

impl FirstWord {
    /// Reads what a shim said; `None` when it died before it said anything.
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim_end().split_once(' ').unwrap_or((text.trim_end(), "")) {
            ("started", _) => Some(FirstWord::Started),
            ("busy", _) => Some(FirstWord::Busy),
            ("refused", why) => Some(FirstWord::Refused(why.to_owned())),
            _ => None,
        }
    }
}

/// Runs the role to its end.
pub(crate) fn run(folder: Option<PathBuf>) -> i32 {
    let Some(folder) = folder.filter(|f| f.is_absolute()) else {
        return 64;
    };
    match shim(&folder) {
        Ok(()) => 0,
        Err(why) => {
            say(&format!("refused {}", why.to_string().replace('\n', " ")));
            70
        }
    }
}

fn say(word: &str) {
    // Whoever asked may be gone already; that changes nothing.
    let _ = writeln!(std::io::stdout(), "{word}");
}

fn shim(folder: &Path) -> std::io::Result<()> {
    let Some(_lock) = crate::files::try_lock(&folder.join(LOCK_FILE))? else {
        say("busy");
        return Ok(());
    };
    let _ = nix::unistd::setsid();
    let _ = nix::unistd::chdir("/");
    let _ = prctl::set_name(c"hostkit-shim");
    prctl::set_child_subreaper(true)?;
    let signals = block_signals()?;
    let spec: ShimSpec = serde_json::from_slice(&std::fs::read(folder.join(SPEC_FILE))?)?;
    let mark =
        ProcessMark::of(std::process::id()).ok_or_else(|| std::io::Error::other("/proc is not there"))?;
    let mut supervisor = Supervisor::new(spec, folder, mark);
    supervisor.start_first()?;
    say("started");
    crate::guard::let_go_of_streams()?;
    supervisor.run(&signals)
}

fn block_signals() -> nix::Result<SignalFd> {
    let mut set = SigSet::empty();
    for signal in [
        Signal::SIGCHLD,
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGUSR1,
        Signal::SIGHUP,
    ] {
        set.add(signal);
    }
    set.thread_block()?;
    SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
}
