//! The unit of a build: what it may use, and what it sees of the machine.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::manifest::StopRule;
use hostkit_core::size::{ByteSize, Span};
use hostkit_core::traits::BuildJob;
use hostkit_host::systemd::sandbox::{Access, Bind, Sandbox};
use hostkit_host::systemd::{Streams, TransientUnit, UnitLimits, UnitName};

use super::ApartSettings;

/// On top of a build's own time, which its worker keeps: so that the worker, not systemd, says that it is over.
const MARGIN: Duration = Duration::from_secs(30);

/// The most memory a build may use.
pub(super) fn memory(settings: &ApartSettings, job: &BuildJob) -> ByteSize {
    let most = settings.limits.memory.unwrap_or(job.rule.memory);
    job.rule.memory.min(most)
}

/// The unit in which `builder` does `job`.
pub(super) fn of(
    settings: &ApartSettings,
    job: &BuildJob,
    builder: &str,
    input: OwnedFd,
    output: OwnedFd,
) -> Result<TransientUnit, Failure> {
    let unusable = |why: &dyn std::fmt::Display| {
        Failure::new(Kind::Internal, format!("cannot name a build's unit: {why}"))
    };
    let unique: u64 = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), &job.output);
    let name =
        UnitName::service(&format!("{}.build-{unique:016x}", job.project)).map_err(|e| unusable(&e))?;
    let slice = UnitName::slice(&["builds"]).map_err(|e| unusable(&e))?;
    Ok(TransientUnit {
        name,
        description: format!("HostKit build of {} with {builder}", job.project),
        program: settings.program.clone(),
        arguments: vec!["build".into()],
        account: Some(job.project.to_string()),
        slice: Some(slice),
        limits: UnitLimits {
            memory: Some(memory(settings, job)),
            time: Some(job.rule.timeout.0 + MARGIN),
            ..settings.limits.clone()
        },
        directory: PathBuf::from("/"),
        variables: Default::default(),
        sandbox: sandbox(job),
        bound_to: settings.caller.clone(),
        stop: StopRule {
            grace: Span(Duration::ZERO),
            ..StopRule::default()
        },
        streams: Streams::Files {
            input: Some(input),
            output: Some(output),
            errors: None,
        },
    })
}

/// A build sees its source, its cache, the system's programs and the network, and writes to the first two alone.
fn sandbox(job: &BuildJob) -> Sandbox {
    let place = job.output.parent().unwrap_or(&job.source).to_owned();
    Sandbox {
        umask: Some(0o027),
        binds: [place, job.cache.clone()]
            .map(|path| Bind::in_place(path, Access::ReadWrite))
            .into(),
        ..Sandbox::for_projects()
    }
}
