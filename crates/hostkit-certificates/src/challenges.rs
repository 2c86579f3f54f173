//! What is shown to an authority that looks whether a name is ours, as long as it looks.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

/// The protocol of a connection by which an authority looks at a challenge. A TLS listener that is to answer must
/// offer it beside those it speaks.
pub const ACME_TLS_ALPN: &[u8] = b"acme-tls/1";

/// Challenges under way. Read for every connection that asks for one, written a few times an hour.
#[derive(Default)]
pub(crate) struct Challenges {
    answers: ArcSwap<HashMap<String, String>>,
    certificates: ArcSwap<HashMap<String, Arc<CertifiedKey>>>,
}

impl Challenges {
    /// What is answered over HTTP.
    pub(crate) fn answer(&self, token: &str) -> Option<String> {
        self.answers.load().get(token).cloned()
    }

    /// What is shown over TLS.
    pub(crate) fn certificate(&self, host: &str) -> Option<Arc<CertifiedKey>> {
        self.certificates.load().get(&host.to_ascii_lowercase()).cloned()
    }

    /// Answers over HTTP until the returned value is dropped.
    pub(crate) fn answer_with(self: &Arc<Self>, token: &str, answer: &str) -> Shown {
        change(&self.answers, |map| {
            drop(map.insert(token.to_owned(), answer.to_owned()))
        });
        Shown(Arc::clone(self), What::Answer(token.to_owned()))
    }

    /// Shows a certificate with the digest of the challenge over TLS until the returned value is dropped.
    pub(crate) fn show(self: &Arc<Self>, host: &str, digest: &[u8]) -> Result<Shown, String> {
        let shown = certificate_with(host, digest)?;
        change(&self.certificates, |map| {
            drop(map.insert(host.to_owned(), Arc::clone(&shown)))
        });
        Ok(Shown(Arc::clone(self), What::Certificate(host.to_owned())))
    }
}

/// A challenge that can be seen.
pub(crate) struct Shown(Arc<Challenges>, What);

enum What {
    Answer(String),
    Certificate(String),
}

impl Drop for Shown {
    fn drop(&mut self) {
        match &self.1 {
            What::Answer(token) => change(&self.0.answers, |map| drop(map.remove(token))),
            What::Certificate(host) => change(&self.0.certificates, |map| drop(map.remove(host))),
        }
    }
}

fn change<V: Clone>(map: &ArcSwap<HashMap<String, V>>, change: impl Fn(&mut HashMap<String, V>)) {
    map.rcu(|old| {
        let mut new = HashMap::clone(old);
        change(&mut new);
        new
    });
}

fn certificate_with(host: &str, digest: &[u8]) -> Result<Arc<CertifiedKey>, String> {
    let failed = |why: &dyn std::fmt::Display| format!("cannot make the certificate of a challenge: {why}");
    if digest.len() != 32 {
        return Err(failed(&"its digest is not of SHA-256"));
    }
    let mut params = CertificateParams::new([host.to_owned()]).map_err(|why| failed(&why))?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let key = KeyPair::generate().map_err(|why| failed(&why))?;
    let certificate: CertificateDer<'static> = params.self_signed(&key).map_err(|why| failed(&why))?.into();
    let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(|why| failed(&why))?;
    let key = rustls::crypto::ring::sign::any_supported_type(&key).map_err(|why| failed(&why))?;
    Ok(Arc::new(CertifiedKey::new(vec![certificate], key)))
}
