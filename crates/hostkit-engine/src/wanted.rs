//! From what an environment shall be to the workloads that make it so.

use std::collections::BTreeMap;
use std::sync::Arc;

use hostkit_core::canary::Side;
use hostkit_core::deployment::DeploymentId;
use hostkit_core::kind::Failure;
use hostkit_core::manifest::Reach;
use hostkit_core::names::ProcessName;
use hostkit_core::plan::variables::{ProcessContext, environment_of_process};
use hostkit_core::project::EnvironmentId;
use hostkit_core::release::{FrozenProcess, Release};
use hostkit_core::variables::Variables;
use hostkit_core::workload::{InstanceId, Workload, WorkloadId};
use hostkit_store::{Environment, Standing};

use crate::addons;
use crate::context::Context;

/// The number of instances a process shall have.
pub(crate) fn count(standing: &Standing, name: &ProcessName, process: &FrozenProcess) -> u16 {
    standing.counts.get(name).copied().unwrap_or(process.rule.count)
}

/// A release whose instances shall run.
struct Running {
    release: Arc<Release>,
    generation: DeploymentId,
    side: Side,
}

impl Running {
    /// Its processes that run. Of a canary only those that visitors reach: workers would take jobs with code that nobody
    /// promoted, and internal processes are called by a port that stays with the live release.
    fn processes(&self) -> impl Iterator<Item = (&ProcessName, &FrozenProcess)> {
        let paths = &self.release.manifest.routing.paths;
        let is_reached = |name: &ProcessName, process: &FrozenProcess| {
            process.rule.reach == Reach::Public || paths.iter().any(|path| path.process == *name)
        };
        let processes = self.release.processes.iter();
        processes.filter(move |(name, process)| self.side == Side::Live || is_reached(name, process))
    }

    fn workload(&self, id: &EnvironmentId, process: &ProcessName) -> WorkloadId {
        WorkloadId {
            environment: id.clone(),
            process: process.clone(),
            deployment: self.generation,
        }
    }
}

/// The releases whose instances shall run: the live one and its canary.
fn running(context: &Context, id: &EnvironmentId, standing: &Standing) -> Result<Vec<Running>, Failure> {
    if standing.stopped {
        return Ok(Vec::new());
    }
    let live = standing.live.as_ref();
    let live = live.map(|live| (&live.release, live.generation, Side::Live));
    let canary = standing.canary.as_ref();
    let canary = canary.map(|canary| (&canary.release, canary.generation, Side::Canary));
    let both = live.into_iter().chain(canary).map(|(release, generation, side)| {
        Ok(Running {
            release: context.release(id, release)?,
            generation,
            side,
        })
    });
    both.collect()
}

/// How many instances of which workloads shall run; none where the environment is stopped or was never deployed.
pub(crate) fn counts(
    context: &Context,
    id: &EnvironmentId,
    standing: &Standing,
) -> Result<BTreeMap<WorkloadId, u16>, Failure> {
    let mut counts = BTreeMap::new();
    for release in running(context, id, standing)? {
        let named = release.processes();
        counts.extend(
            named.map(|(name, process)| (release.workload(id, name), count(standing, name, process))),
        );
    }
    Ok(counts)
}

/// The instances that shall run, by name.
pub(crate) fn instances(counts: &BTreeMap<WorkloadId, u16>) -> Vec<InstanceId> {
    let numbered = counts.iter().flat_map(|(workload, count)| {
        (1..=*count).map(|number| InstanceId {
            workload: workload.clone(),
            number,
        })
    });
    numbered.collect()
}

/// The first instance of the main process of what is live: the public one, else the first by name.
pub(crate) fn main_instance(
    context: &Context,
    id: &EnvironmentId,
    standing: &Standing,
) -> Result<Option<InstanceId>, Failure> {
    let Some(live) = standing.live.as_ref().filter(|_| !standing.stopped) else {
        return Ok(None);
    };
    let release = context.release(id, &live.release)?;
    let running = release
        .processes
        .iter()
        .filter(|(name, process)| count(standing, name, process) > 0);
    let main = running.min_by_key(|(name, process)| (process.rule.reach != Reach::Public, (*name).clone()));
    Ok(main.map(|(name, _)| InstanceId {
        workload: WorkloadId {
            environment: id.clone(),
            process: name.clone(),
            deployment: live.generation,
        },
        number: 1,
    }))
}

/// The workloads that shall run, ready to be started, also those with a count of 0.
pub(crate) fn workloads(
    context: &Context,
    id: &EnvironmentId,
    standing: &Standing,
) -> Result<Vec<Workload>, Failure> {
    let environment = context.parts.store.environment(id)?;
    let mut workloads = Vec::new();
    for running in running(context, id, standing)? {
        let release = &running.release;
        let user = addons::with(
            context,
            id,
            context.parts.store.release_variables(id, &release.name)?,
        )?;
        let folder = context.parts.layout.release(id, &release.name);
        let made = running.processes().map(|(name, process)| {
            let has_port = process.rule.reach != Reach::Unreachable;
            Workload {
                id: running.workload(id, name),
                release: release.name.clone(),
                count: count(standing, name, process),
                command: process.program.command.clone(),
                directory: process.program.directory.under(&folder),
                variables: variables(context, &environment, release, process, &user),
                port_variable: has_port.then(|| process.rule.port_variable.clone()),
                stop: process.rule.stop.clone(),
                memory: process.rule.memory,
                cpus: process.rule.cpus,
            }
        });
        workloads.extend(made);
    }
    Ok(workloads)
}

/// What a process of a release finds in its environment.
pub(crate) fn variables(
    context: &Context,
    environment: &Environment,
    release: &Release,
    process: &FrozenProcess,
    user: &Variables,
) -> Variables {
    let (layout, settings) = (&context.parts.layout, &context.parts.settings);
    let internal = |name: &ProcessName| {
        let process = release.processes.get(name);
        process.is_some_and(|p| p.rule.reach == Reach::Internal)
    };
    let ports = environment.ports.iter().filter(|(name, _)| internal(name));
    environment_of_process(&ProcessContext {
        environment: &environment.id,
        release: &release.name,
        folder: &layout.release(&environment.id, &release.name),
        process,
        manifest: &release.manifest,
        user,
        internal_ports: &ports.map(|(name, port)| (name.clone(), *port)).collect(),
        system_path: &settings.system_path,
        home: &layout.environment(&environment.id),
        account: &settings.account,
    })
}
