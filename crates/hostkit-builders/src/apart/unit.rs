//! The unit of a build: what it may use, and what it sees of the machine.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::manifest::StopRule;
use hostkit_core::size::{ByteSize, Span};
use hostkit_core::traits::BuildJob;
use hostkit_host::systemd::sandbox::{Access, Bind, ProtectHome, ProtectSystem, Sandbox};
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

/// A build sees its source, its cache, the system's programs and the network, and writes to the first two alone. Left
/// standing open as for the project's programs: memory that is written and executed, `/proc` as a whole, netlink.
fn sandbox(job: &BuildJob) -> Sandbox {
    let place = job.output.parent().unwrap_or(&job.source).to_owned();
    Sandbox {
        no_new_privileges: true,
        no_capabilities: true,
        protect_system: ProtectSystem::Strict,
        protect_home: ProtectHome::Empty,
        private_tmp: true,
        private_devices: true,
        private_ipc: true,
        protect_kernel_tunables: true,
        protect_kernel_modules: true,
        protect_kernel_logs: true,
        protect_control_groups: true,
        protect_clock: true,
        protect_hostname: true,
        hide_processes: true,
        address_families: vec!["AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK"],
        restrict_namespaces: true,
        restrict_realtime: true,
        restrict_suid_sgid: true,
        lock_personality: true,
        native_system_calls: true,
        system_calls: vec!["@system-service"],
        without_system_calls: vec!["@privileged"],
        umask: Some(0o027),
        binds: [place, job.cache.clone()]
            .map(|path| Bind::in_place(path, Access::ReadWrite))
            .into(),
        ..Sandbox::default()
    }
}
