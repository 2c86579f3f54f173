//! What follows from the secret of a credential, and the words it is made with.

use hostkit_core::secret::Secret;

use crate::derived::derive;

/// The token that may what the credential may.
pub(super) fn standard_token(secret: &Secret) -> Secret {
    derive(secret, "hostkit redis rest: standard token")
}

/// The token that may only read.
pub(super) fn read_only_token(secret: &Secret) -> Secret {
    derive(secret, "hostkit redis rest: read-only token")
}

/// The password of the user that may only read.
pub(super) fn reader_password(secret: &Secret) -> Secret {
    derive(secret, "hostkit redis: password of the reader")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_stay_the_same_and_differ_by_use_and_by_credential() {
        let (one, two) = (Secret::new("one"), Secret::new("two"));
        // Programs that run were told this: another way to make it would lock them out.
        assert_eq!(
            standard_token(&one).reveal(),
            "5446ca35dcc3f10229b2a5852bdf00d71c89e66d6805de811f27bda3eb40f6be"
        );
        let all = [
            standard_token(&one),
            read_only_token(&one),
            reader_password(&one),
            standard_token(&two),
        ];
        let different: std::collections::BTreeSet<&str> = all.iter().map(Secret::reveal).collect();
        assert_eq!(different.len(), all.len());
    }
}
