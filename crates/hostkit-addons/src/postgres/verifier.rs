//! What a server keeps of a password (RFC 5803, as PostgreSQL writes it in `pg_authid`). It is made here, so that no
//! statement, and thereby no log of statements, ever has a password in it.

use std::num::NonZeroU32;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::secret::Secret;
use ring::{digest, hmac, pbkdf2};

/// What PostgreSQL itself uses. The passwords are random and long: more rounds would protect nothing.
const ROUNDS: NonZeroU32 = NonZeroU32::MIN.saturating_add(4095);
/// The name of the mechanism in front of a verifier.
const MECHANISM: &str = "SCRAM-SHA-256";

/// Makes a verifier of a password, with a salt of its own. Passwords are those of HostKit: printable ASCII, which
/// `SASLprep` leaves as it is.
pub fn make(password: &Secret) -> Result<String, Failure> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|why| {
        Failure::new(
            Kind::Internal,
            format!("cannot make a password's verifier: {why}"),
        )
    })?;
    Ok(compute(password, &salt, ROUNDS))
}

/// Whether a verifier was made of this password. One that cannot be read was not.
pub fn is_of(verifier: &str, password: &Secret) -> bool {
    let parts = || {
        let (mechanism, rest) = verifier.split_once('$')?;
        let (rounds, rest) = rest.split_once(':')?;
        let (salt, _) = rest.split_once('$')?;
        let rounds: NonZeroU32 = rounds.parse().ok()?;
        // More would only be there to keep us busy.
        let rounds = (rounds.get() <= 1_000_000).then_some(rounds)?;
        (mechanism == MECHANISM).then_some((STANDARD.decode(salt).ok()?, rounds))
    };
    parts().is_some_and(|(salt, rounds)| compute(password, &salt, rounds) == verifier)
}

fn compute(password: &Secret, salt: &[u8], rounds: NonZeroU32) -> String {
    let mut salted = [0; digest::SHA256_OUTPUT_LEN];
    pbkdf2::derive(
        pbkdf2::PBKDF2_HMAC_SHA256,
        rounds,
        salt,
        password.reveal().as_bytes(),
        &mut salted,
    );
    let key = hmac::Key::new(hmac::HMAC_SHA256, &salted);
    let client = hmac::sign(&key, b"Client Key");
    let stored = digest::digest(&digest::SHA256, client.as_ref());
    let server = hmac::sign(&key, b"Server Key");
    format!(
        "{MECHANISM}${rounds}:{}${}:{}",
        STANDARD.encode(salt),
        STANDARD.encode(stored),
        STANDARD.encode(server)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_postgresql_makes() {
        // Printed by PostgreSQL 15 after `ALTER ROLE x PASSWORD 'pencil'`.
        let theirs = "SCRAM-SHA-256$4096:nrYuNH0lDZCGUepQqxFnYg==$P7jJBfuL9j0io+UP8dF3re21UJ+g/ZOaAIUuaxRyWvA=:VQlpQOto7SW9TOghszgsXzyaZh7QINKURePOnjbJWfk=";
        assert!(is_of(theirs, &Secret::new("pencil")));
        assert!(!is_of(theirs, &Secret::new("pencils")));
    }

    #[test]
    fn one_made_here_is_recognised_and_no_two_are_alike() {
        let password = Secret::new("0123456789abcdef");
        let (one, other) = (make(&password).unwrap(), make(&password).unwrap());
        assert_ne!(one, other);
        assert!(is_of(&one, &password) && is_of(&other, &password));
        assert!(!one.contains(password.reveal()));
    }

    #[test]
    fn what_is_none_is_of_no_password() {
        for text in [
            "",
            "md5aaaa",
            "SCRAM-SHA-256$",
            "SCRAM-SHA-256$0:YQ==$a:b",
            "SCRAM-SHA-256$4294967295:YQ==$a:b",
            "SCRAM-SHA-256$4096:!$a:b",
            "x$4096:YQ==$a:b",
        ] {
            assert!(!is_of(text, &Secret::new("x")), "{text}");
        }
    }
}
