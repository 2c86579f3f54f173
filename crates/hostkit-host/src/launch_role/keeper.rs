//! The log keeper: a small process beside the program that reads what it prints. It belongs to the unit, is nobody's
//! child (a program that waits for all its children must not wait for it), and ends with the last process that holds
//! the other end of its pipes.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use hostkit_core::log::LogStream;
use jiff::Timestamp;
use nix::fcntl::OFlag;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{ForkResult, fork, pipe2};

use super::{KEEPER_NAME, LaunchSpec, control_group};
use crate::log_file::{LogLimits, LogWriter};
use crate::processes::{self, ProcessMark};
use crate::shim::output::Output;

/// How often to look whether the kernel killed a process for memory, where nobody else does.
const LOOK: Duration = Duration::from_millis(500);

/// Starts the keeper; returns the ends the program prints to.
#[allow(unsafe_code)]
pub(super) fn start(spec: &LaunchSpec, program: Option<ProcessMark>) -> io::Result<(OwnedFd, OwnedFd)> {
    let (output, to_output) = pipe2(OFlag::O_CLOEXEC)?;
    let (errors, to_errors) = pipe2(OFlag::O_CLOEXEC)?;
    // SAFETY: this process has one thread, so that the child may do whatever it could.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => {
            nix::sys::wait::waitpid(child, None)?;
            Ok((to_output, to_errors))
        }
        ForkResult::Child => {
            drop((to_output, to_errors));
            prepare();
            // SAFETY: as above. The one in between ends at once, and the keeper is nobody's child.
            if let Ok(ForkResult::Child) = unsafe { fork() } {
                let _ = keep(spec, output, errors, program);
            }
            // SAFETY: ends the process without running what belongs to the one it was forked from.
            unsafe { libc::_exit(0) }
        }
    }
}

/// What the keeper must have from its first moment on, and has from the one that it is forked from: the name by which it is
/// spared when a crashed program is swept away, and no ear for signals. Those are for the program; its last words come after
/// them. A program that ends at once is swept away before the keeper itself has done anything.
fn prepare() {
    let _ = prctl::set_name(KEEPER_NAME);
    let mut deaf = SigSet::empty();
    for signal in [
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGHUP,
        Signal::SIGUSR1,
        Signal::SIGUSR2,
    ] {
        deaf.add(signal);
    }
    let _ = deaf.thread_block();
}

fn keep(spec: &LaunchSpec, output: OwnedFd, errors: OwnedFd, program: Option<ProcessMark>) -> io::Result<()> {
    let _ = nix::unistd::setsid();
    let _ = nix::unistd::chdir("/");
    crate::guard::let_go_of_streams()?;
    let limits = LogLimits::default();
    let mut out_log = LogWriter::shared(spec.output_log.clone(), limits, &spec.writer());
    let mut err_log = spec.log_about_it();
    out_log.begin();
    err_log.begin();
    let mut output = Output::new(LogStream::Out, Some(std::fs::File::from(output)));
    let mut errors = Output::new(LogStream::Err, Some(std::fs::File::from(errors)));
    let mut watch = program.and_then(|program| MemoryWatch::new(spec, program));
    let mut buffer = vec![0; 32 * 1024];
    while output.fd().is_some() || errors.fd().is_some() {
        wait([output.fd(), errors.fd()], watch.as_ref().map(|watch| watch.next))?;
        errors.read(&mut err_log, &mut buffer, 4);
        output.read(&mut out_log, &mut buffer, 4);
        if let Some(watch) = &mut watch {
            watch.look(&mut err_log);
        }
        err_log.flush();
        out_log.flush();
    }
    Ok(())
}

fn wait(streams: [Option<std::os::fd::BorrowedFd<'_>>; 2], until: Option<Instant>) -> io::Result<()> {
    let timeout = until.map_or(PollTimeout::NONE, |at| {
        let left = at.saturating_duration_since(Instant::now()).as_millis() + 1;
        PollTimeout::try_from(left.min(i32::MAX as u128) as i32).unwrap_or(PollTimeout::MAX)
    });
    let mut fds: Vec<PollFd<'_>> = streams
        .iter()
        .flatten()
        .map(|stream| PollFd::new(stream.as_fd(), PollFlags::POLLIN))
        .collect();
    match poll(&mut fds, timeout) {
        Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

/// Ends the program when the kernel killed a process of it for memory. With control groups of version 2 systemd does
/// that; with version 1 half a program would go on.
struct MemoryWatch {
    program: ProcessMark,
    limit: String,
    before: u64,
    next: Instant,
}

impl MemoryWatch {
    fn new(spec: &LaunchSpec, program: ProcessMark) -> Option<Self> {
        let limit = spec.memory?.to_string();
        if !control_group::is_blind() {
            return None;
        }
        Some(MemoryWatch {
            program,
            limit,
            before: control_group::own_memory_kills()?.count,
            next: Instant::now() + LOOK,
        })
    }

    fn look(&mut self, log: &mut LogWriter) {
        if Instant::now() < self.next {
            return;
        }
        self.next = Instant::now() + LOOK;
        let Some(now) = control_group::own_memory_kills() else {
            return;
        };
        if now.count <= self.before {
            return;
        }
        self.before = now.count;
        let text = match now.reached_limit {
            true => format!(
                "program used more than its memory limit of {}; it is killed",
                self.limit
            ),
            false => "there was no memory left for the program; it is killed".to_owned(),
        };
        log.line(Timestamp::now(), LogStream::Hostkit, &text);
        if self.program.is_alive() {
            processes::signal(self.program.pid, Signal::SIGKILL);
        }
    }
}
