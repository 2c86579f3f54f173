//! What is said to the certificates of a front door when it starts.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hostkit_core::certificate::AcmeSettings;
use hostkit_core::layout::Layout;
use hostkit_core::names::HostName;
use hostkit_core::traits::DnsHook;

/// Names that no public authority issues certificates for.
const NOT_PUBLIC: [&str; 9] = [
    "localhost",
    "local",
    "internal",
    "test",
    "invalid",
    "example",
    "lan",
    "home.arpa",
    "onion",
];

/// Where certificates are kept, and where they come from.
#[derive(Clone)]
pub struct Settings {
    /// The folder they lie in; made where it is missing.
    pub folder: PathBuf,
    /// The authority that certificates are ordered from; none are ordered where there is none.
    pub acme: Option<AcmeSettings>,
    /// What makes entries in the DNS, without which there are no wildcards.
    pub dns_hook: Option<Arc<dyn DnsHook>>,
    /// Names below which certificates come from an authority of our own, which is made where there is none yet.
    pub local: Vec<HostName>,
    /// Names below which nothing is ordered.
    pub not_public: Vec<HostName>,
    /// Where a connection is made to see which certificate is really shown; none is made where there is no address.
    pub looked_at: Option<SocketAddr>,
    /// How long is waited for what.
    pub pace: Pace,
}

impl Settings {
    /// The certificates of an installation, from nowhere.
    pub fn of(data: &Layout) -> Self {
        Self::new(data.proxy().join("certificates"))
    }

    /// Certificates in a folder, from nowhere.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Settings {
            folder: folder.into(),
            acme: None,
            dns_hook: None,
            local: Vec::new(),
            not_public: not_public(),
            looked_at: None,
            pace: Pace::default(),
        }
    }
}

/// The names below which no public authority issues.
pub(crate) fn not_public() -> Vec<HostName> {
    NOT_PUBLIC.iter().filter_map(|name| name.parse().ok()).collect()
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("folder", &self.folder)
            .field("acme", &self.acme)
            .field("local", &self.local)
            .finish_non_exhaustive()
    }
}

/// How long is waited for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pace {
    /// Before the second try of what failed; twice as long before each further one.
    pub first_pause: Duration,
    /// Before any further try at the most.
    pub longest_pause: Duration,
    /// For one answer of an authority.
    pub answer: Duration,
    /// For an authority to look at one challenge, or to issue.
    pub verdict: Duration,
    /// Between two looks at which certificate is shown.
    pub look: Duration,
    /// Between two rounds in which nothing happens by itself.
    pub round: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Pace {
            first_pause: Duration::from_secs(60),
            longest_pause: Duration::from_secs(24 * 3600),
            answer: Duration::from_secs(30),
            verdict: Duration::from_secs(90),
            look: Duration::from_secs(24 * 3600),
            round: Duration::from_secs(60),
        }
    }
}
