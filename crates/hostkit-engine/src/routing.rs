//! The route table: made from the state and from what runs, handed over when it differs from the one in force.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use hostkit_core::deployment::DeploymentId;
use hostkit_core::domain::DomainName;
use hostkit_core::event::What;
use hostkit_core::kind::Failure;
use hostkit_core::names::{ProcessName, ReleaseName};
use hostkit_core::plan::routes::{self, HostConflict, LiveRelease, RoutedEnvironment};
use hostkit_core::project::EnvironmentId;
use hostkit_core::release::Release;
use hostkit_core::route::access::BasicAuth;
use hostkit_core::route::{Backend, BackendId, PutAside, Route, RouteTable};
use hostkit_core::secret::Secret;
use hostkit_core::workload::{Instance, InstanceId, Scope};
use hostkit_store::Environment;

use crate::context::{Context, locked};
use crate::wanted;

type Passwords = BTreeMap<(EnvironmentId, ReleaseName), BasicAuth>;

/// What was last handed over. One lock around making and handing over: tables never overtake each other.
#[derive(Default)]
pub(crate) struct Router {
    last: tokio::sync::Mutex<Option<RouteTable>>,
    put_aside: std::sync::Mutex<Vec<PutAside>>,
    /// The passwords of live releases as their hashes, which take a moment to make.
    passwords: std::sync::Mutex<Passwords>,
    conflicts: std::sync::Mutex<Vec<HostConflict>>,
    /// Routes of domains that are being checked.
    pub(crate) proofs: std::sync::Mutex<Vec<Route>>,
}

impl Router {
    /// Entries the front door put aside.
    pub(crate) fn put_aside(&self) -> Vec<PutAside> {
        locked(&self.put_aside).clone()
    }

    /// Host names that two environments claim.
    pub(crate) fn conflicts(&self) -> Vec<HostConflict> {
        locked(&self.conflicts).clone()
    }
}

/// Brings the table that the state asks for in force. The front door is asked which one it has: it may have been
/// started again, or have lost its disk.
pub(crate) async fn apply(context: &Context) -> Result<(), Failure> {
    let mut last = context.router.last.lock().await;
    let mut table = plan(context).await?;
    let known = context.parts.traffic.status().await?.version;
    if let Some(last) = &*last {
        table.version = last.version;
        if *last == table && last.version == known {
            return Ok(());
        }
    }
    table.version = table.version.max(known) + 1;
    let applied = context.parts.traffic.apply(&table).await?;
    *last = Some(table);
    drop(last);
    tell_put_aside(context, applied.put_aside);
    Ok(())
}

/// Whether the front door still has the table that was last handed over. A look at it alone, not at what runs.
pub(crate) async fn is_in_force(context: &Context) -> bool {
    let last = context.router.last.lock().await;
    let version = last.as_ref().map(|table| table.version);
    let status = context.parts.traffic.status().await;
    status.is_ok_and(|status| Some(status.version) == version)
}

async fn plan(context: &Context) -> Result<RouteTable, Failure> {
    let environments = context.parts.store.environments()?;
    // Looked at here, under the lock: an older look could take traffic from instances that are live by now.
    let observed = context.parts.runtime.observe(&Scope::default()).await?;
    let mut releases = Vec::with_capacity(environments.len());
    for environment in &environments {
        let of = |name: &ReleaseName| context.release(&environment.id, name);
        let live = environment.live.as_ref().map(|live| of(&live.release));
        let canary = environment.canary.as_ref().map(|canary| of(&canary.release));
        releases.push((live.transpose()?, canary.transpose()?));
    }
    let mut domains: BTreeMap<EnvironmentId, Vec<DomainName>> = BTreeMap::new();
    for domain in context.parts.store.domains()? {
        domains.entry(domain.environment).or_default().push(domain.host);
    }
    let storages = public_storages(context)?;
    let mut routed = Vec::with_capacity(environments.len());
    for (environment, (live, canary)) in environments.iter().zip(&releases) {
        let routed_release =
            |release, generation| routed_release(context, environment, &observed, release, generation);
        let live = match live.as_ref().zip(environment.live.as_ref()) {
            Some((release, live)) => Some(routed_release(release, live.generation)?),
            None => None,
        };
        let canary = match canary.as_ref().zip(environment.canary.as_ref()) {
            Some((release, canary)) => Some((routed_release(release, canary.generation)?, canary.percent)),
            None => None,
        };
        routed.push(RoutedEnvironment {
            id: environment.id.clone(),
            live,
            canary,
            stopped: environment.stopped,
            extra_hosts: domains.remove(&environment.id).unwrap_or_default(),
            ports: environment.ports.clone(),
            storage: storages.get(&environment.id).copied(),
        });
    }
    let is_live = |(id, name): &(EnvironmentId, ReleaseName)| {
        let mut releases = releases
            .iter()
            .flat_map(|(live, canary)| live.iter().chain(canary));
        releases.any(|release| release.environment == *id && release.name == *name)
    };
    locked(&context.router.passwords).retain(|key, _| is_live(key));
    let settings = &context.parts.settings;
    let mut planned = routes::table(0, &settings.base_host, settings.api_address, &routed);
    let proofs = locked(&context.router.proofs).clone();
    planned.table.routes.extend(proofs);
    *locked(&context.router.conflicts) = planned.conflicts;
    Ok(planned.table)
}

/// Where the storages answer that have something public.
fn public_storages(context: &Context) -> Result<BTreeMap<EnvironmentId, SocketAddr>, Failure> {
    let addons = context.parts.store.addons()?.into_iter();
    let public = addons.filter(|addon| !addon.removing && !addon.order.settings.public.is_empty());
    Ok(public
        .filter_map(|addon| {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, addon.order.port?));
            Some((addon.order.id.environment, address))
        })
        .collect())
}

/// A release that answers, with the instances of one generation.
fn routed_release<'a>(
    context: &Context,
    environment: &Environment,
    observed: &[Instance],
    release: &'a Release,
    generation: DeploymentId,
) -> Result<LiveRelease<'a>, Failure> {
    let id = &environment.id;
    Ok(LiveRelease {
        release,
        folder: context.parts.layout.release(id, &release.name),
        earlier: earlier_files(context, id, release)?,
        backends: backends(context, environment, observed, generation)?,
        basic_auth: basic_auth(context, id, release)?,
    })
}

/// The name and the password that the manifest of a release asks visitors for. The password is the one the release was
/// frozen with; where it has none, nobody comes in.
fn basic_auth(
    context: &Context,
    id: &EnvironmentId,
    release: &Release,
) -> Result<Option<BasicAuth>, Failure> {
    let Some(wanted) = &release.manifest.routing.basic_auth else {
        return Ok(None);
    };
    let key = (id.clone(), release.name.clone());
    if let Some(known) = locked(&context.router.passwords).get(&key) {
        return Ok(Some(known.clone()));
    }
    let variables = context.parts.store.release_variables(id, &release.name)?;
    let password = variables.get(&wanted.variable).map(Secret::reveal);
    let auth = match password.filter(|password| !password.is_empty()) {
        Some(password) => BasicAuth::new(&wanted.user, password, &format!("{id} {}", release.name)),
        None => BasicAuth::of_nobody(&wanted.user),
    };
    locked(&context.router.passwords).insert(key, auth.clone());
    Ok(Some(auth))
}

/// How many other releases hashed files are looked for in.
const EARLIER: usize = 3;

/// Where the files of the other releases lie that are kept, newest first: clients may still have a page of one of
/// them. After a rollback that is a newer one.
fn earlier_files(context: &Context, id: &EnvironmentId, live: &Release) -> Result<Vec<PathBuf>, Failure> {
    if live.artifact.files.is_none() {
        return Ok(Vec::new());
    }
    let kept = context.parts.store.releases(id)?;
    let others = kept.iter().filter(|release| release.name != live.name);
    let roots = others.filter_map(|release| {
        let files = release.artifact.files.as_ref()?;
        Some(files.root.under(&context.parts.layout.release(id, &release.name)))
    });
    Ok(roots.take(EARLIER).collect())
}

/// The instances of a generation that are ready, by process. Those beyond the wanted number get no traffic:
/// they are about to be stopped. One that wants no requests gets none while another does; where none does, those of the live
/// release get them nevertheless, and those of a canary leave them to the live release.
fn backends(
    context: &Context,
    environment: &Environment,
    observed: &[Instance],
    generation: DeploymentId,
) -> Result<BTreeMap<ProcessName, Vec<Backend>>, Failure> {
    let counts = wanted::counts(context, &environment.id, &environment.standing())?;
    let is_wanted = |id: &InstanceId| counts.get(&id.workload).is_some_and(|count| id.number <= *count);
    let is_live = environment
        .live
        .as_ref()
        .is_some_and(|live| live.generation == generation);
    let wants = |instance: &Instance| !context.ready.rests(instance);
    let mut willing: BTreeSet<&ProcessName> = BTreeSet::new();
    for instance in observed.iter().filter(|i| i.id.workload.deployment == generation) {
        if is_wanted(&instance.id) && context.ready.contains(instance) && wants(instance) {
            willing.insert(&instance.id.workload.process);
        }
    }
    let is_asked = |i: &Instance| wants(i) || (is_live && !willing.contains(&i.id.workload.process));
    let mut backends: BTreeMap<ProcessName, Vec<Backend>> = BTreeMap::new();
    for instance in observed
        .iter()
        .filter(|i| i.id.workload.deployment == generation)
        .filter(|i| is_wanted(&i.id) && context.ready.contains(i) && is_asked(i))
    {
        if let Some(address) = instance.address {
            let backend = Backend {
                id: BackendId::from(&instance.id),
                address,
            };
            backends
                .entry(instance.id.workload.process.clone())
                .or_default()
                .push(backend);
        }
    }
    for list in backends.values_mut() {
        list.sort_by(|a, b| a.id.cmp(&b.id));
    }
    Ok(backends)
}

/// Records entries that were not put aside before.
fn tell_put_aside(context: &Context, now: Vec<PutAside>) {
    let before = std::mem::replace(&mut *locked(&context.router.put_aside), now.clone());
    for entry in now.into_iter().filter(|entry| !before.contains(entry)) {
        let what = What::RoutePutAside {
            route: entry.route,
            reason: entry.reason,
        };
        if let Err(error) = context.parts.store.record(None, what) {
            tracing::warn!(%error, "cannot record that a route was put aside");
        }
    }
}
