//! Domain: a host name an environment answers, where it comes from, and how it stands in the DNS.

use std::net::IpAddr;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names::HostName;

/// What a domain can be: one host, or every name of one label below it. A certificate reaches exactly as far.
pub use crate::certificate::CertificateName as DomainName;

#[cfg(test)]
mod tests;

/// Below this path the front door proves that it is the one that answers, while a check is under way.
pub const PROOF_PATH: &str = "/.well-known/hostkit-check";

/// A host name of an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Domain {
    /// The name, or `*.` and the name that it stands below.
    pub host: DomainName,
    /// Where it comes from.
    pub source: DomainSource,
    /// When it was added, where it was.
    pub added_at: Option<Timestamp>,
    /// Who added it, where it was.
    pub added_by: Option<String>,
}

/// Where a host name of an environment comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DomainSource {
    /// Made of the names of project and environment; always there.
    Default,
    /// Added to the environment; stays until it is removed.
    Added,
    /// From `hosts` of the live release's hostkit.toml; goes with the release.
    Manifest,
}

impl DomainSource {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            DomainSource::Default => "default",
            DomainSource::Added => "added",
            DomainSource::Manifest => "manifest",
        }
    }
}

/// The addresses of this machine that the DNS may name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnAddresses {
    /// The addresses; none where no public one is known.
    pub addresses: Vec<IpAddr>,
    /// How they are known.
    pub from: AddressesFrom,
}

/// How the addresses of this machine are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AddressesFrom {
    /// `public_addresses` in server.toml names them.
    Setting,
    /// The network interfaces have them.
    Interfaces,
    /// Local mode: only this machine itself comes here.
    Loopback,
}

/// A record in the DNS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DnsRecord {
    /// `A` or `AAAA`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The name it stands at.
    pub name: DomainName,
    /// The address it names.
    pub value: IpAddr,
}

/// What the DNS says of a domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DnsState {
    /// Every address is this machine's.
    Here,
    /// Some addresses are this machine's, others are not.
    Partly,
    /// No address is this machine's.
    Elsewhere,
    /// The name has no address.
    Missing,
    /// The DNS did not answer, or no public address of this machine is known.
    Unknown,
}

/// What a check of a domain saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DomainReport {
    /// The domain.
    pub domain: DomainName,
    /// Whether all is fine: at every address of the name this front door answered.
    pub ok: bool,
    /// What the DNS says.
    pub dns: DnsState,
    /// The addresses the DNS names.
    pub found: Vec<IpAddr>,
    /// The addresses of this machine that it should name.
    pub own: Vec<IpAddr>,
    /// How those are known.
    pub own_from: AddressesFrom,
    /// Records to set.
    pub set: Vec<DnsRecord>,
    /// Records to take away.
    pub remove: Vec<DnsRecord>,
    /// Why it is not fine, a sentence each.
    pub problems: Vec<String>,
}

/// The longest host that a wildcard can stand below: a name that it is for must be a name.
const LONGEST_BELOW: usize = 251;

/// Reads the name of a domain as people write it: in any case, and with a dot at the end or without. `*.` before it is
/// every name of one label below it. The error is for people.
pub fn parse(text: &str) -> Result<DomainName, String> {
    let text = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let (name, is_wildcard) = match text.strip_prefix("*.") {
        Some(rest) => (rest, true),
        None => (text.as_str(), false),
    };
    let host = HostName::parse(name).map_err(|why| why.to_string())?;
    let star = if is_wildcard { "*." } else { "" };
    match name.rsplit_once('.') {
        // All names of a country or of a trade have more than one owner.
        None if is_wildcard => Err(format!(
            "`*.{host}` is no domain: the name below the star needs a dot, as in `*.shop.example.com`"
        )),
        None => Err(format!(
            "`{host}` is no domain: it needs a dot, as in `shop.example.com`"
        )),
        Some((_, last)) if last.bytes().all(|b| b.is_ascii_digit()) => Err(format!(
            "`{star}{host}` is no domain: it ends with a number, as an address does"
        )),
        Some(_) if is_wildcard && name.len() > LONGEST_BELOW => Err(format!(
            "`*.{host}` is no domain: it is too long for a name below it"
        )),
        Some(_) if is_wildcard => Ok(DomainName::below(host)),
        Some(_) => Ok(host.into()),
    }
}
