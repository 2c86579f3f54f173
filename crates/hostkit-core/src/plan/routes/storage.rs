//! The way of visitors to what is public in the storage of an environment.

use super::{Hosts, RoutedEnvironment, rules};
use crate::route::rules::Rules;
use crate::route::{Backend, BackendId, Compression, HoldRule, Https, Protocol, Route, Target};
use crate::storage::PUBLIC_PATH;

/// The route to what is public in the storage. It asks visitors for what the other routes ask them for; what becomes of
/// answers is the storage's to say.
pub(super) fn route(environment: &RoutedEnvironment<'_>, hosts: &Hosts) -> Option<Route> {
    let address = environment.storage?;
    let asked = rules(environment, hosts);
    // No process is called so: names have no blank.
    let id = format!("{} storage", environment.id);
    Some(Route {
        environment: Some(environment.id.clone()),
        process: None,
        hosts: hosts.exact.clone(),
        wildcards: hosts.wildcards.clone(),
        path_prefix: PUBLIC_PATH.into(),
        ports: Vec::new(),
        target: Target::Instances {
            backends: vec![Backend {
                id: BackendId(id.clone()),
                address,
            }],
        },
        release: None,
        hold: HoldRule::default(),
        rules: Rules {
            maintenance: asked.maintenance,
            allow: asked.allow,
            basic_auth: asked.basic_auth,
            limits: asked.limits,
            ..Rules::default()
        },
        https: Https::Required,
        compression: Compression::default(),
        sticky: false,
        answers: Default::default(),
        protocol: Protocol::Http1,
        id,
    })
}
