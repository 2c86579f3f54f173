//! Secrets that follow from a credential's, so that the state keeps one for each. They are made by HMAC-SHA-256, each use
//! with its own words: who has one learns neither the credential's secret nor another one.

use hostkit_core::secret::Secret;
use ring::hmac;

/// 64 hexadecimal digits, the same for the same secret and the same words. Programs that run were told them: other words
/// would lock these out.
pub(crate) fn derive(secret: &Secret, what: &str) -> Secret {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.reveal().as_bytes());
    let tag = hmac::sign(&key, what.as_bytes());
    Secret::new(
        tag.as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>(),
    )
}
