//! Route: host and path, or a stable loopback port, to instances or files. The whole table is what the front door
//! knows; it is handed over as JSON and kept on disk as it came. [`rules`] says what else happens to requests.

use std::net::SocketAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::canary::Percent;
use crate::domain::DomainName;
use crate::names::{HostName, ProcessName, ReleaseName};
use crate::project::EnvironmentId;
use crate::size::{ByteSize, Span};
use crate::workload::InstanceId;
use rules::Rules;

pub mod access;
pub mod condition;
pub mod destination;
mod expression;
pub mod headers;
pub mod images;
pub mod limits;
pub mod pattern;
pub mod rules;
#[cfg(test)]
mod tests;
mod tokens;

/// All routes. A table replaces the one before it as a whole.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RouteTable {
    /// Grows with every change.
    pub version: u64,
    /// The routes, in any order.
    pub routes: Vec<Route>,
    /// The routes of canaries, one entry for each environment that has one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub canaries: Vec<CanaryRoutes>,
}

/// The routes of a canary: where those visitors go that get it, on the hosts of its environment's routes in the table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CanaryRoutes {
    /// The environment.
    pub environment: EnvironmentId,
    /// The release. Visitors are chosen anew for each.
    pub release: ReleaseName,
    /// How many visitors get it.
    pub percent: Percent,
    /// Its routes. They have neither hosts nor ports of their own.
    pub routes: Vec<Route>,
}

/// One route.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Route {
    /// Names it, once in a table: `shop/production/web`.
    pub id: String,
    /// The environment it belongs to; none for HostKit's own API.
    pub environment: Option<EnvironmentId>,
    /// The process it leads to.
    pub process: Option<ProcessName>,
    /// Host names it answers on the public listener. Empty for an internal process.
    pub hosts: Vec<HostName>,
    /// Names of which it answers all of one label below, where no route has the name itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wildcards: Vec<HostName>,
    /// Paths it answers: this one and all below. `/` for all. The longest match wins.
    pub path_prefix: String,
    /// Loopback ports the front door holds for it (any host name, any path).
    pub ports: Vec<u16>,
    /// Where requests go.
    pub target: Target,
    /// The release that answers; sent as `x-hostkit-release`.
    pub release: Option<ReleaseName>,
    /// What happens to requests while no instance is ready.
    pub hold: HoldRule,
    /// What happens to requests before they go there, and to answers. Tables of versions before have none.
    #[serde(default, skip_serializing_if = "Rules::is_empty")]
    pub rules: Rules,
    /// What becomes of requests that come without TLS.
    #[serde(default)]
    pub https: Https,
    /// Whether answers are compressed on their way.
    #[serde(default)]
    pub compression: Compression,
    /// Whether a visitor stays on the backend that answered first, on the public listeners.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sticky: bool,
    /// Which answers are compressed and kept. Tables of versions before say nothing of it.
    #[serde(default, skip_serializing_if = "AnswerRule::is_standard")]
    pub answers: AnswerRule,
    /// What its backends speak.
    #[serde(default, skip_serializing_if = "Protocol::is_http1")]
    pub protocol: Protocol,
}

/// What a program speaks to those who ask it. Visitors speak what they like to the front door.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// HTTP/1.1 (RFC 9112).
    #[default]
    Http1,
    /// HTTP/2 without TLS, from the first byte on (RFC 9113, 3.3): what gRPC is spoken over.
    H2c,
}

impl Protocol {
    /// As `hostkit.toml` writes them.
    pub const WORDS: [&'static str; 2] = ["http1", "h2c"];

    /// Whether it is the one that nobody needs to name.
    pub fn is_http1(&self) -> bool {
        *self == Protocol::Http1
    }
}

/// Which answers of a route are compressed on their way, and which are kept to be used again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct AnswerRule {
    /// Whether what the application marks as cacheable is kept.
    pub cache: bool,
    /// The largest answer that is kept; the front door's own bound where nothing is said.
    pub largest_kept: Option<ByteSize>,
    /// The smallest answer that is compressed; the front door's own bound where nothing is said.
    pub smallest_compressed: Option<ByteSize>,
}

impl AnswerRule {
    /// The front door's own bound for what is kept: nobody gets a larger one.
    pub const LARGEST_KEPT: ByteSize = ByteSize::mib(8);

    /// Whether nothing is said that was not true without it.
    pub fn is_standard(&self) -> bool {
        *self == AnswerRule::default()
    }
}

impl Default for AnswerRule {
    fn default() -> Self {
        AnswerRule {
            cache: true,
            largest_kept: None,
            smallest_compressed: None,
        }
    }
}

impl Route {
    /// Whether a host is one of those it is for.
    pub fn is_for(&self, host: &HostName) -> bool {
        let below = |name: &HostName| DomainName::below(name.clone()).covers(host.as_str());
        self.hosts.contains(host) || self.wildcards.iter().any(below)
    }
}

/// What becomes of requests that come to the public listener without TLS, where the front door speaks it. Stable
/// loopback ports have nothing to do with it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Https {
    /// They are answered all the same.
    #[default]
    Offered,
    /// They are redirected to https.
    Required,
}

/// Whether the front door compresses answers for clients that take that.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// Those that gain by it.
    #[default]
    On,
    /// None: for answers that hold a secret beside what a stranger can choose (BREACH).
    Off,
}

/// Where requests of a route go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Target {
    /// Running copies. An empty list holds requests by [`HoldRule`].
    Instances {
        /// The copies.
        backends: Vec<Backend>,
    },
    /// Files of a release, served by the front door itself.
    Files {
        /// The folder, absolute.
        root: PathBuf,
        /// Whether unknown paths answer with `index.html`.
        single_page: bool,
        /// The folders of the releases before it, newest first: files with a hash in their names are looked for there
        /// as well, for clients that still have the page of then.
        #[serde(default)]
        earlier: Vec<PathBuf>,
    },
    /// Nothing, on purpose: answered at once with 503 and a page that says why.
    Nothing {
        /// Why.
        reason: NothingReason,
    },
}

/// Why a route leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NothingReason {
    /// The project has no release yet.
    NeverDeployed,
    /// It was stopped by its owner.
    Stopped,
    /// Its live release has no public process.
    NoPublicProcess,
    /// It is there while a domain is checked: answered with 200 and the route's id, which nobody else knows.
    DomainCheck,
}

/// One copy behind a route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backend {
    /// Its name; in-flight counts and drains go by it.
    pub id: BackendId,
    /// Where it listens.
    pub address: SocketAddr,
}

/// Names a backend: an instance of a project, or HostKit's own API.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct BackendId(pub String);

impl From<&InstanceId> for BackendId {
    fn from(id: &InstanceId) -> Self {
        BackendId(id.to_string())
    }
}

/// What happens to requests while no instance is ready: they wait, so long and so many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldRule {
    /// The longest one waits.
    pub time: Span,
    /// The most that wait at once; more are answered 503.
    pub requests: u32,
}

impl Default for HoldRule {
    fn default() -> Self {
        HoldRule {
            time: Span::secs(30),
            requests: 1000,
        }
    }
}

/// What became of a table that was handed over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// The version now in force.
    pub version: u64,
    /// Entries that were put aside, with the reason; all others serve.
    pub put_aside: Vec<PutAside>,
}

/// A table entry that is not served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutAside {
    /// The route's name, or its place in the table where it has none.
    pub route: String,
    /// Why.
    pub reason: String,
}

/// How the front door is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrafficStatus {
    /// The version of the table in force.
    pub version: u64,
    /// Entries put aside.
    pub put_aside: Vec<PutAside>,
    /// Requests and upgraded connections in flight by backend.
    pub in_flight: Vec<(BackendId, u64)>,
    /// Backends that are left out for a while because they failed, as long as their route has others.
    #[serde(default)]
    pub ejected: Vec<BackendId>,
    /// Requests that wait for an instance.
    pub held: u64,
    /// Where the public listener is.
    pub http: Option<SocketAddr>,
    /// Where the public listener that speaks TLS is.
    #[serde(default)]
    pub https: Option<SocketAddr>,
    /// Connections that ended before TLS was agreed on, since the front door started.
    #[serde(default)]
    pub failed_handshakes: u64,
    /// Requests answered since the front door started.
    pub requests: u64,
    /// Answers that are kept on the disk, where they are.
    #[serde(default)]
    pub cache_disk: Option<DiskCacheStatus>,
}

/// How the disk's part of the front door's cache is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskCacheStatus {
    /// How many addresses it has an answer for.
    pub addresses: u64,
    /// What they take of the disk, in bytes.
    pub bytes: u64,
    /// The most they may take.
    pub most: u64,
    /// Whether answers are written and looked for now. Not before it is known what there is, while another front door has
    /// the folder, and for a while after the disk failed.
    pub on: bool,
    /// Why the disk is left alone for a while, or nothing is written to it, where it failed or is nearly full.
    pub trouble: Option<String>,
}

/// What became of a drain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drained {
    /// Requests and connections still open when the grace was over; they were closed.
    pub cut: u64,
}

/// What is taken out of the front door's cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purge {
    /// Whose answers.
    pub environment: EnvironmentId,
    /// Those of this path, with whatever query; of all that begin so where it ends with `*`. All without.
    pub path: Option<String>,
}

/// What was taken out of the cache.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Purged {
    /// How many addresses an answer was kept for.
    pub addresses: u64,
}
