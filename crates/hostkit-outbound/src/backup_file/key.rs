//! The key of an installation's backups. Whoever has it can read them all; without it nobody can, HostKit included.

use aead_stream::{Decryptor, Encryptor, NewStream, Nonce, StreamBE32};
use chacha20poly1305::aead::KeyInit;
use chacha20poly1305::{ChaCha20Poly1305, Key};
use zeroize::Zeroizing;

use super::SALT;

/// The letters of a written key: those of RFC 4648 base32 without the ones that are taken for digits.
const LETTERS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
/// Bytes of a key and of what tells a mistyped one.
const WRITTEN: usize = 32 + CHECK;
/// Bytes that tell a mistyped key: one of 65,536 mistakes is not noticed.
const CHECK: usize = 2;
/// Letters between two hyphens.
const GROUP: usize = 5;

/// The key of an installation's backups: 32 random bytes, wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct BackupKey(Zeroizing<[u8; 32]>);

/// Why a written key is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A character that no key has.
    #[error("a key of backups has no `{0}` in it")]
    Character(char),
    /// Something is missing, or too much.
    #[error("a key of backups has 55 letters and digits, not {0}")]
    Length(usize),
    /// A letter is wrong, or two are exchanged.
    #[error("a letter of it is wrong")]
    Mistyped,
}

impl BackupKey {
    /// A new one, from the system's source of randomness.
    pub fn generate() -> std::io::Result<Self> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *bytes).map_err(|why| std::io::Error::other(why.to_string()))?;
        Ok(BackupKey(bytes))
    }

    /// As people keep it: `ABCDE-FGHJK-…`, eleven groups of five. The last letters tell a mistyped key.
    pub fn written(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new([0; WRITTEN]);
        bytes[..32].copy_from_slice(&*self.0);
        bytes[32..].copy_from_slice(&self.check());
        let mut text = Zeroizing::new(String::with_capacity(WRITTEN * 2));
        for index in 0..letters() {
            if index > 0 && index % GROUP == 0 {
                text.push('-');
            }
            text.push(char::from(LETTERS[usize::from(five_bits(&*bytes, index))]));
        }
        text
    }

    /// Reads what [`BackupKey::written`] wrote; hyphens, spaces and lower case do not matter.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let mut bits = Zeroizing::new([0_u8; WRITTEN]);
        let mut count = 0;
        for letter in text.chars().filter(|c| !c.is_whitespace() && *c != '-') {
            let upper = letter.to_ascii_uppercase();
            let value = LETTERS.iter().position(|known| char::from(*known) == upper);
            let value = value.ok_or(KeyError::Character(letter))? as u8;
            if count < letters() {
                put_five_bits(&mut *bits, count, value);
            }
            count += 1;
        }
        if count != letters() {
            return Err(KeyError::Length(count));
        }
        let mut key = Zeroizing::new([0; 32]);
        key.copy_from_slice(&bits[..32]);
        let key = BackupKey(key);
        // The bits after the last byte are none of ours: a letter that is wrong only there is still wrong.
        match bits[32..] == key.check() && *key.written() == regrouped(text) {
            true => Ok(key),
            false => Err(KeyError::Mistyped),
        }
    }

    /// Tells a key from others without telling anything of it: 8 hexadecimal digits.
    pub fn id(&self) -> String {
        let id = blake3::derive_key("hostkit 2026 backup key id", &*self.0);
        id[..4].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn check(&self) -> [u8; CHECK] {
        let hash = blake3::derive_key("hostkit 2026 backup key check", &*self.0);
        [hash[0], hash[1]]
    }

    pub(super) fn encryptor(
        &self,
        salt: &[u8; SALT],
        label: &str,
    ) -> Encryptor<ChaCha20Poly1305, StreamBE32<ChaCha20Poly1305>> {
        Encryptor::from_stream_primitive(self.stream(salt, label))
    }

    pub(super) fn decryptor(
        &self,
        salt: &[u8; SALT],
        label: &str,
    ) -> Decryptor<ChaCha20Poly1305, StreamBE32<ChaCha20Poly1305>> {
        Decryptor::from_stream_primitive(self.stream(salt, label))
    }

    fn stream(&self, salt: &[u8; SALT], label: &str) -> StreamBE32<ChaCha20Poly1305> {
        let mut hash = blake3::Hasher::new_keyed(&self.0);
        hash.update(salt).update(label.as_bytes());
        let key = Zeroizing::new(*hash.finalize().as_bytes());
        // No two files have one key, so where the counting begins need not differ.
        let begin = Nonce::<ChaCha20Poly1305, StreamBE32<ChaCha20Poly1305>>::default();
        StreamBE32::from_aead(ChaCha20Poly1305::new(&Key::from(*key)), &begin)
    }
}

impl std::fmt::Debug for BackupKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// How many letters a written key has.
const fn letters() -> usize {
    (WRITTEN * 8).div_ceil(5)
}

fn five_bits(bytes: &[u8], index: usize) -> u8 {
    (0..5).fold(0, |value, bit| {
        let at = index * 5 + bit;
        let set = bytes
            .get(at / 8)
            .is_some_and(|byte| byte >> (7 - at % 8) & 1 == 1);
        value << 1 | u8::from(set)
    })
}

fn put_five_bits(bytes: &mut [u8], index: usize, value: u8) {
    for bit in 0..5 {
        let at = index * 5 + bit;
        if let Some(byte) = bytes.get_mut(at / 8) {
            *byte |= (value >> (4 - bit) & 1) << (7 - at % 8);
        }
    }
}

/// The same letters in the form in which keys are written.
fn regrouped(text: &str) -> String {
    let letters: Vec<char> = text
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '-')
        .map(|c| c.to_ascii_uppercase())
        .collect();
    let groups: Vec<String> = letters
        .chunks(GROUP)
        .map(|group| group.iter().collect())
        .collect();
    groups.join("-")
}
