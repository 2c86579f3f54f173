//! The file of a backup: compressed, encrypted, and read to its end or not at all.
//!
//! ```text
//! "hostkit-backup-1\n"   17 bytes
//! salt                   32 bytes, random
//! chunks                 each 65,536 bytes of the compressed stream and 16 bytes of authentication; the last may be shorter
//! ```
//!
//! The stream is zstd. Chunks are encrypted with ChaCha20-Poly1305 by the construction STREAM (Hoang, Reyhanitabar,
//! Rogaway, Vizár, *Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance*, 2015) with a 32-bit
//! counter: a chunk that is changed, missing, moved or from elsewhere is refused, and so is an end that comes too
//! early. The key of a file is the keyed BLAKE3 hash of its salt and its label, so each file has its own, and a file
//! that is put in the place of another is refused, too.
//!
//! What is read of a damaged file before the damage is right, and not all: nobody may act on it before the end was seen.

mod key;
mod reader;
mod writer;

#[cfg(test)]
mod tests;

pub use key::{BackupKey, KeyError};
pub use reader::{Reader, is_damage};
pub use writer::{Sealed, Writer};

/// What a file begins with.
const MAGIC: &[u8; 17] = b"hostkit-backup-1\n";
/// How many random bytes tell a file's key from those of all others.
const SALT: usize = 32;
/// Bytes of the compressed stream in a chunk.
const CHUNK: usize = 64 * 1024;
/// Bytes that authenticate a chunk.
const TAG: usize = 16;
