//! The shim's loop. The states of an instance:
//!
//! ```text
//! Running --ends--> Backoff | CrashLoop --pause over--> Running
//! any --SIGUSR1--> Stopping --all gone--> Running
//! any --SIGTERM--> Stopping --all gone--> Stopped
//! ```

use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{ChildStderr, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use hostkit_core::log::LogStream;
use hostkit_core::manifest::StopSignal;
use hostkit_core::workload::{Exit, InstanceState};
use jiff::Timestamp;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::sys::signalfd::SignalFd;
use nix::sys::wait::WaitStatus;
use nix::unistd::Pid;

use super::output::Output;
use super::{STATE_FILE, ShimSpec, ShimState};
use crate::launch::Streams;
use crate::log_file::{LogLimits, LogWriter};
use crate::processes::{self, ProcessMark};

const SAMPLE: Duration = Duration::from_millis(500);

/// What the supervisor is about.
enum Phase {
    /// The program runs.
    Running,
    /// It ended; the next start is then.
    Pause(Instant),
    /// It was asked to end; then what is left is killed.
    Stopping(Instant, Then),
    /// All is done.
    Over,
}

#[derive(Clone, Copy, PartialEq)]
enum Then {
    Exit,
    StartAgain,
}

struct Program {
    pid: u32,
    output: Output<ChildStdout>,
    errors: Output<ChildStderr>,
    since: Instant,
    out_of_memory: bool,
    /// It was waited for; only children of it are left.
    ended: bool,
}

pub(super) struct Supervisor {
    spec: ShimSpec,
    state_path: PathBuf,
    state: ShimState,
    log: LogWriter,
    buffer: Vec<u8>,
    phase: Phase,
    program: Option<Program>,
    crashes: u32,
    sample: Option<Instant>,
}

impl Supervisor {
    pub(super) fn new(spec: ShimSpec, folder: &Path, shim: ProcessMark) -> Self {
        Supervisor {
            log: LogWriter::new(spec.log.clone(), LogLimits::default()),
            spec,
            state_path: folder.join(STATE_FILE),
            state: ShimState {
                shim,
                program: None,
                state: InstanceState::Stopped,
                starts: 0,
                restarts: 0,
                started_at: None,
                last_exit: None,
            },
            buffer: vec![0; 32 * 1024],
            phase: Phase::Running,
            program: None,
            crashes: 0,
            sample: None,
        }
    }

    /// The first start, whose failure is the caller's to know.
    pub(super) fn start_first(&mut self) -> io::Result<()> {
        let started = self.start();
        if let Err(e) = &started {
            self.say(&format!("cannot start `{}`: {e}", self.spec.launch.program));
            self.log.flush();
        }
        started
    }

    /// Supervises until the instance was asked to end and is gone.
    pub(super) fn run(&mut self, signals: &SignalFd) -> io::Result<()> {
        while !matches!(self.phase, Phase::Over) {
            self.wait(signals)?;
            self.read_output(4);
            while let Some(info) = signals.read_signal()? {
                match Signal::try_from(info.ssi_signo as i32) {
                    Ok(Signal::SIGTERM | Signal::SIGINT) => self.stop(Then::Exit),
                    Ok(Signal::SIGUSR1) => self.stop(Then::StartAgain),
                    _ => {}
                }
            }
            self.reap();
            self.look_at_the_clock();
            self.log.flush();
        }
        Ok(())
    }

    fn start(&mut self) -> io::Result<()> {
        self.phase = Phase::Running;
        let streams = Streams {
            input: Stdio::null(),
            output: Stdio::piped(),
            errors: Stdio::piped(),
        };
        let mut child = self.spec.launch.spawn(streams)?;
        self.program = Some(Program {
            pid: child.id(),
            output: Output::new(LogStream::Out, child.stdout.take()),
            errors: Output::new(LogStream::Err, child.stderr.take()),
            since: Instant::now(),
            out_of_memory: false,
            ended: false,
        });
        self.sample = self.spec.memory.map(|_| Instant::now() + SAMPLE);
        self.state.program = ProcessMark::of(child.id());
        self.state.state = InstanceState::Running;
        self.state.starts += 1;
        self.state.started_at = Some(Timestamp::now());
        self.save();
        Ok(())
    }

    /// Starts again; a start that fails counts as a crash.
    fn start_again(&mut self) {
        if let Err(e) = self.start() {
            self.say(&format!("cannot start `{}`: {e}", self.spec.launch.program));
            self.pause();
        }
    }

    fn wait(&mut self, signals: &SignalFd) -> io::Result<()> {
        let deadline = match self.phase {
            Phase::Pause(at) | Phase::Stopping(at, _) => Some(at),
            _ => None,
        };
        let next = [deadline, self.sample].into_iter().flatten().min();
        let timeout = next.map_or(PollTimeout::NONE, |at| {
            let left = at.saturating_duration_since(Instant::now()).as_millis() + 1;
            PollTimeout::try_from(left.min(i32::MAX as u128) as i32).unwrap_or(PollTimeout::MAX)
        });
        let mut fds = vec![PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        if let Some(program) = &self.program {
            let pipes = [program.output.fd(), program.errors.fd()];
            fds.extend(
                pipes
                    .into_iter()
                    .flatten()
                    .map(|fd| PollFd::new(fd, PollFlags::POLLIN)),
            );
        }
        match poll(&mut fds, timeout) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    fn read_output(&mut self, times: usize) {
        if let Some(program) = &mut self.program {
            program.errors.read(&mut self.log, &mut self.buffer, times);
            program.output.read(&mut self.log, &mut self.buffer, times);
        }
    }

    /// Waits for whatever ended, and goes on from there when that was the program.
    fn reap(&mut self) {
        let mut ended = Vec::new();
        let some_left = processes::reap(|status| ended.push(status));
        for status in ended {
            self.note_end(status);
        }
        let program_ended = self.program.as_ref().is_some_and(|p| p.ended);
        match self.phase {
            Phase::Running if program_ended => {
                self.clear_away();
                self.pause();
            }
            Phase::Stopping(_, then) if !some_left => self.after_stop(then),
            _ => {}
        }
    }

    fn note_end(&mut self, status: WaitStatus) {
        let Some(program) = &mut self.program else { return };
        if status.pid() != Some(Pid::from_raw(program.pid as i32)) {
            return;
        }
        let (code, signal) = match status {
            WaitStatus::Exited(_, code) => (Some(code), None),
            WaitStatus::Signaled(_, signal, _) => (None, Some(signal as i32)),
            _ => return,
        };
        program.ended = true;
        let exit = Exit {
            code,
            signal,
            out_of_memory: program.out_of_memory,
            memory_limit: self.spec.memory.filter(|_| program.out_of_memory),
            at: Timestamp::now(),
        };
        self.state.program = None;
        self.state.last_exit = Some(exit);
        if let Phase::Stopping(..) = self.phase {
            // Children that did not hear of it, for they left the group, are asked as well.
            for pid in processes::descendants(std::process::id()) {
                processes::signal(pid, signal_of(self.spec.stop.signal));
            }
        }
    }

    /// Nothing of a program that ended stays behind: not its children, not its last words.
    fn clear_away(&mut self) {
        let mut ended = Vec::new();
        if !processes::kill_descendants(|status| ended.push(status)) {
            self.say("some processes could not be killed");
        }
        for status in ended {
            self.note_end(status);
        }
        self.read_output(usize::MAX);
        if let Some(mut program) = self.program.take() {
            program.errors.close(&mut self.log);
            program.output.close(&mut self.log);
            if program.since.elapsed() >= self.spec.restart.stable_after.0 {
                self.crashes = 0;
            }
        }
        self.sample = None;
    }

    /// It ended by itself: how long until it is started again?
    fn pause(&mut self) {
        self.crashes += 1;
        let pause = self.spec.restart.pause(self.crashes);
        self.phase = Phase::Pause(Instant::now() + pause);
        self.state.state = if self.crashes >= self.spec.restart.crash_loop_after {
            InstanceState::CrashLoop
        } else {
            InstanceState::Backoff
        };
        let how = self
            .state
            .last_exit
            .as_ref()
            .map_or_else(|| "never ran".into(), ToString::to_string);
        self.say(&format!(
            "program ended ({how}); it is started again in {}",
            hostkit_core::size::Span(pause)
        ));
        self.log.flush();
        self.save();
    }

    fn stop(&mut self, then: Then) {
        match &mut self.phase {
            Phase::Stopping(_, planned) => {
                if then == Then::Exit {
                    *planned = then;
                }
                return;
            }
            Phase::Over => return,
            Phase::Pause(_) => return self.after_stop(then),
            Phase::Running => {}
        }
        self.phase = Phase::Stopping(Instant::now() + self.spec.stop.grace.0, then);
        self.state.state = InstanceState::Stopping;
        self.save();
        if let Some(program) = &self.program {
            let _ = killpg(
                Pid::from_raw(program.pid as i32),
                signal_of(self.spec.stop.signal),
            );
        }
    }

    fn after_stop(&mut self, then: Then) {
        self.clear_away();
        match then {
            Then::StartAgain => {
                self.crashes = 0;
                self.say("program is started again, as asked");
                self.start_again();
            }
            Then::Exit => {
                self.phase = Phase::Over;
                self.state.state = InstanceState::Stopped;
                self.say("program was stopped");
                self.log.flush();
                self.save();
            }
        }
    }

    fn look_at_the_clock(&mut self) {
        let now = Instant::now();
        match self.phase {
            Phase::Pause(at) if at <= now => {
                self.state.restarts += 1;
                self.start_again();
            }
            Phase::Stopping(at, then) if at <= now => {
                self.say(&format!(
                    "program did not stop within {}; it is killed",
                    self.spec.stop.grace
                ));
                self.after_stop(then);
            }
            _ => {}
        }
        if let (Some(limit), Some(at)) = (self.spec.memory, self.sample)
            && at <= now
        {
            self.sample = Some(now + SAMPLE);
            if processes::uses_more_than(&processes::descendants(std::process::id()), limit.0) {
                self.kill_for_memory();
            }
        }
    }

    fn kill_for_memory(&mut self) {
        if let Some(program) = &mut self.program {
            program.out_of_memory = true;
        }
        let limit = self.spec.memory.map_or_else(String::new, |m| m.to_string());
        self.say(&format!(
            "program used more than its memory limit of {limit}; it is killed"
        ));
        let mut ended = Vec::new();
        processes::kill_descendants(|status| ended.push(status));
        for status in ended {
            self.note_end(status);
        }
        self.reap();
    }

    fn say(&mut self, text: &str) {
        self.log.line(Timestamp::now(), LogStream::Hostkit, text);
    }

    /// Replaces the state file. Where that fails (a full disk) the old one stays; the next change tries again.
    fn save(&mut self) {
        let saved = serde_json::to_vec(&self.state)
            .map_err(io::Error::from)
            .and_then(|text| crate::files::replace(&self.state_path, &text, 0o600));
        if let Err(e) = saved {
            self.say(&format!("cannot write the state of the instance: {e}"));
        }
    }
}

fn signal_of(signal: StopSignal) -> Signal {
    match signal {
        StopSignal::Term => Signal::SIGTERM,
        StopSignal::Int => Signal::SIGINT,
        StopSignal::Quit => Signal::SIGQUIT,
        StopSignal::Hup => Signal::SIGHUP,
        StopSignal::Usr1 => Signal::SIGUSR1,
        StopSignal::Usr2 => Signal::SIGUSR2,
    }
}
