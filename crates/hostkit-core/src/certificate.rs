//! Certificates as others see them: for which names, from where, until when, and what is wrong with one. And what an
//! operator says about the authority that issues them.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names::{HostName, NameError};
use crate::secret::Secret;
use crate::server_settings::MailAddress;

/// Where certificates come from if an operator names no other authority.
pub const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// What a certificate is for: one host, or every name of one label below it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct CertificateName {
    host: HostName,
    reach: Reach,
}

/// How far a name of a certificate reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// The host itself: `shop.example.com`.
    Host,
    /// Every name of one label below it: `*.example.com`.
    Below,
}

/// The certificate of an installation's own authority, which is what others have to trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorityCertificate {
    /// Where it lies.
    pub file: PathBuf,
    /// What it calls itself.
    pub name: String,
    /// What tells it from others in names of files: a few letters and digits.
    pub mark: String,
    /// The certificate as text.
    pub pem: String,
}

impl CertificateName {
    /// `*.example.com` for `example.com`.
    pub fn below(host: HostName) -> Self {
        let reach = Reach::Below;
        CertificateName { host, reach }
    }

    /// The host, without `*.`.
    pub fn host(&self) -> &HostName {
        &self.host
    }

    /// Whether it is for the host itself or for names below it.
    pub fn reach(&self) -> Reach {
        self.reach
    }

    /// Whether a certificate for this name may be shown for `host`.
    pub fn covers(&self, host: &str) -> bool {
        match self.reach {
            Reach::Host => self.host.as_str() == host,
            Reach::Below => host
                .split_once('.')
                .is_some_and(|(label, rest)| !label.is_empty() && self.host.as_str() == rest),
        }
    }
}

impl From<HostName> for CertificateName {
    fn from(host: HostName) -> Self {
        let reach = Reach::Host;
        CertificateName { host, reach }
    }
}

impl FromStr for CertificateName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text.strip_prefix("*.") {
            Some(rest) => HostName::parse(rest).map(CertificateName::below),
            None => HostName::parse(text).map(CertificateName::from),
        }
    }
}

impl TryFrom<String> for CertificateName {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<CertificateName> for String {
    fn from(name: CertificateName) -> String {
        name.to_string()
    }
}

impl fmt::Display for CertificateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reach {
            Reach::Host => write!(f, "{}", self.host),
            Reach::Below => write!(f, "*.{}", self.host),
        }
    }
}

/// Where a certificate comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CertificateSource {
    /// Somebody brought it.
    Imported,
    /// Ordered from an authority by ACME.
    Acme,
    /// From the authority that this installation is for itself.
    Local,
}

/// A certificate that somebody brings.
#[derive(Debug, Clone)]
pub struct BroughtCertificate {
    /// The certificate and those that issued it, as PEM.
    pub chain: String,
    /// Its private key, as PEM.
    pub key: Secret,
    /// The names it may be for; any where nothing is said.
    pub only: Option<Vec<CertificateName>>,
}

/// How the certificate of one name is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CertificateStatus {
    /// What it is for.
    pub name: CertificateName,
    /// Where it comes from, or will.
    pub source: CertificateSource,
    /// Who issued it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// From when on it is valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// Until when it is valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<Timestamp>,
    /// When it will be renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewal: Option<Timestamp>,
    /// Whether it is shown.
    pub state: CertificateState,
    /// Why it could not be obtained or renewed, if it could not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<CertificateTrouble>,
    /// What a connection to the front door was shown instead of it, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown_instead: Option<String>,
}

/// Whether a certificate is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CertificateState {
    /// It is, and it is valid.
    Served,
    /// There is none yet; it is on its way.
    Pending,
    /// There is none that is valid, and `trouble` says why.
    Failed,
}

/// Why a certificate could not be obtained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CertificateTrouble {
    /// In words.
    pub why: String,
    /// When it is tried again; never by itself where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Timestamp>,
}

/// How a name is shown to be ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChallengeKind {
    /// By a file on port 80.
    #[serde(rename = "http-01")]
    Http,
    /// By a certificate on port 443.
    #[serde(rename = "tls-alpn-01")]
    TlsAlpn,
    /// By an entry in the DNS, which the operator's program makes.
    #[serde(rename = "dns-01")]
    Dns,
}

/// What an operator says about the authority that issues certificates.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AcmeSettings {
    /// Its directory.
    pub directory: String,
    /// A file with the certificates that its server is trusted by, instead of those of the system.
    pub ca_root: Option<PathBuf>,
    /// Who it writes to.
    pub contact: Option<MailAddress>,
    /// The account with the authority that orders are counted for, where it asks for one.
    pub external_account: Option<ExternalAccount>,
    /// What is tried, in this order. A wildcard is shown by the DNS alone, whatever is said here.
    pub challenges: Vec<ChallengeKind>,
    /// A program, with its first arguments, that is run with `set NAME VALUE` and `clear NAME VALUE`.
    pub dns_hook: Vec<String>,
    /// Every name of one label below these shares a certificate.
    pub wildcards: Vec<HostName>,
    /// How many orders are under way at a time.
    pub orders_at_once: u8,
}

impl Default for AcmeSettings {
    fn default() -> Self {
        AcmeSettings {
            directory: LETS_ENCRYPT.to_owned(),
            ca_root: None,
            contact: None,
            external_account: None,
            challenges: vec![ChallengeKind::Http, ChallengeKind::TlsAlpn],
            dns_hook: Vec::new(),
            wildcards: Vec::new(),
            orders_at_once: 4,
        }
    }
}

/// What an authority gave its customer to bind orders to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExternalAccount {
    /// Its name.
    pub id: String,
    /// A file with the key in base64url, as the authority shows it: a secret has no place in settings.
    pub key_file: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_is_for_one_label() {
        let name: CertificateName = "*.example.com".parse().unwrap();
        assert_eq!(name.to_string(), "*.example.com");
        assert!(name.covers("shop.example.com"));
        for other in [
            "example.com",
            "a.b.example.com",
            ".example.com",
            "shop.example.org",
            "",
        ] {
            assert!(!name.covers(other), "{other}");
        }
        let name: CertificateName = "example.com".parse().unwrap();
        assert!(name.covers("example.com") && !name.covers("shop.example.com"));
    }

    #[test]
    fn hostile_names_are_refused() {
        for text in [
            "", "*", "*.", "*.*.a", "a.*.b", "../x", "*../..", "a/b", "A.b", "x\0", "_.a",
        ] {
            assert!(text.parse::<CertificateName>().is_err(), "{text}");
        }
    }

    #[test]
    fn nothing_said_of_an_authority_is_the_one_that_everybody_uses() {
        let settings: AcmeSettings = serde_json::from_str("{}").unwrap();
        assert_eq!(settings, AcmeSettings::default());
        let settings: AcmeSettings = serde_json::from_str(
            r#"{"contact":"ops@example.com","challenges":["tls-alpn-01","dns-01"],"wildcards":["example.com"]}"#,
        )
        .unwrap();
        assert_eq!(settings.challenges, [ChallengeKind::TlsAlpn, ChallengeKind::Dns]);
        for wrong in [
            r#"{"contact":"nobody"}"#,
            r#"{"agree":true}"#,
            r#"{"wildcards":["*.a"]}"#,
        ] {
            assert!(serde_json::from_str::<AcmeSettings>(wrong).is_err(), "{wrong}");
        }
    }
}
