//! The route table as it is used: compiled once, read without locks. [`compile`] makes it, [`backend`] holds what
//! outlives a table and [`health`] how that fares, [`share`] what a project may have, [`sticky`] which visitors stay
//! where, [`canary`] which release they get, [`saved`] keeps it on disk.

pub(crate) mod backend;
pub(crate) mod canary;
pub(crate) mod compile;
pub(crate) mod health;
pub(crate) mod saved;
pub(crate) mod share;
pub(crate) mod sticky;

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, OnceLock};

use hostkit_core::certificate::CertificateName;
use hostkit_core::route::{AnswerRule, Compression, HoldRule, NothingReason, Protocol, PutAside};
use http::HeaderValue;

use crate::cache::Scope;
use crate::files::Site;
use crate::metrics::Series;
use crate::rules::{LiveRules, Security};
use backend::Backend;
use canary::LiveCanary;
use share::Share;
use sticky::Sticky;

/// A table in force.
#[derive(Default)]
pub(crate) struct LiveTable {
    pub(crate) version: u64,
    pub(crate) put_aside: Vec<PutAside>,
    /// All public names, once each.
    pub(crate) names: Vec<CertificateName>,
    /// By host, longest prefix first.
    hosts: ByHost,
    /// The same by what the names of one label lie below.
    wildcards: ByHost,
    pub(crate) ports: HashMap<u16, Arc<LiveRoute>>,
    /// All canaries; the routes beside which they are know theirs.
    canaries: Vec<Arc<LiveCanary>>,
    /// Some route's backends speak HTTP/2 without TLS, and so may clients then.
    pub(crate) knows_h2c: bool,
}

type ByHost = HashMap<Box<[u8]>, Vec<Arc<LiveRoute>>, BuildHasherDefault<HostHasher>>;

/// Eight bytes a step. Only operators put hosts into a table, so nobody gains by hosts that collide.
#[derive(Default)]
struct HostHasher(u64);

impl Hasher for HostHasher {
    fn finish(&self) -> u64 {
        // The upper bits are the well-mixed ones; a table looks at the lower ones too.
        self.0.rotate_left(26)
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.write_u64(u64::from_le_bytes(*word));
        }
        for byte in rest {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

/// A route with everything a request needs made ready.
pub(crate) struct LiveRoute {
    pub(crate) id: String,
    /// The project's name for error pages, and how its owner names the environment on the command line.
    pub(crate) project: Option<String>,
    /// The part of a log line that is the same for every request: `"route":"shop-web",…` with a comma behind.
    pub(crate) log_part: String,
    pub(crate) release: Option<HeaderValue>,
    prefix: String,
    /// What happens to requests and answers besides; nothing for most routes.
    pub(crate) rules: Option<LiveRules>,
    pub(crate) security: Security,
    /// Plain HTTP is redirected, where TLS is spoken.
    pub(crate) to_https: bool,
    pub(crate) target: LiveTarget,
    /// What its backends speak.
    pub(crate) protocol: Protocol,
    pub(crate) hold: HoldRule,
    pub(crate) compression: Compression,
    /// Which answers are compressed and kept.
    pub(crate) answer_rule: AnswerRule,
    /// What it has in the cache; set before the table is in force.
    pub(crate) scope: OnceLock<Arc<Scope>>,
    pub(crate) waiting: AtomicU32,
    /// The cookies that keep visitors on one backend, where it asks for that.
    pub(crate) sticky: Option<Sticky>,
    /// Its project's part of the front door.
    pub(crate) share: Arc<Share>,
    /// All backends of its project; set before the table is in force.
    pub(crate) siblings: OnceLock<Arc<[Arc<Backend>]>>,
    /// The environment it belongs to.
    environment: Option<String>,
    /// It is a canary's.
    pub(crate) is_canary: bool,
    /// The canary beside its release; set before the table is in force.
    pub(crate) canary: OnceLock<Arc<LiveCanary>>,
    /// What is counted of it.
    pub(crate) series: Arc<Series>,
}

/// Where a route leads.
pub(crate) enum LiveTarget {
    Instances(Vec<Arc<Backend>>),
    Files(Arc<Site>),
    Nothing(NothingReason),
}

impl LiveTable {
    /// All routes that can be reached; one may come more than once.
    pub(crate) fn routes(&self) -> impl Iterator<Item = &Arc<LiveRoute>> {
        let named = self.hosts.values().chain(self.wildcards.values());
        let live = named.flatten().chain(self.ports.values());
        live.chain(self.canaries.iter().flat_map(|canary| &canary.routes))
    }

    /// Takes over what was counted for the routes of the table before, before this one is in force: a limit is none if
    /// every deploy of somebody else begins it anew.
    pub(crate) fn inherit(&self, before: &LiveTable) {
        let counting = |route: &&Arc<LiveRoute>| route.rules.as_ref().is_some_and(LiveRules::counts);
        let mut old: HashMap<&str, &LiveRules> = HashMap::new();
        for route in before.routes().filter(counting) {
            old.extend(route.rules.as_ref().map(|rules| (route.id.as_str(), rules)));
        }
        for route in self.routes().filter(counting) {
            if let (Some(rules), Some(before)) = (&route.rules, old.get(route.id.as_str())) {
                rules.inherit(before);
            }
        }
    }

    /// The route for a host (without port) and a path.
    pub(crate) fn find(&self, host: &[u8], path: &str) -> Option<&Arc<LiveRoute>> {
        let host = host.strip_suffix(b".").unwrap_or(host);
        let routes = if host.iter().any(u8::is_ascii_uppercase) {
            self.of_host(&host.to_ascii_lowercase())
        } else {
            self.of_host(host)
        };
        routes?.iter().find(|route| route.answers(path))
    }

    /// The routes of a host: those that have its name, else those of the wildcard it is below.
    fn of_host(&self, host: &[u8]) -> Option<&Vec<Arc<LiveRoute>>> {
        let exact = self.hosts.get(host);
        if exact.is_some() || self.wildcards.is_empty() {
            return exact;
        }
        let dot = host.iter().position(|byte| *byte == b'.')?;
        let (label, below) = (&host[..dot], &host[dot + 1..]);
        // What comes along must be a name: programs put it into links. An underscore is in some.
        let is_label = (1..=63).contains(&label.len())
            && label
                .iter()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        self.wildcards.get(below).filter(|_| is_label)
    }
}

impl LiveRoute {
    /// Whether answers of a length, where that is known, may be compressed.
    pub(crate) fn compresses(&self, length: Option<u64>) -> bool {
        let smallest = self.answer_rule.smallest_compressed.map_or(0, |size| size.0);
        self.compression == Compression::On && length.is_none_or(|length| length >= smallest)
    }

    /// Whether `path` is this route's prefix or lies below it.
    fn answers(&self, path: &str) -> bool {
        // A prefix is kept without its last slash, so that `/` is empty and borders show as a slash behind it.
        path.strip_prefix(self.prefix.as_str())
            .is_some_and(|rest| self.prefix.is_empty() || rest.is_empty() || rest.starts_with('/'))
    }
}

#[cfg(test)]
mod tests;
