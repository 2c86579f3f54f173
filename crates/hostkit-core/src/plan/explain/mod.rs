//! Why an instance does not get ready: from what was observed to sentences a user can act on. `output` knows what
//! programs print, `network` what their ports and health answers tell, `elsewhere` when that is certain at once.

mod elsewhere;
mod network;
mod output;
#[cfg(test)]
mod tests;

pub use elsewhere::{Elsewhere, elsewhere};

use crate::manifest::HealthRule;
use crate::names::{ProcessName, VariableName};
use crate::workload::Diagnosis;

/// What was observed of an instance that does not get ready.
#[derive(Debug, Clone)]
pub struct Evidence<'a> {
    /// The process it is a copy of.
    pub process: &'a ProcessName,
    /// What the runtime can say. Its lines are quoted in the explanation: they are masked before.
    pub diagnosis: &'a Diagnosis,
    /// Why the last health check failed, in the words of the probe.
    pub health: Option<&'a str>,
    /// The rule it was checked by.
    pub rule: &'a HealthRule,
    /// The port it was told to listen on; none for a process without one.
    pub port: Option<u16>,
    /// The variable that told it.
    pub port_variable: &'a VariableName,
    /// The names of the variables it found.
    pub variables: &'a [VariableName],
}

/// One thing that explains a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// What sort of cause it is.
    pub cause: Cause,
    /// What happened and why, one sentence, lower case, no full stop.
    pub sentence: String,
    /// What to do about it.
    pub hint: String,
}

/// The sorts of causes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// It was killed for its memory, or ran out of it.
    OutOfMemory,
    /// A variable it needs has no value.
    MissingVariable,
    /// The program of the command does not exist.
    CommandNotFound,
    /// The interpreter of the program does not exist, or it was built for another machine.
    WrongInterpreter,
    /// A Node.js module does not exist.
    MissingNodeModule,
    /// A Python module does not exist.
    MissingPythonModule,
    /// The object a Python server shall serve does not exist.
    MissingApplication,
    /// A script of package.json does not exist.
    MissingScript,
    /// The output of a build does not exist.
    MissingBuild,
    /// A shared library of the system does not exist.
    MissingLibrary,
    /// Its port is taken.
    PortInUse,
    /// It wants a port below 1024.
    PrivilegedPort,
    /// It may not read, write or start a file.
    PermissionDenied,
    /// A file does not exist.
    MissingFile,
    /// Its source does not parse.
    SyntaxError,
    /// A service it needs does not answer.
    DependencyUnreachable,
    /// The disk is full.
    DiskFull,
    /// It listens on another port.
    OtherPort,
    /// It listens on the right port of another address.
    OtherAddress,
    /// It runs and listens nowhere.
    NoPort,
    /// Its health path redirects.
    HealthRedirect,
    /// Its health path does not exist.
    HealthNotFound,
    /// Its health path wants a login.
    HealthDenied,
    /// Its health path answers with an error.
    HealthError,
    /// Its health path does not answer in time.
    HealthTimeout,
    /// It ended, as programs do that have nothing to wait for.
    EndedAtOnce,
    /// It ended for a reason nobody here knows.
    Ended,
}

/// Explains in one or two causes, the more certain one first. Empty where nothing can be said; the last lines of the program have to
/// speak for themselves then.
pub fn explain(evidence: &Evidence<'_>) -> Vec<Explanation> {
    if let Some(found) = memory(evidence) {
        return vec![found];
    }
    let printed = output::explain(evidence);
    let has_ended = evidence.diagnosis.last_exit.is_some() && evidence.diagnosis.listening.is_empty();
    if has_ended {
        return printed.or_else(|| ended(evidence)).into_iter().collect();
    }
    let network = network::explain(evidence);
    // A wrong port or a redirect is the cause for certain; of a program that answers with errors, or not at all, its
    // own words tell more.
    let is_certain = network.as_ref().is_some_and(|found| {
        !matches!(
            found.cause,
            Cause::NoPort | Cause::HealthError | Cause::HealthTimeout
        )
    });
    if is_certain {
        network.into_iter().chain(printed).collect()
    } else {
        printed.into_iter().chain(network).collect()
    }
}

fn memory(evidence: &Evidence<'_>) -> Option<Explanation> {
    let exit = evidence.diagnosis.last_exit.as_ref()?;
    if !exit.out_of_memory {
        return None;
    }
    let process = evidence.process;
    let (why, hint) = match exit.memory_limit {
        Some(limit) => (
            format!("it used more than its memory limit of {limit}"),
            format!("raise `memory` below `[process.{process}]`, or let the program use less"),
        ),
        None => (
            "there was no memory left for it on this machine".to_owned(),
            "run fewer programs on this machine, let them use less, or give it more memory".to_owned(),
        ),
    };
    Some(Explanation {
        cause: Cause::OutOfMemory,
        sentence: format!("`{process}` was killed because {why}"),
        hint,
    })
}

fn ended(evidence: &Evidence<'_>) -> Option<Explanation> {
    let exit = evidence.diagnosis.last_exit.as_ref()?;
    let process = evidence.process;
    if exit.code == Some(0) {
        return Some(Explanation {
            cause: Cause::EndedAtOnce,
            sentence: format!("`{process}` ended with exit status 0, but it has to keep running"),
            hint: "start the program in the foreground, without `&`, `--daemon` or a process manager that detaches".into(),
        });
    }
    let times = match evidence.diagnosis.restarts {
        0 => String::new(),
        n => format!(", and again after each of {n} restarts"),
    };
    let how = match exit.signal {
        Some(11) => "crashed (signal 11, segmentation fault)".to_owned(),
        Some(6) => "aborted itself (signal 6)".to_owned(),
        Some(4) => "met an instruction this processor does not know (signal 4)".to_owned(),
        _ => format!("ended ({exit})"),
    };
    Some(Explanation {
        cause: Cause::Ended,
        sentence: format!("`{process}` {how} before it was ready{times}"),
        hint: match exit.signal {
            Some(9) => format!(
                "nobody noted who killed it; where it uses much memory it may have been the kernel (`journalctl -k` says). What it printed: `hostkit logs --process {process}`"
            ),
            _ => format!("see what it printed: `hostkit logs --process {process}`"),
        },
    })
}
