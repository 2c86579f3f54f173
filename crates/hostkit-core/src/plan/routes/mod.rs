//! The route table: which host names and stable ports lead where.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::canary::Percent;
use crate::certificate;
use crate::domain::DomainName;
use crate::manifest::Reach;
use crate::names::{HostName, ProcessName};
use crate::project::EnvironmentId;
use crate::release::Release;
use crate::route::access::BasicAuth;
use crate::route::rules::Rules;
use crate::route::{
    Backend, BackendId, CanaryRoutes, Compression, HoldRule, Https, NothingReason, Protocol, Route,
    RouteTable, Target,
};

mod storage;
#[cfg(test)]
mod tests;

/// The id of the route to HostKit's own API.
pub const API_ROUTE: &str = "hostkit";

/// An environment, as far as routes go.
#[derive(Debug, Clone)]
pub struct RoutedEnvironment<'a> {
    /// Which one.
    pub id: EnvironmentId,
    /// What is live in it.
    pub live: Option<LiveRelease<'a>>,
    /// The canary beside that, and how many visitors get it.
    pub canary: Option<(LiveRelease<'a>, Percent)>,
    /// Whether its owner stopped it.
    pub stopped: bool,
    /// Host names given to it, next to the default one and those of the manifest.
    pub extra_hosts: Vec<DomainName>,
    /// The stable loopback ports of its processes.
    pub ports: BTreeMap<ProcessName, u16>,
    /// Where its storage answers, if anything in that is public.
    pub storage: Option<SocketAddr>,
}

/// A release that shall answer.
#[derive(Debug, Clone)]
pub struct LiveRelease<'a> {
    /// The release.
    pub release: &'a Release,
    /// The folder of its files, absolute.
    pub folder: PathBuf,
    /// The folders of files of the releases before it that are still there, newest first.
    pub earlier: Vec<PathBuf>,
    /// The instances that are ready, by process. A process without any has its requests held.
    pub backends: BTreeMap<ProcessName, Vec<Backend>>,
    /// The password its manifest asks for, as its hash.
    pub basic_auth: Option<BasicAuth>,
}

/// A table, and what could not be part of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PlannedTable {
    /// The table.
    pub table: RouteTable,
    /// Host names that were claimed twice.
    pub conflicts: Vec<HostConflict>,
}

/// A host name two environments claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostConflict {
    /// The name.
    pub host: DomainName,
    /// The route that has it.
    pub holder: String,
    /// The environment that does not get it.
    pub refused: EnvironmentId,
}

/// Makes the whole table. HostKit's own API is `hostkit.<base>` where its address is given.
///
/// A name claimed twice stays with its natural owner (the API, the environment whose default host it is), else with
/// the first environment by project and name.
pub fn table(
    version: u64,
    base: &HostName,
    api: Option<SocketAddr>,
    environments: &[RoutedEnvironment<'_>],
) -> PlannedTable {
    let mut environments: Vec<&RoutedEnvironment<'_>> = environments.iter().collect();
    environments.sort_by(|a, b| a.id.cmp(&b.id));
    let mut routes = Vec::new();
    let mut holders: BTreeMap<DomainName, String> = BTreeMap::new();
    if let Some(route) = api.and_then(|address| api_route(base, address)) {
        let own = route.hosts.iter().chain([base]);
        holders.extend(own.map(|host| (host.clone().into(), route.id.clone())));
        routes.push(route);
    }
    for environment in &environments {
        let id = route_id(&environment.id, public_process(environment).as_ref());
        holders
            .entry(environment.id.default_host(base).into())
            .or_insert(id);
    }
    let mut conflicts = Vec::new();
    let mut canaries = Vec::new();
    for environment in environments {
        let process = public_process(environment);
        let id = route_id(&environment.id, process.as_ref());
        let mut hosts = Hosts::default();
        for host in claimed_hosts(environment, base) {
            let holder = holders.entry(host.clone()).or_insert_with(|| id.clone());
            if *holder == id {
                hosts.push(host);
            } else {
                conflicts.push(HostConflict {
                    host,
                    holder: holder.clone(),
                    refused: environment.id.clone(),
                });
            }
        }
        canaries.extend(canary_routes(environment, &hosts));
        routes.extend(path_routes(environment, &hosts));
        routes.extend(storage::route(environment, &hosts));
        routes.push(public_route(environment, process, id, hosts));
        routes.extend(internal_routes(environment));
    }
    PlannedTable {
        table: RouteTable {
            version,
            routes,
            canaries,
        },
        conflicts,
    }
}

fn api_route(base: &HostName, address: SocketAddr) -> Option<Route> {
    let host = HostName::parse(&format!("hostkit.{base}")).ok()?;
    Some(Route {
        id: API_ROUTE.into(),
        environment: None,
        process: None,
        hosts: vec![host],
        wildcards: Vec::new(),
        path_prefix: "/".into(),
        ports: Vec::new(),
        target: Target::Instances {
            backends: vec![Backend {
                id: BackendId(API_ROUTE.into()),
                address,
            }],
        },
        release: None,
        hold: HoldRule::default(),
        rules: Rules::default(),
        https: Https::Offered,
        compression: Compression::default(),
        sticky: false,
        answers: Default::default(),
        protocol: Protocol::Http1,
    })
}

/// What an environment's public routes answer.
#[derive(Clone, Default)]
struct Hosts {
    exact: Vec<HostName>,
    wildcards: Vec<HostName>,
}

impl Hosts {
    fn push(&mut self, name: DomainName) {
        match name.reach() {
            certificate::Reach::Host => self.exact.push(name.host().clone()),
            certificate::Reach::Below => self.wildcards.push(name.host().clone()),
        }
    }

    /// Whether they are for a host, by itself or by a wildcard.
    fn answer(&self, host: &HostName) -> bool {
        let below = |name: &HostName| DomainName::below(name.clone()).covers(host.as_str());
        self.exact.contains(host) || self.wildcards.iter().any(below)
    }
}

fn route_id(environment: &EnvironmentId, process: Option<&ProcessName>) -> String {
    match process {
        Some(process) => format!("{environment}/{process}"),
        None => environment.to_string(),
    }
}

/// The process that outside requests go to; `web` where the release has none, so that the stable port keeps its
/// route. Nothing where `web` is an internal process and has a route of its own.
fn public_process(environment: &RoutedEnvironment<'_>) -> Option<ProcessName> {
    let processes = environment.live.as_ref().map(|live| &live.release.processes);
    let public = processes.and_then(|all| {
        all.iter()
            .find(|(_, process)| process.rule.reach == Reach::Public)
    });
    let web = ProcessName::web();
    let web_is_internal = processes
        .and_then(|all| all.get(&web))
        .is_some_and(|process| process.rule.reach == Reach::Internal);
    match public {
        Some((name, _)) => Some(name.clone()),
        None if web_is_internal => None,
        None => Some(web),
    }
}

/// The default host first, each name once.
fn claimed_hosts(environment: &RoutedEnvironment<'_>, base: &HostName) -> Vec<DomainName> {
    let of_manifest = environment
        .live
        .iter()
        .filter(|_| environment.id.environment.is_production())
        .flat_map(|live| &live.release.manifest.hosts);
    let mut seen = BTreeSet::new();
    std::iter::once(environment.id.default_host(base).into())
        .chain(environment.extra_hosts.iter().cloned())
        .chain(of_manifest.cloned())
        .filter(|host| seen.insert(host.clone()))
        .collect()
}

fn public_route(
    environment: &RoutedEnvironment<'_>,
    process: Option<ProcessName>,
    id: String,
    hosts: Hosts,
) -> Route {
    let target = match &environment.live {
        None => nothing(NothingReason::NeverDeployed),
        Some(_) if environment.stopped => nothing(NothingReason::Stopped),
        Some(live) => match (&process, &live.release.artifact.files) {
            (Some(name), _) if is_public(live, name) => instances(live, name),
            (_, Some(files)) => Target::Files {
                root: files.root.under(&live.folder),
                single_page: files.single_page,
                earlier: live.earlier.clone(),
            },
            _ => nothing(NothingReason::NoPublicProcess),
        },
    };
    let live = environment.live.as_ref();
    let sticky = live
        .zip(process.as_ref())
        .is_some_and(|(live, process)| is_sticky(live, process));
    let protocol = live
        .zip(process.as_ref())
        .map_or(Protocol::Http1, |(live, process)| protocol_of(live, process));
    let said = environment
        .live
        .as_ref()
        .map(|live| &live.release.manifest.routing);
    Route {
        id,
        environment: Some(environment.id.clone()),
        path_prefix: "/".into(),
        ports: process
            .iter()
            .filter_map(|name| environment.ports.get(name).copied())
            .collect(),
        target,
        release: environment.live.as_ref().map(|live| live.release.name.clone()),
        rules: rules(environment, &hosts),
        hosts: hosts.exact,
        wildcards: hosts.wildcards,
        process,
        hold: HoldRule::default(),
        https: Https::Required,
        sticky,
        compression: said.map(|said| said.compression).unwrap_or_default(),
        answers: said.map(|said| said.answers.clone()).unwrap_or_default(),
        protocol,
    }
}

/// The rules of an environment's public routes. Where there is a release they hold whether or not it is running.
fn rules(environment: &RoutedEnvironment<'_>, hosts: &Hosts) -> Rules {
    let Some(live) = &environment.live else {
        return Rules::default();
    };
    let mut rules = live.release.manifest.routing.rules.clone();
    rules.basic_auth = live.basic_auth.clone();
    // Visitors of a preview are not sent to production.
    rules.canonical_host = rules.canonical_host.filter(|host| hosts.answer(host));
    rules
}

/// One route per path that leads to a process of its own.
fn path_routes(environment: &RoutedEnvironment<'_>, hosts: &Hosts) -> Vec<Route> {
    let Some(live) = &environment.live else {
        return Vec::new();
    };
    let paths = live.release.manifest.routing.paths.iter();
    paths
        .map(|path| {
            let mut rules = rules(environment, hosts);
            rules.strip_prefix = path.strip_prefix;
            rules.timeout = path.timeout.or(rules.timeout);
            rules.body_limit = path.body_limit.or(rules.body_limit);
            Route {
                id: format!("{}{}", route_id(&environment.id, Some(&path.process)), path.path),
                environment: Some(environment.id.clone()),
                process: Some(path.process.clone()),
                hosts: hosts.exact.clone(),
                wildcards: hosts.wildcards.clone(),
                path_prefix: path.path.clone(),
                ports: Vec::new(),
                target: if environment.stopped {
                    nothing(NothingReason::Stopped)
                } else {
                    instances(live, &path.process)
                },
                release: Some(live.release.name.clone()),
                hold: HoldRule::default(),
                https: Https::Required,
                sticky: is_sticky(live, &path.process),
                compression: live.release.manifest.routing.compression,
                answers: live.release.manifest.routing.answers.clone(),
                protocol: protocol_of(live, &path.process),
                rules,
            }
        })
        .collect()
}

/// The public routes of an environment's canary, for the hosts that the live release answers; nothing where it has none or
/// is stopped.
fn canary_routes(environment: &RoutedEnvironment<'_>, hosts: &Hosts) -> Option<CanaryRoutes> {
    let (canary, percent) = environment.canary.as_ref().filter(|_| !environment.stopped)?;
    let alone = RoutedEnvironment {
        live: Some(canary.clone()),
        canary: None,
        ..environment.clone()
    };
    let process = public_process(&alone);
    let id = route_id(&alone.id, process.as_ref());
    let mut routes = path_routes(&alone, hosts);
    routes.extend(storage::route(&alone, hosts));
    routes.push(public_route(&alone, process, id, hosts.clone()));
    let prefix = alone.id.to_string();
    for route in &mut routes {
        let rest = route.id.strip_prefix(&prefix).unwrap_or(&route.id);
        // No process has a colon in its name: this is no other route's id.
        route.id = format!("{prefix}/canary:{}", rest.trim_start_matches('/'));
        route.hosts.clear();
        route.wildcards.clear();
        route.ports.clear();
    }
    Some(CanaryRoutes {
        environment: alone.id,
        release: canary.release.name.clone(),
        percent: *percent,
        routes,
    })
}

/// One route per internal process that has a stable port; no host name leads there.
fn internal_routes(environment: &RoutedEnvironment<'_>) -> Vec<Route> {
    let Some(live) = &environment.live else {
        return Vec::new();
    };
    live.release
        .processes
        .iter()
        .filter(|(_, process)| process.rule.reach == Reach::Internal)
        .filter_map(|(name, _)| Some((name, *environment.ports.get(name)?)))
        .map(|(name, port)| Route {
            id: route_id(&environment.id, Some(name)),
            environment: Some(environment.id.clone()),
            process: Some(name.clone()),
            hosts: Vec::new(),
            wildcards: Vec::new(),
            path_prefix: "/".into(),
            ports: vec![port],
            target: if environment.stopped {
                nothing(NothingReason::Stopped)
            } else {
                instances(live, name)
            },
            release: Some(live.release.name.clone()),
            hold: HoldRule::default(),
            rules: Rules::default(),
            https: Https::Offered,
            compression: Compression::default(),
            sticky: false,
            answers: Default::default(),
            protocol: protocol_of(live, name),
        })
        .collect()
}

fn is_public(live: &LiveRelease<'_>, process: &ProcessName) -> bool {
    let process = live.release.processes.get(process);
    process.is_some_and(|process| process.rule.reach == Reach::Public)
}

fn is_sticky(live: &LiveRelease<'_>, process: &ProcessName) -> bool {
    let process = live.release.processes.get(process);
    process.is_some_and(|process| process.rule.sticky)
}

fn protocol_of(live: &LiveRelease<'_>, process: &ProcessName) -> Protocol {
    let process = live.release.processes.get(process);
    process.map_or(Protocol::Http1, |process| process.rule.health.protocol)
}

fn instances(live: &LiveRelease<'_>, process: &ProcessName) -> Target {
    Target::Instances {
        backends: live.backends.get(process).cloned().unwrap_or_default(),
    }
}

fn nothing(reason: NothingReason) -> Target {
    Target::Nothing { reason }
}
