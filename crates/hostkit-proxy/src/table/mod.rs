//! The route table as it is used: compiled once, read without locks. [`compile`] makes it, [`backend`] holds what
//! outlives a table and [`health`] how that fares, [`share`] what a project may have, [`sticky`] which visitors stay
//! where, [`saved`] keeps it on disk.

pub(crate) mod backend;
pub(crate) mod compile;
pub(crate) mod health;
pub(crate) mod saved;
pub(crate) mod share;
pub(crate) mod sticky;

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, OnceLock};

use hostkit_core::names::HostName;
use hostkit_core::route::{Compression, HoldRule, NothingReason, PutAside};
use http::HeaderValue;

use crate::cache::Scope;
use crate::files::Site;
use crate::metrics::Series;
use crate::rules::{LiveRules, Security};
use backend::Backend;
use share::Share;
use sticky::Sticky;

/// A table in force.
#[derive(Default)]
pub(crate) struct LiveTable {
    pub(crate) version: u64,
    pub(crate) put_aside: Vec<PutAside>,
    /// All public hosts, once each.
    pub(crate) host_names: Vec<HostName>,
    /// By host, longest prefix first.
    hosts: HashMap<Box<[u8]>, Vec<Arc<LiveRoute>>, BuildHasherDefault<HostHasher>>,
    pub(crate) ports: HashMap<u16, Arc<LiveRoute>>,
}

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
    pub(crate) hold: HoldRule,
    pub(crate) compression: Compression,
    /// What it has in the cache; set before the table is in force.
    pub(crate) scope: OnceLock<Arc<Scope>>,
    pub(crate) waiting: AtomicU32,
    /// The cookies that keep visitors on one backend, where it asks for that.
    pub(crate) sticky: Option<Sticky>,
    /// Its project's part of the front door.
    pub(crate) share: Arc<Share>,
    /// All backends of its project; set before the table is in force.
    pub(crate) siblings: OnceLock<Arc<[Arc<Backend>]>>,
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
        self.hosts.values().flatten().chain(self.ports.values())
    }

    /// The route for a host (without port) and a path.
    pub(crate) fn find(&self, host: &[u8], path: &str) -> Option<&Arc<LiveRoute>> {
        let host = host.strip_suffix(b".").unwrap_or(host);
        let routes = if host.iter().any(u8::is_ascii_uppercase) {
            self.hosts.get(&*host.to_ascii_lowercase())
        } else {
            self.hosts.get(host)
        };
        routes?.iter().find(|route| route.answers(path))
    }
}

impl LiveRoute {
    /// Whether `path` is this route's prefix or lies below it.
    fn answers(&self, path: &str) -> bool {
        // A prefix is kept without its last slash, so that `/` is empty and borders show as a slash behind it.
        path.strip_prefix(self.prefix.as_str())
            .is_some_and(|rest| self.prefix.is_empty() || rest.is_empty() || rest.starts_with('/'))
    }
}

#[cfg(test)]
mod tests;
