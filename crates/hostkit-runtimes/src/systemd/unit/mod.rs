//! The unit of an instance, and the walls around everything of a project: values in, values out.

use std::path::{Path, PathBuf};

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::layout::Layout;
use hostkit_core::manifest::{StopRule, StopSignal};
use hostkit_core::names::EnvironmentName;
use hostkit_core::project::EnvironmentId;
use hostkit_core::workload::InstanceId;
use hostkit_host::launch_role::LaunchSpec;
use hostkit_host::systemd::sandbox::{Access, Bind, Sandbox};
use hostkit_host::systemd::unit_file::{Section, UnitFile};
use hostkit_host::systemd::{UnitLimits, UnitName};

/// How long systemd waits before it starts `launch` again, which waits out the real pause. Not at once: should our own
/// program be missing for a moment, as while it is upgraded, systemd would turn in circles.
pub(crate) const AGAIN: &str = "200ms";
/// The shortest time systemd is given to end a unit: noting how a program ended takes its share of it as well.
const SHORTEST_STOP: std::time::Duration = std::time::Duration::from_secs(2);

/// All that a unit is made of.
#[derive(Debug)]
pub(super) struct UnitPlan<'a> {
    pub(super) id: &'a InstanceId,
    pub(super) spec: &'a LaunchSpec,
    /// Our own program.
    pub(super) program: &'a Path,
    /// What `launch` finds on its standard input.
    pub(super) spec_file: &'a Path,
    /// Variables, the later files before the earlier ones.
    pub(super) variable_files: &'a [PathBuf],
    pub(super) places: &'a Places,
    pub(super) limits: &'a UnitLimits,
}

/// What of the machine a project's program sees of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Places {
    /// The environment's folder. It is seen, but not to be written to.
    pub(super) home: PathBuf,
    /// Other folders that are seen and not to be written to.
    pub(super) visible: Vec<PathBuf>,
    /// Folders it may write to; all exist.
    pub(super) writable: Vec<PathBuf>,
    /// What of its home it need not see: other environments, operators' keys.
    pub(super) hidden: Vec<PathBuf>,
}

impl Places {
    /// The places of an environment's programs that work in `directory`; folders that do not exist are left out.
    pub(super) fn of(layout: &Layout, id: &EnvironmentId, directory: &Path) -> Places {
        let home = layout.environment(id);
        let releases = layout.releases(id);
        let release = directory
            .strip_prefix(&releases)
            .ok()
            .and_then(|inside| inside.components().next())
            .map(|name| releases.join(name));
        let wanted = [
            Some(layout.shared(id)),
            Some(layout.cache(&id.project)),
            Some(log_folder(layout, id)),
            release,
        ];
        let writable: Vec<PathBuf> = wanted
            .into_iter()
            .flatten()
            .filter(|path| path.is_dir())
            .collect();
        let hidden = if id.environment.is_production() {
            vec![home.join("environments"), home.join(".ssh")]
        } else {
            Vec::new()
        };
        Places {
            visible: if home.is_dir() {
                vec![home.clone()]
            } else {
                Vec::new()
            },
            home,
            writable,
            hidden,
        }
    }
}

/// What a project's programs print. One folder for all of its environments, the only one in `/var/log/projects` that
/// belongs to it: below a folder of its own root could be led astray.
pub(super) fn log_folder(layout: &Layout, id: &EnvironmentId) -> PathBuf {
    layout.logs(&EnvironmentId::new(
        id.project.clone(),
        EnvironmentName::production(),
    ))
}

/// The name of an instance's unit.
pub(super) fn name_of(id: &InstanceId) -> Result<UnitName, Failure> {
    UnitName::service(&id.to_string()).map_err(unusable)
}

/// The instance that a unit is, if it is one.
pub(super) fn instance_of(name: &UnitName) -> Option<InstanceId> {
    InstanceId::try_from(name.stem().to_owned())
        .ok()
        .filter(|id| name_of(id).is_ok_and(|own| own == *name))
}

/// The name that always means a project's main process.
pub(super) fn alias_of(id: &EnvironmentId) -> Result<UnitName, Failure> {
    UnitName::service(id.project.as_str()).map_err(unusable)
}

/// What all programs of a project share.
pub(crate) fn slice_of(id: &EnvironmentId) -> Result<UnitName, Failure> {
    UnitName::slice(&["projects", id.project.as_str()]).map_err(unusable)
}

pub(crate) fn unusable(why: impl std::fmt::Display) -> Failure {
    Failure::new(Kind::Internal, format!("cannot name a unit: {why}"))
}

/// The walls around a project's programs ([`Sandbox::for_projects`]), with the doors to their own places.
pub(super) fn sandbox(places: &Places) -> Sandbox {
    let is_home = |path: &&PathBuf| path.starts_with("/home") || path.starts_with("/root");
    let inside = |path: &&PathBuf| places.visible.iter().any(|seen| path.starts_with(seen));
    let elsewhere = places
        .writable
        .iter()
        .filter(is_home)
        .filter(|path| !inside(path));
    let binds = places
        .visible
        .iter()
        .filter(is_home)
        .map(|path| Bind::in_place(path, Access::ReadOnly))
        .chain(
            elsewhere
                .clone()
                .map(|path| Bind::in_place(path, Access::ReadWrite)),
        )
        .collect();
    let bound: Vec<&PathBuf> = elsewhere.collect();
    Sandbox {
        umask: Some(0o077),
        read_write: places
            .writable
            .iter()
            .filter(|path| !bound.contains(path))
            .cloned()
            .collect(),
        inaccessible: places.hidden.clone(),
        binds,
        ..Sandbox::for_projects()
    }
}

/// The unit file of an instance.
pub(super) fn file(plan: &UnitPlan<'_>) -> Result<UnitFile, Failure> {
    let spec = plan.spec;
    let environment = &plan.id.workload.environment;
    let account = environment.project.as_str();
    let id = plan.id.to_string();
    let release = spec.release.iter().map(|release| format!(", release {release}"));
    let mut file = UnitFile::new()
        .section(Section::Unit)
        .text(
            "Description",
            format!("HostKit {id}{}", release.collect::<String>()),
        )
        .word("After", "network.target")
        // A program that crashes is started again for ever; the pauses see to it that this costs little.
        .word("StartLimitIntervalSec", 0)
        .section(Section::Service)
        .word("Type", "notify")
        .word("NotifyAccess", "main")
        .text("User", account)
        .text("Group", account)
        .unit("Slice", &slice_of(environment)?)
        .text("WorkingDirectory", "/");
    for path in plan.variable_files {
        file = file.environment_file(path.clone());
    }
    file = file
        .text("StandardInput", format!("file:{}", utf8(plan.spec_file)?))
        .word("StandardOutput", "null")
        .word("StandardError", "null")
        .command("ExecStart", plan.program, &["launch".to_owned(), id.clone()])
        .command("ExecStopPost", plan.program, &["ended".to_owned(), id.clone()])
        .word("Restart", "always")
        .word("RestartSec", AGAIN)
        // `launch` waits out the pause before it says that it is ready.
        .word("TimeoutStartSec", "infinity");
    file = stop(file, &spec.stop)
        .word("OOMPolicy", "stop")
        .word("IgnoreSIGPIPE", "no")
        .text("RuntimeDirectory", state_folder(plan.id))
        .word("RuntimeDirectoryMode", "0700")
        .word("RuntimeDirectoryPreserve", "yes")
        .limits(plan.limits)
        .sandbox(&sandbox(plan.places))?
        .section(Section::Install)
        .word("WantedBy", "multi-user.target");
    Ok(file)
}

/// All processes are asked, as in a terminal: behind a shell line the shell alone would hear of it, and what it started
/// would be killed without a word. The log keeper does not listen and ends with the last of them.
pub(crate) fn stop(file: UnitFile, rule: &StopRule) -> UnitFile {
    let signal = match rule.signal {
        StopSignal::Term => "SIGTERM",
        StopSignal::Int => "SIGINT",
        StopSignal::Quit => "SIGQUIT",
        StopSignal::Hup => "SIGHUP",
        StopSignal::Usr1 => "SIGUSR1",
        StopSignal::Usr2 => "SIGUSR2",
    };
    let grace = rule.grace.0.max(SHORTEST_STOP);
    file.word("KillMode", "control-group")
        .word("KillSignal", signal)
        .word("TimeoutStopSec", format!("{}ms", grace.as_millis()))
}

/// Below `/run`: the project's own folder of an instance, made by systemd.
pub(super) fn state_folder(id: &InstanceId) -> String {
    format!("hostkit/instances/{id}")
}

pub(crate) fn utf8(path: &Path) -> Result<&str, Failure> {
    path.to_str()
        .ok_or_else(|| unusable(format!("`{}` is not UTF-8", path.display())))
}

#[cfg(test)]
mod tests;
