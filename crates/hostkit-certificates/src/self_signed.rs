//! The certificate that is shown where there is no other: made at every start, trusted by nobody.

use std::sync::Arc;

use hostkit_core::kind::{Failure, Kind};
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::CertifiedKey;

/// A self-signed certificate.
pub(crate) fn make() -> Result<Arc<CertifiedKey>, Failure> {
    let failed = |why: &dyn std::fmt::Display| {
        Failure::new(
            Kind::Internal,
            format!("cannot make a self-signed certificate: {why}"),
        )
    };
    let names = vec!["hostkit.invalid".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).map_err(|why| failed(&why))?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).map_err(|why| failed(&why))?;
    let key = rustls::crypto::ring::sign::any_supported_type(&key).map_err(|why| failed(&why))?;
    Ok(Arc::new(CertifiedKey::new(vec![made.cert.der().clone()], key)))
}
