//! Who may come: ranges of addresses, and a name with a password that is known by its hash alone.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// A range of addresses: `10.0.0.0/8`, `2001:db8::/32`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct AddressRange {
    address: IpAddr,
    bits: u8,
}

impl AddressRange {
    /// Whether an address lies in it. IPv4 addresses that came as IPv6 are the same ones.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                u32::from(own) == u32::from(other) & mask
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                u128::from(own) == u128::from(other) & mask
            }
            _ => false,
        }
    }
}

impl FromStr for AddressRange {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let refused = |why: &str| format!("`{}` is not a range of addresses: {why}", text.escape_debug());
        let (address, bits) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
        let address: IpAddr = address
            .parse()
            .map_err(|_| refused("write `10.0.0.0/8`, `2001:db8::/32` or one address"))?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => most,
            Some(bits) if bits.bytes().all(|b| b.is_ascii_digit()) => bits
                .parse()
                .ok()
                .filter(|bits| *bits <= most)
                .ok_or_else(|| refused(&format!("behind the slash stands a number up to {most}")))?,
            Some(_) => return Err(refused(&format!("behind the slash stands a number up to {most}"))),
        };
        // Of an IPv4 range that was written as IPv6, the canonical form is meant.
        let (address, bits) = match (address, address.to_canonical()) {
            (IpAddr::V6(_), IpAddr::V4(mapped)) if bits >= 96 => (IpAddr::V4(mapped), bits - 96),
            _ => (address, bits),
        };
        let masked = match address {
            IpAddr::V4(own) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from(u32::from(own) & mask))
            }
            IpAddr::V6(own) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from(u128::from(own) & mask))
            }
        };
        Ok(AddressRange {
            address: masked,
            bits,
        })
    }
}

impl std::fmt::Display for AddressRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl TryFrom<String> for AddressRange {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<AddressRange> for String {
    fn from(range: AddressRange) -> String {
        range.to_string()
    }
}

/// How often the hash is taken: a guess at a stolen table costs so much more, and a wrong password sent to the front
/// door not so much that it would stand still over them. A right one is known again without it.
const ROUNDS: u32 = 256;

/// A name and the hash of a password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BasicAuth {
    /// The name.
    pub user: String,
    /// Makes equal passwords have different hashes.
    salt: String,
    /// PBKDF2 with HMAC-SHA-256, in base64.
    hash: String,
}

impl BasicAuth {
    /// For a name and a password. The salt must be another one for each place the password is used at.
    pub fn new(user: &str, password: &str, salt: &str) -> Self {
        BasicAuth {
            user: user.to_owned(),
            salt: salt.to_owned(),
            hash: hashed(password.as_bytes(), salt),
        }
    }

    /// For a password that nobody knows.
    pub fn of_nobody(user: &str) -> Self {
        BasicAuth {
            user: user.to_owned(),
            salt: String::new(),
            hash: String::new(),
        }
    }

    /// Whether these are the name and the password. How long it takes says nothing of how much of them is right.
    pub fn accepts(&self, user: &[u8], password: &[u8]) -> bool {
        let right_user = self.user.as_bytes().ct_eq(user);
        let right_password = self
            .hash
            .as_bytes()
            .ct_eq(hashed(password, &self.salt).as_bytes());
        bool::from(right_user & right_password)
    }
}

fn hashed(password: &[u8], salt: &str) -> String {
    let hash: [u8; 32] = pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password, salt.as_bytes(), ROUNDS);
    STANDARD_NO_PAD.encode(hash)
}
