//! The order of a chain that somebody brought: the certificate of the key first, then each that issued the one before.

use rustls::pki_types::CertificateDer;
use rustls::sign::{CertifiedKey, SigningKey};
use std::sync::Arc;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::pair::called;

/// The certificates in the order they are shown in, without what is not needed; what is missing, where something is.
pub(crate) fn in_order(
    certificates: &[CertificateDer<'static>],
    key: &Arc<dyn SigningKey>,
) -> Result<Vec<CertificateDer<'static>>, String> {
    let parsed: Vec<X509Certificate<'_>> = certificates
        .iter()
        .map(|certificate| X509Certificate::from_der(certificate).map(|(_, parsed)| parsed))
        .collect::<Result<_, _>>()
        .map_err(|why| format!("a certificate cannot be read: {why}"))?;
    let own = certificates
        .iter()
        .position(|certificate| {
            CertifiedKey::new(vec![certificate.clone()], Arc::clone(key))
                .keys_match()
                .is_ok()
        })
        .ok_or("the key belongs to none of its certificates")?;
    let mut order = vec![own];
    let mut last = own;
    while !is_root(&parsed[last]) {
        let issuer = (0..parsed.len()).find(|&next| {
            !order.contains(&next) && parsed[next].subject().as_raw() == parsed[last].issuer().as_raw()
        });
        match issuer {
            Some(next) => {
                order.push(next);
                last = next;
            }
            // An authority's root is known to clients, the one between is not: a certificate alone is half of a chain.
            None if order.len() == 1 => {
                let issuer = called(parsed[own].issuer());
                return Err(format!(
                    "the certificate of `{issuer}`, which issued it, is missing"
                ));
            }
            None => break,
        }
    }
    // Who does not know the root does not trust it for being sent it.
    if order.len() > 1 && is_root(&parsed[last]) {
        order.pop();
    }
    Ok(order
        .into_iter()
        .map(|index| certificates[index].clone())
        .collect())
}

fn is_root(certificate: &X509Certificate<'_>) -> bool {
    certificate.subject().as_raw() == certificate.issuer().as_raw()
}
