//! A name and a password before anything is answered.

use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hostkit_core::route::access::BasicAuth;
use http::HeaderValue;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The longest header that is looked at.
const LONGEST: usize = 1024;

/// The credentials of a route.
pub(super) struct Auth {
    known: BasicAuth,
    pub(super) challenge: HeaderValue,
    /// A fingerprint of the header that was found right. There is one name and one password: one place is enough, and
    /// whoever guesses fills nothing.
    verified: OnceLock<[u8; 32]>,
}

impl Auth {
    pub(super) fn new(known: BasicAuth, realm: &str) -> Auth {
        // A project's name needs no escaping.
        let challenge = format!("Basic realm=\"{realm}\", charset=\"UTF-8\"");
        Auth {
            known,
            challenge: HeaderValue::from_str(&challenge).unwrap_or(HeaderValue::from_static("Basic")),
            verified: OnceLock::new(),
        }
    }

    /// Whether a request with this Authorization header may go on.
    pub(super) fn accepts(&self, header: Option<&HeaderValue>) -> bool {
        let Some(header) = header.map(HeaderValue::as_bytes) else {
            return false;
        };
        if header.len() > LONGEST {
            return false;
        }
        let fingerprint: [u8; 32] = Sha256::digest(header).into();
        if let Some(verified) = self.verified.get()
            && bool::from(verified.ct_eq(&fingerprint))
        {
            return true;
        }
        let accepted = self.check(header).unwrap_or(false);
        if accepted {
            self.verified.set(fingerprint).ok();
        }
        accepted
    }

    fn check(&self, header: &[u8]) -> Option<bool> {
        const SCHEME: &[u8] = b"basic ";
        let (scheme, rest) = header.split_at_checked(SCHEME.len())?;
        if !scheme.eq_ignore_ascii_case(SCHEME) {
            return None;
        }
        let decoded = STANDARD.decode(rest.trim_ascii()).ok()?;
        let colon = decoded.iter().position(|byte| *byte == b':')?;
        Some(self.known.accepts(&decoded[..colon], &decoded[colon + 1..]))
    }
}
