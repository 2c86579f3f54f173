//! What a TLS listener asks: which certificate is shown for a name. One look into a map, no lock and nothing from disk.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use hostkit_core::certificate::{CertificateName, Reach};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::challenges::{ACME_TLS_ALPN, Challenges};

/// Which certificate is shown for which name.
#[derive(Default)]
pub(crate) struct Table {
    exact: HashMap<String, Arc<CertifiedKey>>,
    below: HashMap<String, Arc<CertifiedKey>>,
}

impl Table {
    /// Adds what is shown for a name.
    pub(crate) fn insert(&mut self, name: &CertificateName, shown: Arc<CertifiedKey>) {
        let map = match name.reach() {
            Reach::Host => &mut self.exact,
            Reach::Below => &mut self.below,
        };
        map.insert(name.host().to_string(), shown);
    }

    /// What is shown for a name as a client sent it: the certificate of the name, or else one of a wildcard.
    pub(crate) fn find(&self, name: &str) -> Option<&Arc<CertifiedKey>> {
        match name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            true => self.get(&name.to_ascii_lowercase()),
            false => self.get(name),
        }
    }

    /// The same for a name in lower case.
    fn get(&self, name: &str) -> Option<&Arc<CertifiedKey>> {
        self.exact.get(name).or_else(|| {
            let (_, parent) = name.split_once('.')?;
            self.below.get(parent)
        })
    }
}

/// Chooses. Where there is no certificate, one of our own is shown: one for all names, since names come from whoever
/// connects, and making a key for each would let him use up the processor; no browser trusts it either way.
pub(crate) struct Resolver {
    pub(crate) table: Arc<ArcSwap<Table>>,
    pub(crate) challenges: Arc<Challenges>,
    pub(crate) fallback: Arc<CertifiedKey>,
}

impl Resolver {
    fn choose(&self, name: Option<&str>) -> Arc<CertifiedKey> {
        let table = self.table.load();
        let found = name.and_then(|name| table.find(name));
        Arc::clone(found.unwrap_or(&self.fallback))
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // RFC 8737: who speaks only that looks at a challenge, and sees nothing else.
        let mut protocols = hello.alpn().into_iter().flatten();
        if (protocols.next(), protocols.next()) == (Some(ACME_TLS_ALPN), None) {
            return self.challenges.certificate(hello.server_name()?);
        }
        Some(self.choose(hello.server_name()))
    }
}
