//! The pairs of keys of an add-on: one for each credential, and both halves follow from it.

use hostkit_core::addon::{AddonOrder, Credential};
use hostkit_core::secret::Secret;

use crate::derived::derive;
use crate::storage::settings::KeyPair;

/// As long as those of others, which some programs count on.
const DIGITS: usize = 18;

/// What programs prove themselves with.
pub(super) fn pair(credential: &Credential) -> KeyPair {
    let access = derive(&credential.secret, "hostkit storage: access key id");
    let access = access.reveal().to_ascii_uppercase();
    KeyPair {
        access: format!("HK{}", access.get(..DIGITS).unwrap_or_default()),
        secret: derive(&credential.secret, "hostkit storage: secret access key"),
    }
}

/// What HostKit itself proves itself with.
pub(super) fn operator(order: &AddonOrder) -> Secret {
    derive(&order.operator, "hostkit storage: operator")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_stays_the_same_and_no_half_tells_the_other() {
        let credential = |secret: &str| Credential {
            number: 1,
            secret: Secret::new(secret),
        };
        let (one, two) = (pair(&credential("one")), pair(&credential("two")));
        // Programs that run were told this: another way to make it would lock them out.
        assert_eq!(one, pair(&credential("one")));
        assert_eq!(one.access, "HK2F991BF808DA482120");
        assert_eq!(one.access.len(), 20);
        assert!(one.access != two.access && one.secret != two.secret);
        assert!(
            !one.secret
                .reveal()
                .to_ascii_uppercase()
                .contains(&one.access[2..])
        );
    }
}
