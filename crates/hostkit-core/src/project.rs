//! Project: what the user owns. Environment: production, staging, a preview, each with its own URL and variables.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names::{EnvironmentName, HostName, ProjectName};

/// An environment of a project, by name. Shown as `shop/production`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct EnvironmentId {
    /// The project.
    pub project: ProjectName,
    /// The environment of it.
    pub environment: EnvironmentName,
}

impl EnvironmentId {
    /// Names an environment.
    pub fn new(project: ProjectName, environment: EnvironmentName) -> Self {
        EnvironmentId { project, environment }
    }

    /// The host name an environment answers under `base`: `shop.localhost` for production, `shop--staging.localhost`
    /// otherwise. Two hyphens cannot stand in a project name, so no two environments share a host.
    pub fn default_host(&self, base: &HostName) -> HostName {
        let label = if self.environment.is_production() {
            self.project.to_string()
        } else {
            format!("{}--{}", self.project, self.environment)
        };
        HostName::parse(&format!("{label}.{base}")).unwrap_or_else(|_| base.clone())
    }
}

impl std::fmt::Display for EnvironmentId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.project, self.environment)
    }
}

/// The URL of a host at the front door: by TLS where it is spoken, without the port that is meant anyway.
pub fn front_door_url(host: &HostName, http_port: u16, https_port: Option<u16>) -> String {
    match (https_port, http_port) {
        (Some(443), _) => format!("https://{host}"),
        (Some(port), _) => format!("https://{host}:{port}"),
        (None, 80) => format!("http://{host}"),
        (None, port) => format!("http://{host}:{port}"),
    }
}

/// Ports the front door holds on loopback for the stable addresses of projects (`DESIGN.md` 3).
pub const STABLE_PORTS: std::ops::RangeInclusive<u16> = 8001..=8999;
/// Ports that instances listen on.
pub const INSTANCE_PORTS: std::ops::RangeInclusive<u16> = 20000..=31999;
/// Ports that servers of add-ons listen on.
pub const ADDON_PORTS: std::ops::RangeInclusive<u16> = 15000..=19999;

/// All of [`ADDON_PORTS`], beginning somewhere: `chance` says where. Installations on one machine that all took the first one
/// that is free would choose ports of each other's servers that are down for a moment.
pub fn addon_ports_from(chance: u16) -> impl Iterator<Item = u16> {
    let (first, last) = ADDON_PORTS.into_inner();
    let begin = first + chance % (last - first + 1);
    (begin..=last).chain(first..begin)
}

/// How far the ports of a project's services are from its base port: auth, payments, SMS, booking, chatbot. They are
/// kept free with it.
pub const SERVICE_OFFSETS: [u16; 5] = [1000, 2000, 3000, 4000, 5000];
/// The port of voice, one for all projects: no project's own.
pub const VOICE_PORT: u16 = 8900;
