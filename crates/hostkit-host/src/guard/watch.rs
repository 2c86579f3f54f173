//! The guard's wait: for the end of the command, of its time, of its memory, or of its caller.

use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::WaitStatus;

use super::{Ending, Order};
use crate::processes;

const SAMPLE: Duration = Duration::from_millis(250);

pub(super) fn block_signals() -> nix::Result<SignalFd> {
    let mut set = SigSet::empty();
    for signal in [Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        set.add(signal);
    }
    set.thread_block()?;
    SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
}

/// Waits for the end of the command and leaves nothing of it. `None` when the caller went away.
pub(super) fn watch(
    link: &UnixStream,
    signals: &SignalFd,
    pid: u32,
    order: &Order,
) -> std::io::Result<Option<Ending>> {
    let deadline = order.time.map(|time| Instant::now() + time);
    let mut sample = order.memory.map(|_| Instant::now() + SAMPLE);
    let mut ended: Option<Ending> = None;
    let ending = loop {
        let next = [deadline, sample].into_iter().flatten().min();
        wait(link, signals, next)?;
        if caller_is_gone(link)? {
            break None;
        }
        while let Some(info) = signals.read_signal()? {
            if info.ssi_signo != Signal::SIGCHLD as u32 {
                processes::kill_descendants(|_| {});
                return Ok(Some(Ending::Signalled(info.ssi_signo as i32)));
            }
        }
        processes::reap(|status| {
            ended = ended.or(ending_of(status, pid));
        });
        if let Some(ending) = ended {
            break Some(ending);
        }
        let now = Instant::now();
        if deadline.is_some_and(|at| at <= now) {
            break Some(Ending::TimedOut);
        }
        if let (Some(limit), Some(at)) = (order.memory, sample)
            && at <= now
        {
            if processes::uses_more_than(&processes::descendants(std::process::id()), limit) {
                break Some(Ending::OutOfMemory);
            }
            sample = Some(now + SAMPLE);
        }
    };
    processes::kill_descendants(|_| {});
    Ok(ending)
}

fn wait(link: &UnixStream, signals: &SignalFd, until: Option<Instant>) -> std::io::Result<()> {
    let timeout = match until {
        None => PollTimeout::NONE,
        Some(at) => {
            // Rounded up: a wait that ends a little early would only be repeated.
            let left = at.saturating_duration_since(Instant::now()).as_millis() + 1;
            PollTimeout::try_from(left.min(i32::MAX as u128) as i32).unwrap_or(PollTimeout::MAX)
        }
    };
    let mut fds = [
        PollFd::new(link.as_fd(), PollFlags::POLLIN),
        PollFd::new(signals.as_fd(), PollFlags::POLLIN),
    ];
    match poll(&mut fds, timeout) {
        Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

/// Nothing more is sent after the order: the socket can only be read when it was closed.
fn caller_is_gone(mut link: &UnixStream) -> std::io::Result<bool> {
    link.set_nonblocking(true)?;
    let read = link.read(&mut [0; 64]);
    link.set_nonblocking(false)?;
    match read {
        Ok(count) => Ok(count == 0),
        Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => Ok(false),
        Err(_) => Ok(true),
    }
}

fn ending_of(status: WaitStatus, pid: u32) -> Option<Ending> {
    if status.pid().map(|p| p.as_raw() as u32) != Some(pid) {
        return None;
    }
    match status {
        WaitStatus::Exited(_, code) => Some(Ending::Exited(code)),
        WaitStatus::Signaled(_, signal, _) => Some(Ending::Signalled(signal as i32)),
        _ => None,
    }
}
