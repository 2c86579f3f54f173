//! Values at rest: XChaCha20-Poly1305 under the master key, bound to where they stand.
//! A sealed value is `1 | key id (4) | nonce (24) | ciphertext`.

pub(crate) mod key_file;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use hostkit_core::kind::{Failure, Kind};
use zeroize::Zeroizing;

pub(crate) use key_file::MasterKey;

const FORMAT: u8 = 1;
const PREFIX: usize = 1 + 4 + 24;

/// The master keys, ready to use: the newest seals, older ones only unseal what was sealed before they were replaced.
pub(crate) struct Sealer {
    newest: Cipher,
    older: Vec<Cipher>,
}

struct Cipher {
    cipher: XChaCha20Poly1305,
    id: [u8; 4],
}

impl Cipher {
    fn new(key: &MasterKey) -> Self {
        Cipher {
            cipher: XChaCha20Poly1305::new(&Key::from(*key.bytes())),
            id: key.id(),
        }
    }
}

impl Sealer {
    pub(crate) fn new(newest: &MasterKey, older: &[MasterKey]) -> Self {
        Sealer {
            newest: Cipher::new(newest),
            older: older.iter().map(Cipher::new).collect(),
        }
    }

    /// Whether a value was sealed with another key than the newest.
    pub(crate) fn is_old(&self, sealed: &[u8]) -> bool {
        sealed.get(1..5) != Some(&self.newest.id)
    }

    /// Encrypts a text for one place (`shop/production/DATABASE_URL`).
    pub(crate) fn seal(&self, place: &str, text: &str) -> Result<Vec<u8>, Failure> {
        let mut nonce = [0u8; 24];
        random(&mut nonce)?;
        let payload = Payload {
            msg: text.as_bytes(),
            aad: place.as_bytes(),
        };
        let sealed = self
            .newest
            .cipher
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| {
                Failure::new(
                    Kind::Internal,
                    format!("cannot encrypt `{place}`: it is too long"),
                )
            })?;
        let mut out = Vec::with_capacity(PREFIX + sealed.len());
        out.push(FORMAT);
        out.extend_from_slice(&self.newest.id);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        Ok(out)
    }

    /// Decrypts what was sealed for this place with one of the keys.
    pub(crate) fn unseal(&self, place: &str, sealed: &[u8]) -> Result<Zeroizing<String>, Failure> {
        let cannot = |why: &str| Failure::new(Kind::Internal, format!("cannot decrypt `{place}`: {why}"));
        let Some((prefix, body)) = sealed.split_at_checked(PREFIX) else {
            return Err(cannot("it is too short"));
        };
        if prefix[0] != FORMAT {
            return Err(cannot("it has a form this version does not know"));
        }
        let mut keys = std::iter::once(&self.newest).chain(&self.older);
        let Some(key) = keys.find(|key| prefix[1..5] == key.id) else {
            return Err(
                cannot("it was encrypted with another key").hint("put the key file of this database back")
            );
        };
        let mut nonce = [0u8; 24];
        nonce.copy_from_slice(&prefix[5..]);
        let payload = Payload {
            msg: body,
            aad: place.as_bytes(),
        };
        let plain = key
            .cipher
            .decrypt(&XNonce::from(nonce), payload)
            .map_err(|_| cannot("it was changed or belongs to another place"))?;
        let text = String::from_utf8(plain).map_err(|_| cannot("it is not text"))?;
        Ok(Zeroizing::new(text))
    }
}

/// Writes a file with mode 0600 that is there as a whole or not at all, also after a loss of power.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let fresh = path.with_extension("new");
    match fs::remove_file(&fresh) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    match path.parent() {
        Some(folder) => fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// Fills `bytes` from the system's source of randomness.
pub(crate) fn random(bytes: &mut [u8]) -> Result<(), Failure> {
    getrandom::fill(bytes).map_err(|e| {
        Failure::new(
            Kind::Internal,
            format!("cannot get random bytes from the system: {e}"),
        )
    })
}

/// Lowercase hex digits.
pub(crate) fn to_hex(bytes: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(bytes.len() * 2));
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
        }
    }
    text
}
