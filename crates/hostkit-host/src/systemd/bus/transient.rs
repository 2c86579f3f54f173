//! Units without a file: started with all their settings in one call, held by a reference of ours until their end was
//! read.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::manifest::StopSignal;
use hostkit_core::variables::Variables;
use nix::sys::memfd::{MFdFlags, memfd_create};
use zbus::{Fd, Variant};

use super::failure::Refusal;
use super::link::{Again, Call, Event, Link, hear};
use super::timeouts::{CALL, LOOK};
use super::{MANAGER, MANAGER_PATH, PROPERTIES, job, properties};
use crate::guard::Ending;
use crate::systemd::sandbox::{Only, Wall};
use crate::systemd::{
    ActiveState, Job, LoadState, Signal, Streams, TransientEnd, TransientRun, TransientUnit, UnitLimits,
    UnitName, UnitResult, UnitStatus, environment_file,
};

/// `MS_REC`: a bound folder comes with what is mounted below it.
const WITH_MOUNTS: u64 = 16384;

/// `CLONE_NEWUTS`: the kind of namespace in which the machine has a name of its own.
const CLONE_NEWUTS: u64 = 0x0400_0000;

type Properties = Vec<(&'static str, Variant<'static>)>;

/// Starts it. In a task of its own: a caller that goes away in the middle must not leave a unit that nobody holds.
pub(super) async fn start(link: &Arc<Link>, unit: TransientUnit) -> Result<Box<dyn TransientRun>, Failure> {
    let (link, name) = (link.clone(), unit.name.clone());
    match tokio::spawn(async move { begin(&link, unit).await }).await {
        Ok(started) => Ok(Box::new(started?)),
        Err(e) => Err(Failure::new(
            Kind::Internal,
            format!("cannot start `{name}`: {e}"),
        )),
    }
}

async fn begin(link: &Arc<Link>, unit: TransientUnit) -> Result<Run, Failure> {
    let (name, has_limit) = (unit.name.clone(), unit.limits.time.is_some());
    let failed = |refusal: Refusal| refusal.into_failure("start", format!("`{name}`"));
    let memory = variables_in_memory(&unit.variables)?;
    let of_manager = manager_environment(link).await.map_err(failed)?;
    let properties = properties(unit, &memory, &of_manager)?;
    link.listen().await.map_err(failed)?;
    let events = link.events();
    let no_others: Vec<(&str, Properties)> = Vec::new();
    let body = (name.as_str(), "fail", properties, no_others);
    let call = Call {
        // A second call would only find the unit of the first.
        again: Again::IfNotDone,
        ..Call::manager("StartTransientUnit", &body)
    };
    let hold = || Run {
        link: link.clone(),
        name: name.clone(),
        has_limit,
        end: None,
    };
    let queued = match link.call(call).await {
        Ok(queued) => queued,
        Err(refusal) => {
            // Only the answer may be lost: what is held and let go of is ended.
            if matches!(refusal, Refusal::Lost(_)) || refusal.is("Silent") {
                drop(hold());
            }
            return Err(failed(refusal));
        }
    };
    let run = hold();
    if let Err(failure) = job::ended(link, events, &queued, Job::Start, &name).await {
        let status = properties::status(link, &name).await?;
        // It was queued a moment ago: if systemd does not know it any more, it ran, and our reference was lost, as it is
        // when the bus is started anew. How it ended is then for `wait` to say.
        let is_forgotten = status.load == LoadState::NotFound;
        if failure.kind != Kind::Failed || !(job::has_run(&status) || is_forgotten) {
            return Err(failure);
        }
    }
    // Systemd has read it: programs are executed after that.
    drop(memory);
    Ok(run)
}

/// The variables in a file that has no name and is gone with us; systemd finds it among our open ones.
fn variables_in_memory(variables: &Variables) -> Result<OwnedFd, Failure> {
    let text = environment_file::render(variables)?;
    let cannot = |why: &dyn std::fmt::Display| {
        Failure::new(Kind::Internal, format!("cannot pass on variables: {why}"))
    };
    let memory = memfd_create(c"hostkit-variables", MFdFlags::MFD_CLOEXEC).map_err(|e| cannot(&e))?;
    let mut rest = text.reveal().as_bytes();
    while !rest.is_empty() {
        let count = nix::unistd::write(&memory, rest).map_err(|e| cannot(&e))?;
        rest = &rest[count..];
    }
    Ok(memory)
}

/// The names of the variables that the manager gives to everybody.
async fn manager_environment(link: &Link) -> Result<Vec<String>, Refusal> {
    let call = Call {
        path: MANAGER_PATH,
        interface: PROPERTIES,
        method: "Get",
        body: &(MANAGER, "Environment"),
        again: Again::Freely,
        patience: CALL,
    };
    let answer = link.call(call).await?;
    let body = answer.body();
    let value: Variant<'_> = body.deserialize()?;
    let pairs: Vec<String> = value.try_into()?;
    let name = |pair: String| pair.split('=').next().unwrap_or_default().to_owned();
    Ok(pairs.into_iter().map(name).collect())
}

fn properties(unit: TransientUnit, memory: &OwnedFd, of_manager: &[String]) -> Result<Properties, Failure> {
    let unset = environment_file::to_unset(&unit.variables, of_manager.iter().map(String::as_str));
    let variables = format!("/proc/{}/fd/{}", std::process::id(), memory.as_fd().as_raw_fd());
    let program = utf8(&unit.program)?;
    // Systemd replaces variables in them. Its setting without that (`ExecStartEx`) is of no use: version 252 keeps it in a
    // file that it refuses when it reads all files anew, and a start that is under way then is no more.
    let literally = |word: &String| word.replace('$', "$$");
    let line: Vec<String> = [&program]
        .into_iter()
        .chain(&unit.arguments)
        .map(literally)
        .collect();
    let is_its_failure_ignored = false;
    let command = vec![(program, line, is_its_failure_ignored)];
    let mut all: Properties = vec![
        ("Description", Variant::new(unit.description)),
        // Start is over when the program was executed, and fails when it cannot be.
        ("Type", Variant::new("exec")),
        ("ExecStart", Variant::new(command)),
        ("WorkingDirectory", Variant::new(utf8(&unit.directory)?)),
        ("EnvironmentFiles", Variant::new(vec![(variables, false)])),
        (
            "UnsetEnvironment",
            Variant::new(unset.into_iter().collect::<Vec<_>>()),
        ),
        ("KillMode", Variant::new("mixed")),
        ("KillSignal", Variant::new(number_of(unit.stop.signal))),
        ("TimeoutStopUSec", Variant::new(micros(unit.stop.grace.0))),
        // Our reference keeps it until its end was read; then nothing is left of it, also if it failed.
        ("AddRef", Variant::new(true)),
        ("CollectMode", Variant::new("inactive-or-failed")),
        ("OOMPolicy", Variant::new("kill")),
    ];
    if let Some(account) = unit.account {
        all.push(("User", Variant::new(account)));
    }
    if let Some(slice) = unit.slice {
        all.push(("Slice", Variant::new(slice.to_string())));
    }
    if let Some(other) = unit.bound_to {
        for key in ["BindsTo", "After"] {
            all.push((key, Variant::new(vec![other.to_string()])));
        }
    }
    limits(&unit.limits, &mut all);
    for wall in unit.sandbox.walls()? {
        all.push(of_wall(wall));
    }
    streams(unit.streams, &mut all)?;
    Ok(all)
}

fn limits(limits: &UnitLimits, all: &mut Properties) {
    if let Some(memory) = limits.memory {
        all.push(("MemoryMax", Variant::new(memory.0)));
        all.push(("MemorySwapMax", Variant::new(0_u64)));
    }
    if let Some(percent) = limits.cpu_percent {
        // Microseconds of processor time for each second.
        all.push(("CPUQuotaPerSecUSec", Variant::new(u64::from(percent) * 10_000)));
    }
    for (key, number) in [
        ("TasksMax", limits.tasks),
        ("IOWeight", limits.io_weight.map(u64::from)),
        ("CPUWeight", limits.cpu_weight.map(u64::from)),
        ("RuntimeMaxUSec", limits.time.map(micros)),
    ] {
        if let Some(number) = number {
            all.push((key, Variant::new(number)));
        }
    }
}

fn of_wall(wall: Wall) -> (&'static str, Variant<'static>) {
    let texts = |words: Vec<&str>| words.into_iter().map(str::to_owned).collect::<Vec<String>>();
    match wall {
        Wall::Yes(key) => (key, Variant::new(true)),
        Wall::Word(key, word) => (key, Variant::new(word)),
        Wall::NoCapabilities => ("CapabilityBoundingSet", Variant::new(0_u64)),
        // None at all systemd keeps as an empty setting, and takes that for no wall when it reads all files anew. A name of
        // the machine of its own is the least of them, and takes a right that nobody behind this wall has.
        Wall::NoNamespaces => ("RestrictNamespaces", Variant::new(CLONE_NEWUTS)),
        Wall::NativeCalls => ("SystemCallArchitectures", Variant::new(vec!["native".to_owned()])),
        Wall::Filter(key, only, words) => (key, Variant::new((only == Only::These, texts(words)))),
        Wall::Refused => ("SystemCallErrorNumber", Variant::new(nix::libc::EPERM)),
        Wall::Umask(mask) => ("UMask", Variant::new(mask)),
        Wall::Paths(key, paths) => (key, Variant::new(paths)),
        Wall::Binds(key, pairs) => {
            let binds: Vec<(String, String, bool, u64)> = pairs
                .into_iter()
                .map(|(from, to)| (from, to, false, WITH_MOUNTS))
                .collect();
            (key, Variant::new(binds))
        }
        Wall::Temporary(paths) => {
            let mounts: Vec<(String, String)> = paths.into_iter().map(|path| (path, String::new())).collect();
            ("TemporaryFileSystem", Variant::new(mounts))
        }
    }
}

fn streams(streams: Streams, all: &mut Properties) -> Result<(), Failure> {
    match streams {
        Streams::Terminal(path) => {
            all.push(("TTYPath", Variant::new(utf8(&path)?)));
            for key in ["StandardInput", "StandardOutput", "StandardError"] {
                all.push((key, Variant::new("tty")));
            }
        }
        Streams::Files {
            input,
            output,
            errors,
        } => {
            for (file, passed, named) in [
                (input, "StandardInputFileDescriptor", "StandardInput"),
                (output, "StandardOutputFileDescriptor", "StandardOutput"),
                (errors, "StandardErrorFileDescriptor", "StandardError"),
            ] {
                all.push(match file {
                    Some(file) => (passed, Variant::new(Fd::from(file))),
                    None => (named, Variant::new("null")),
                });
            }
        }
    }
    Ok(())
}

fn number_of(signal: StopSignal) -> i32 {
    let signal = match signal {
        StopSignal::Term => Signal::SIGTERM,
        StopSignal::Int => Signal::SIGINT,
        StopSignal::Quit => Signal::SIGQUIT,
        StopSignal::Hup => Signal::SIGHUP,
        StopSignal::Usr1 => Signal::SIGUSR1,
        StopSignal::Usr2 => Signal::SIGUSR2,
    };
    signal as i32
}

/// No time at all would mean without end to systemd.
fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1)
}

fn utf8(path: &Path) -> Result<String, Failure> {
    let text = path.to_str().filter(|text| !text.contains('\0'));
    text.map(str::to_owned).ok_or_else(|| {
        let message = format!("cannot use `{}` in a unit: it is not plain UTF-8", path.display());
        Failure::new(Kind::Invalid, message)
    })
}

/// A unit without a file that was started.
struct Run {
    link: Arc<Link>,
    name: UnitName,
    /// Whether only so much time may pass until it is asked to end.
    has_limit: bool,
    end: Option<TransientEnd>,
}

#[async_trait::async_trait]
impl TransientRun for Run {
    fn name(&self) -> &UnitName {
        &self.name
    }

    async fn wait(&mut self) -> Result<TransientEnd, Failure> {
        let mut events = self.link.events();
        let end = loop {
            if let Some(end) = &self.end {
                return Ok(end.clone());
            }
            let status = properties::status(&self.link, &self.name).await?;
            if let Some(end) = end_of(&status, self.has_limit)? {
                break end;
            }
            // Until it may be different. Without any word a look from time to time does.
            let changed = async {
                loop {
                    match hear(&mut events, &self.link).await {
                        Event::Unit(name) if name == self.name.as_str() => break,
                        Event::Unknown => break,
                        Event::Unit(_) | Event::JobEnded(..) => {}
                    }
                }
            };
            let _ = tokio::time::timeout(LOOK, changed).await;
        };
        self.end = Some(end.clone());
        release(&self.link, &self.name).await;
        Ok(end)
    }

    async fn stop(&mut self) -> Result<(), Failure> {
        if self.end.is_some() {
            return Ok(());
        }
        // If its time is up now, that is not why.
        self.has_limit = false;
        job::run(&self.link, Job::Stop, &self.name).await
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if self.end.is_some() {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let (link, name) = (self.link.clone(), self.name.clone());
        runtime.spawn(async move {
            let body = (name.as_str(), "all", Signal::SIGKILL as i32);
            // Killed, and then stopped for what was being started meanwhile. Either may find nothing any more.
            let _ = link.call(Call::manager("KillUnit", &body)).await;
            let stopped = link
                .call(Call::manager("StopUnit", &(name.as_str(), "replace")))
                .await;
            if let Err(refusal) = stopped
                && !refusal.is_no_such_unit()
            {
                tracing::warn!(unit = %name, ?refusal, "Cannot end a unit that nobody waits for");
            }
            release(&link, &name).await;
        });
    }
}

/// Takes our reference away, so that systemd forgets the unit once it ended.
async fn release(link: &Link, name: &UnitName) {
    let body = name.as_str();
    let call = Call {
        again: Again::IfNotDone,
        ..Call::manager("UnrefUnit", &body)
    };
    // Without a reference (the bus was restarted meanwhile) there is nothing to take away.
    let _ = link.call(call).await;
}

/// How it ended; `None` while it runs. Systemd has one word for the time a program may take and for that it may take to
/// end when it is asked to; only the first is a time limit.
fn end_of(status: &UnitStatus, has_limit: bool) -> Result<Option<TransientEnd>, Failure> {
    if status.load == LoadState::NotFound {
        let message = format!(
            "cannot tell how `{}` ended: systemd does not know it any more",
            status.name
        );
        return Err(Failure::new(Kind::Internal, message).hint(format!("journalctl -u {}", status.name)));
    }
    if !matches!(status.active, ActiveState::Inactive | ActiveState::Failed) {
        return Ok(None);
    }
    let ending = match &status.result {
        UnitResult::Timeout if has_limit => Ending::TimedOut,
        UnitResult::OomKill => Ending::OutOfMemory,
        _ => match &status.last_exit {
            Some(exit) => exit.ending,
            None => {
                let message = format!(
                    "cannot tell how `{}` ended: {}",
                    status.name,
                    job::why_it_failed(status)
                );
                return Err(
                    Failure::new(Kind::Internal, message).hint(format!("journalctl -u {}", status.name))
                );
            }
        },
    };
    Ok(Some(TransientEnd {
        ending,
        result: status.result.clone(),
        at: status.last_exit.as_ref().map(|exit| exit.at),
    }))
}
