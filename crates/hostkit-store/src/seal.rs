//! Values at rest: XChaCha20-Poly1305 under the master key, bound to where they stand.
//! A sealed value is `1 | key id (4) | nonce (24) | ciphertext`.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use hostkit_core::kind::{Failure, Kind};
use zeroize::{Zeroize, Zeroizing};

const FORMAT: u8 = 1;
const PREFIX: usize = 1 + 4 + 24;
const MARK: &str = "hostkit-key-1 ";

/// The master key, ready to use.
pub(crate) struct Sealer {
    cipher: XChaCha20Poly1305,
    id: [u8; 4],
}

impl Sealer {
    /// Reads the key file, which is made (0600) where `first_start` says so. A missing key of an installation that
    /// has data is not replaced: everything sealed would be lost without a word.
    pub(crate) fn open(path: &Path, first_start: bool) -> Result<Self, Failure> {
        if first_start && !path.exists() {
            create(path)?;
        }
        let text = match fs::read_to_string(path) {
            Ok(text) => Zeroizing::new(text),
            Err(e) => {
                return Err(cannot_read(path, e)
                    .hint("put the file back from a copy; variables are encrypted with it"));
            }
        };
        let digits = text.trim_end().strip_prefix(MARK).and_then(from_hex);
        let Some(bytes) = digits else {
            return Err(cannot_read(path, "it is not a HostKit key").hint("put the file back from a copy"));
        };
        Ok(Sealer::new(&bytes))
    }

    pub(crate) fn new(key: &[u8; 32]) -> Self {
        let id = blake3::derive_key("hostkit 2026 key id", key);
        Sealer {
            cipher: XChaCha20Poly1305::new(&Key::from(*key)),
            id: [id[0], id[1], id[2], id[3]],
        }
    }

    /// Encrypts a text for one place (`shop/production/DATABASE_URL`).
    pub(crate) fn seal(&self, place: &str, text: &str) -> Result<Vec<u8>, Failure> {
        let mut nonce = [0u8; 24];
        random(&mut nonce)?;
        let payload = Payload {
            msg: text.as_bytes(),
            aad: place.as_bytes(),
        };
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| {
            Failure::new(
                Kind::Internal,
                format!("cannot encrypt `{place}`: it is too long"),
            )
        })?;
        let mut out = Vec::with_capacity(PREFIX + sealed.len());
        out.push(FORMAT);
        out.extend_from_slice(&self.id);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        Ok(out)
    }

    /// Decrypts what was sealed for this place with this key.
    pub(crate) fn unseal(&self, place: &str, sealed: &[u8]) -> Result<Zeroizing<String>, Failure> {
        let cannot = |why: &str| Failure::new(Kind::Internal, format!("cannot decrypt `{place}`: {why}"));
        let Some((prefix, body)) = sealed.split_at_checked(PREFIX) else {
            return Err(cannot("it is too short"));
        };
        if prefix[0] != FORMAT {
            return Err(cannot("it has a form this version does not know"));
        }
        if prefix[1..5] != self.id {
            return Err(
                cannot("it was encrypted with another key").hint("put the key file of this database back")
            );
        }
        let mut nonce = [0u8; 24];
        nonce.copy_from_slice(&prefix[5..]);
        let payload = Payload {
            msg: body,
            aad: place.as_bytes(),
        };
        let plain = self
            .cipher
            .decrypt(&XNonce::from(nonce), payload)
            .map_err(|_| cannot("it was changed or belongs to another place"))?;
        let text = String::from_utf8(plain).map_err(|_| cannot("it is not text"))?;
        Ok(Zeroizing::new(text))
    }
}

fn cannot_read(path: &Path, why: impl std::fmt::Display) -> Failure {
    Failure::new(
        Kind::Internal,
        format!("cannot read the key `{}`: {why}", path.display()),
    )
}

fn create(path: &Path) -> Result<(), Failure> {
    let mut bytes = Zeroizing::new([0u8; 32]);
    random(&mut *bytes)?;
    let text = Zeroizing::new(format!("{MARK}{}\n", *to_hex(&*bytes)));
    write_private(path, text.as_bytes()).map_err(|e| {
        Failure::new(
            Kind::Internal,
            format!("cannot write the key `{}`: {e}", path.display()),
        )
    })
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

fn from_hex(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut bytes = Zeroizing::new([0u8; 32]);
    for (index, byte) in bytes.iter_mut().enumerate() {
        match u8::from_str_radix(&text[index * 2..index * 2 + 2], 16) {
            Ok(value) => *byte = value,
            Err(_) => return None,
        }
    }
    Some(bytes)
}

impl Drop for Sealer {
    fn drop(&mut self) {
        self.id.zeroize();
    }
}
