//! How servers elsewhere prove who they are.

use std::path::PathBuf;
use std::sync::Arc;

use hostkit_core::kind::{Failure, Kind};
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_platform_verifier::BuilderVerifierExt;

/// How a server elsewhere proves who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// Not at all, and nothing is encrypted: only where the URL says so, or to this machine.
    None,
    /// By an authority that the system trusts.
    System,
    /// By an authority whose certificate is in this file (PEM).
    Authority(PathBuf),
}

impl Proof {
    /// What encrypts connections; none where they are not.
    pub(crate) fn client(&self) -> Result<Option<ClientConfig>, Failure> {
        let cannot = |why: &dyn std::fmt::Display| {
            Failure::new(
                Kind::Invalid,
                format!("cannot prove who a server elsewhere is: {why}"),
            )
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|why| cannot(&why))?;
        let config = match self {
            Proof::None => return Ok(None),
            Proof::System => builder.with_platform_verifier().map_err(|why| cannot(&why))?,
            Proof::Authority(file) => {
                let named = |why: &dyn std::fmt::Display| cannot(&format!("`{}`: {why}", file.display()));
                let mut roots = rustls::RootCertStore::empty();
                for certificate in CertificateDer::pem_file_iter(file).map_err(|why| named(&why))? {
                    roots
                        .add(certificate.map_err(|why| named(&why))?)
                        .map_err(|why| named(&why))?;
                }
                builder.with_root_certificates(roots)
            }
        };
        Ok(Some(config.with_no_client_auth()))
    }
}
