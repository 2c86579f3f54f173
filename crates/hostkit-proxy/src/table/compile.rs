//! From the table as it was handed over to the table in force, entry by entry: what is wrong with one entry puts
//! that entry aside and no other.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, OnceLock};

use hostkit_core::certificate::{CertificateName, Reach};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::route::{Https, Protocol, PutAside, Route, Target};
use http::HeaderValue;
use serde::Deserialize;

use super::backend::Backends;
use super::sticky::Sticky;
use super::{LiveRoute, LiveTable, LiveTarget, canary, share};
use crate::files::Site;
use crate::metrics::{AllSeries, Series};
use crate::request_log;
use crate::rules::{self, Security};

/// A table whose entries were not looked at yet.
#[derive(Deserialize)]
pub(crate) struct RawTable {
    pub(crate) version: u64,
    pub(crate) routes: Vec<serde_json::Value>,
    /// One that cannot be read is put aside as a whole: its visitors get the live release.
    #[serde(default)]
    pub(crate) canaries: Vec<serde_json::Value>,
}

impl RawTable {
    /// Reads the outer form of a table.
    pub(crate) fn parse(bytes: &[u8]) -> Result<RawTable, Failure> {
        serde_json::from_slice(bytes).map_err(|error| {
            Failure::new(Kind::Invalid, format!("cannot read the route table: {error}"))
                .hint("send `{\"version\": …, \"routes\": […]}`")
        })
    }
}

/// Compiles a table. Returns it with the keys of the backends that stand in it.
pub(crate) fn compile(raw: &RawTable, backends: &Backends, series: &AllSeries) -> (LiveTable, HashSet<u64>) {
    let mut table = LiveTable {
        version: raw.version,
        ..LiveTable::default()
    };
    let mut ids = HashSet::new();
    let mut taken: HashMap<(String, String), String> = HashMap::new();
    let mut keys = HashSet::new();
    let mut projects: HashMap<String, Vec<Arc<LiveRoute>>> = HashMap::new();
    for (at, value) in raw.routes.iter().enumerate() {
        let name = value
            .get("id")
            .and_then(|id| id.as_str())
            .map_or_else(|| format!("#{at}"), str::to_owned);
        let mut aside = |reason: String| {
            table.put_aside.push(PutAside {
                route: name.clone(),
                reason,
            })
        };
        let route = match Route::deserialize(value) {
            Ok(route) => route,
            Err(error) => {
                aside(format!("it cannot be read: {error}"));
                continue;
            }
        };
        if let Err(reason) = check(&route, &ids, &taken) {
            aside(reason);
            continue;
        }
        let rules = match rules::compile(&route) {
            Ok(rules) => rules,
            Err(reason) => {
                aside(reason);
                continue;
            }
        };
        let prefix = route.path_prefix.trim_end_matches('/');
        for name in names(&route) {
            taken.insert((name.to_string(), prefix.to_owned()), route.id.clone());
        }
        ids.insert(route.id.clone());
        let mut live = live_route(&route, series.of(&route), backends, &mut keys);
        live.rules = rules;
        table.knows_h2c |= route.protocol == Protocol::H2c;
        let live = Arc::new(live);
        projects
            .entry(share::project(&route))
            .or_default()
            .push(Arc::clone(&live));
        for port in &route.ports {
            match table.ports.get(port) {
                Some(holder) if holder.id != route.id => {
                    aside(format!("port {port} belongs to route `{}` already", holder.id));
                }
                _ => {
                    table.ports.insert(*port, Arc::clone(&live));
                }
            }
        }
        for name in names(&route) {
            let known = match name.reach() {
                Reach::Host => &mut table.hosts,
                Reach::Below => &mut table.wildcards,
            };
            let routes = known.entry(name.host().as_str().as_bytes().into());
            if matches!(routes, Entry::Vacant(_)) {
                table.names.push(name);
            }
            routes.or_default().push(Arc::clone(&live));
        }
    }
    for routes in table.hosts.values_mut().chain(table.wildcards.values_mut()) {
        routes.sort_by_key(|route| std::cmp::Reverse(route.prefix.len()));
    }
    for value in &raw.canaries {
        let made = canary::make(value, &mut ids, backends, series, &mut keys);
        let (environment, canary) = match made {
            Ok(made) => made,
            Err((route, reason)) => {
                table.put_aside.push(PutAside { route, reason });
                continue;
            }
        };
        let canary = Arc::new(canary);
        let name = environment.to_string();
        for route in table.hosts.values().chain(table.wildcards.values()).flatten() {
            if route.environment.as_deref() == Some(name.as_str()) {
                // A second one for the same environment is none.
                route.canary.set(Arc::clone(&canary)).ok();
            }
        }
        let theirs = projects.entry(environment.project.to_string()).or_default();
        theirs.extend(canary.routes.iter().cloned());
        table.knows_h2c |= canary.routes.iter().any(|route| route.protocol == Protocol::H2c);
        table.canaries.push(canary);
    }
    projects.values().for_each(|routes| introduce(routes));
    series.keep(|id| ids.contains(id));
    (table, keys)
}

/// Tells the routes of a project of all backends it has, each once.
fn introduce(routes: &[Arc<LiveRoute>]) {
    let mut seen = HashSet::new();
    let of_route = |route: &Arc<LiveRoute>| match &route.target {
        LiveTarget::Instances(backends) => backends.clone(),
        LiveTarget::Files(_) | LiveTarget::Nothing(_) => Vec::new(),
    };
    let all: Arc<[_]> = routes
        .iter()
        .flat_map(of_route)
        .filter(|backend| seen.insert(backend.key))
        .collect();
    for route in routes {
        // It is set once: the route was made for this table.
        route.siblings.set(Arc::clone(&all)).ok();
    }
}

/// What a route answers on the public listener.
fn names(route: &Route) -> impl Iterator<Item = CertificateName> {
    let hosts = route.hosts.iter().cloned().map(CertificateName::from);
    hosts.chain(route.wildcards.iter().cloned().map(CertificateName::below))
}

pub(super) fn check(
    route: &Route,
    ids: &HashSet<String>,
    taken: &HashMap<(String, String), String>,
) -> Result<(), String> {
    if route.id.is_empty() {
        return Err("it has no name".into());
    }
    if ids.contains(&route.id) {
        return Err("another route has the same name".into());
    }
    if !route.path_prefix.starts_with('/') || route.path_prefix.contains(['?', '#']) {
        return Err(format!(
            "path prefix `{}` is not a path that begins with `/`",
            route.path_prefix
        ));
    }
    if let Target::Files { root, earlier, .. } = &route.target
        && let Some(root) = std::iter::once(root)
            .chain(earlier)
            .find(|root| !root.is_absolute())
    {
        return Err(format!("folder `{}` is not absolute", root.display()));
    }
    if let Some(port) = route.ports.iter().find(|port| **port == 0) {
        return Err(format!("port {port} cannot be held"));
    }
    let prefix = route.path_prefix.trim_end_matches('/');
    for name in names(route) {
        if let Some(other) = taken.get(&(name.to_string(), prefix.to_owned())) {
            return Err(format!(
                "`{name}{}` belongs to route `{other}` already",
                route.path_prefix
            ));
        }
    }
    Ok(())
}

pub(super) fn live_route(
    route: &Route,
    series: Arc<Series>,
    backends: &Backends,
    keys: &mut HashSet<u64>,
) -> LiveRoute {
    let share = backends.shares.of(route);
    let target = match &route.target {
        Target::Instances { backends: list } => LiveTarget::Instances(
            list.iter()
                .map(|backend| {
                    let live = backends.get(&backend.id, backend.address, &share);
                    keys.insert(live.key);
                    live
                })
                .collect(),
        ),
        Target::Files {
            root,
            single_page,
            earlier,
        } => {
            let release = route.release.as_ref().map_or("", |release| release.as_str());
            LiveTarget::Files(Arc::new(Site::new(
                root.clone(),
                earlier.clone(),
                *single_page,
                release,
            )))
        }
        Target::Nothing { reason } => LiveTarget::Nothing(*reason),
    };
    let prefix = route.path_prefix.trim_end_matches('/').to_owned();
    let sticky = match &target {
        LiveTarget::Instances(list) if route.sticky => {
            Some(Sticky::new(&backends.secret, &route.id, &prefix, list))
        }
        _ => None,
    };
    let mut log_part = request_log::field("route", &route.id);
    let mut part = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            log_part.push_str(&format!("\"{name}\":\"{value}\","));
        }
    };
    // Every value is a checked name: none needs escaping.
    part("project", route.environment.as_ref().map(|e| e.project.as_str()));
    part(
        "environment",
        route.environment.as_ref().map(|e| e.environment.as_str()),
    );
    part("process", route.process.as_ref().map(|p| p.as_str()));
    part("release", route.release.as_ref().map(|r| r.as_str()));
    LiveRoute {
        id: route.id.clone(),
        project: route.environment.as_ref().map(|environment| {
            if environment.environment.is_production() {
                environment.project.to_string()
            } else {
                format!("{} --env {}", environment.project, environment.environment)
            }
        }),
        log_part,
        release: route
            .release
            .as_ref()
            .and_then(|release| HeaderValue::from_str(release.as_str()).ok()),
        prefix,
        rules: None,
        security: Security::of(route),
        to_https: route.https == Https::Required,
        target,
        protocol: route.protocol,
        hold: route.hold.clone(),
        compression: route.compression,
        answer_rule: route.answers.clone(),
        scope: OnceLock::new(),
        waiting: AtomicU32::new(0),
        sticky,
        share,
        siblings: OnceLock::new(),
        environment: route.environment.as_ref().map(ToString::to_string),
        is_canary: false,
        canary: OnceLock::new(),
        series,
    }
}
