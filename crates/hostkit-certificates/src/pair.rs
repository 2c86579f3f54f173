//! A chain of certificates and the key it belongs to, read and held to be what they should be.

use std::sync::Arc;

use hostkit_core::certificate::CertificateName;
use jiff::Timestamp;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::record::Record;

/// More than any chain has; what comes from elsewhere is not read without an end.
pub(crate) const LONGEST_CHAIN: usize = 256 << 10;
/// More than any key has.
pub(crate) const LONGEST_KEY: usize = 64 << 10;
/// More than any chain has.
const MOST_CERTIFICATES: usize = 20;

/// A certificate that can be shown.
#[derive(Debug)]
pub(crate) struct Pair {
    /// The certificate first, then those that lead to an authority, as text.
    pub(crate) chain: String,
    /// The key, as text.
    pub(crate) key: String,
    /// What the certificate says.
    pub(crate) facts: Facts,
    /// What is given to a connection.
    pub(crate) shown: Arc<CertifiedKey>,
}

/// What a certificate says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Facts {
    /// What it is for.
    pub(crate) names: Vec<CertificateName>,
    /// Who issued it.
    pub(crate) issuer: String,
    /// From when on it is valid.
    pub(crate) not_before: Timestamp,
    /// Until when it is valid.
    pub(crate) not_after: Timestamp,
    /// Which key signed it, where it says.
    pub(crate) authority_key: Option<Vec<u8>>,
    /// Its number at the authority, as it is encoded.
    pub(crate) serial: Vec<u8>,
}

impl Pair {
    /// Reads both; why they are of no use, where they are not.
    pub(crate) fn parse(chain: &[u8], key: &[u8]) -> Result<Pair, String> {
        let certificates = certificates(chain)?;
        let key_text = std::str::from_utf8(key).map_err(|_| "the key is no text".to_owned())?;
        Pair::of(certificates, key_text, private_key(key)?)
    }

    /// Of certificates that were read, in the order they are shown in.
    pub(crate) fn of(
        certificates: Vec<CertificateDer<'static>>,
        key: &str,
        parsed: PrivateKeyDer<'static>,
    ) -> Result<Pair, String> {
        let first = certificates.first().ok_or("there is no certificate in it")?;
        let facts = Facts::of(first)?;
        let chain = certificates.iter().map(as_text).collect();
        let provider = rustls::crypto::ring::default_provider();
        let shown = CertifiedKey::from_der(certificates, parsed, &provider).map_err(|why| match why {
            rustls::Error::InconsistentKeys(_) => "certificate and key do not belong together".to_owned(),
            why => format!("a key of this kind cannot be used: {why}"),
        })?;
        Ok(Pair {
            chain,
            key: key.to_owned(),
            facts,
            shown: Arc::new(shown),
        })
    }

    /// What is known of it, with what it says itself.
    pub(crate) fn described(&self, record: Record) -> Record {
        Record {
            issuer: Some(self.facts.issuer.clone()),
            not_before: Some(self.facts.not_before),
            not_after: Some(self.facts.not_after),
            ..record
        }
    }

    /// Whether it is valid at that time.
    pub(crate) fn is_valid(&self, now: Timestamp) -> bool {
        self.facts.not_before <= now && now < self.facts.not_after
    }
}

impl Facts {
    /// What a certificate says.
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Result<Facts, String> {
        let (_, parsed) = X509Certificate::from_der(certificate)
            .map_err(|why| format!("a certificate cannot be read: {why}"))?;
        let time =
            |seconds| Timestamp::from_second(seconds).map_err(|_| "its dates make no sense".to_owned());
        let authority_key = parsed
            .extensions()
            .iter()
            .find_map(|extension| match extension.parsed_extension() {
                ParsedExtension::AuthorityKeyIdentifier(found) => found.key_identifier.as_ref(),
                _ => None,
            })
            .map(|found| found.0.to_vec());
        Ok(Facts {
            names: names(&parsed),
            issuer: called(parsed.issuer()),
            not_before: time(parsed.validity().not_before.timestamp())?,
            not_after: time(parsed.validity().not_after.timestamp())?,
            authority_key,
            serial: parsed.raw_serial().to_vec(),
        })
    }

    /// Whether it is for this name.
    pub(crate) fn is_for(&self, name: &CertificateName) -> bool {
        self.names
            .iter()
            .any(|own| own == name || own.covers(&name.to_string()))
    }
}

/// Every certificate of a text.
pub(crate) fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    if text.len() > LONGEST_CHAIN {
        return Err(format!("it is longer than {} KB", LONGEST_CHAIN >> 10));
    }
    let found: Vec<_> = CertificateDer::pem_slice_iter(text)
        .take(MOST_CERTIFICATES + 1)
        .collect::<Result<_, _>>()
        .map_err(|why| format!("it is no PEM file: {why}"))?;
    match found.len() {
        0 => Err("there is no certificate in it".to_owned()),
        n if n > MOST_CERTIFICATES => Err(format!(
            "there are more than {MOST_CERTIFICATES} certificates in it"
        )),
        _ => Ok(found),
    }
}

/// The key of a text.
pub(crate) fn private_key(text: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    if text.len() > LONGEST_KEY {
        return Err(format!("the key is longer than {} KB", LONGEST_KEY >> 10));
    }
    let locked = [&b"BEGIN ENCRYPTED PRIVATE KEY"[..], b"Proc-Type: 4,ENCRYPTED"];
    if locked
        .iter()
        .any(|mark| text.windows(mark.len()).any(|part| part == *mark))
    {
        return Err("the key is locked with a password".to_owned());
    }
    PrivateKeyDer::from_pem_slice(text).map_err(|why| format!("there is no key in it: {why}"))
}

/// What a certificate calls somebody, in a form that can be shown.
pub(crate) fn called(name: &x509_parser::x509::X509Name<'_>) -> String {
    let part = name
        .iter_common_name()
        .chain(name.iter_organization())
        .find_map(|part| part.as_str().ok())
        .map_or_else(|| name.to_string(), str::to_owned);
    part.chars().filter(|c| !c.is_control()).take(100).collect()
}

/// A certificate as PEM.
pub(crate) fn as_text(certificate: &CertificateDer<'static>) -> String {
    use base64::Engine;
    let encoded = base64::engine::general_purpose::STANDARD.encode(certificate);
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}

/// The names it is for that are host names; a certificate can have others, which nobody asks for.
fn names(certificate: &X509Certificate<'_>) -> Vec<CertificateName> {
    let Ok(Some(names)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let mut found: Vec<CertificateName> = names
        .value
        .general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => name.to_ascii_lowercase().parse().ok(),
            _ => None,
        })
        .collect();
    found.sort();
    found.dedup();
    found
}
