//! The process shuts itself in: no file, no other process, no network, so much memory and so much time. What decodes an
//! image may go wrong in ways nobody thought of; from here on it can do nothing but end or say something wrong about
//! the one image it was given.

use std::collections::BTreeMap;
use std::io;

use rustix::process::{DumpableBehavior, Resource, Rlimit, Signal};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

/// Address space: the source, its pixels twice, and what is made of them.
const MEMORY: u64 = 768 << 20;
/// Seconds of processor time.
const PROCESSOR: u64 = 20;
/// Visitors' requests go first.
const NICENESS: i32 = 10;

/// What memory may not be: a place to run code from.
const EXECUTABLE: u64 = 4;

/// Shuts the process in. Where the kernel does not do it, no image is made.
pub(crate) fn enter() -> io::Result<()> {
    // The front door may be killed at any moment; nobody would wait for this image any more.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    // When memory runs out, this is what has to go, and not the front door beside it.
    std::fs::write("/proc/self/oom_score_adj", "1000").ok();
    rustix::process::setpriority_process(None, NICENESS).ok();
    for (resource, most) in [
        (Resource::As, MEMORY),
        (Resource::Cpu, PROCESSOR),
        (Resource::Core, 0),
        (Resource::Fsize, 0),
        (Resource::Nofile, 0),
        (Resource::Nproc, 0),
    ] {
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        rustix::process::setrlimit(resource, limit)?;
    }
    seccompiler::apply_filter(&filter()?).map_err(io::Error::other)
}

/// The few things a process may ask of the kernel that only reckons, and reads and writes what is open.
fn filter() -> io::Result<BpfProgram> {
    let free = [
        libc::SYS_brk,
        libc::SYS_clock_gettime,
        libc::SYS_close,
        libc::SYS_exit,
        libc::SYS_exit_group,
        libc::SYS_futex,
        libc::SYS_getrandom,
        libc::SYS_madvise,
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_read,
        libc::SYS_recvfrom,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigreturn,
        libc::SYS_sched_getaffinity,
        libc::SYS_sched_yield,
        libc::SYS_sendto,
        libc::SYS_sigaltstack,
        libc::SYS_write,
        libc::SYS_writev,
    ];
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = free.map(|call| (call, Vec::new())).into();
    let not_code = (2, SeccompCmpOp::MaskedEq(EXECUTABLE), 0);
    // The standard library asks of a descriptor whether it is one before it closes it.
    let only_asks = (1, SeccompCmpOp::Eq, libc::F_GETFD as u64);
    for (call, (argument, compared, with)) in [
        (libc::SYS_mmap, not_code.clone()),
        (libc::SYS_mprotect, not_code),
        (libc::SYS_fcntl, only_asks),
    ] {
        let rule = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, compared, with)
            .and_then(|condition| SeccompRule::new(vec![condition]))
            .map_err(io::Error::other)?;
        rules.insert(call, vec![rule]);
    }
    let machine = std::env::consts::ARCH.try_into().map_err(io::Error::other)?;
    SeccompFilter::new(rules, SeccompAction::KillProcess, SeccompAction::Allow, machine)
        .and_then(BpfProgram::try_from)
        .map_err(io::Error::other)
}

#[cfg(test)]
mod tests;
