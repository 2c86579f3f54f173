//! Writing the file of a backup.

use std::io::{self, Write};

use aead_stream::{Encryptor, StreamBE32};
use chacha20poly1305::ChaCha20Poly1305;

use super::{BackupKey, CHUNK, MAGIC, SALT, TAG};

/// How much work goes into compressing. zstd's own default: more costs twice the time for a tenth of the size.
const LEVEL: i32 = 3;

/// Writes what it is given into a file of a backup, as a stream: nothing is held but a chunk.
/// Without [`Writer::finish`] the file has no end, and nobody reads it.
pub struct Writer<W: Write> {
    compressor: zstd::Encoder<'static, Chunks<W>>,
    plain: u64,
    hash: blake3::Hasher,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Bytes of the file.
    pub bytes: u64,
    /// BLAKE3 of the file: told from a changed one without the key.
    pub hash: blake3::Hash,
    /// Bytes of what is in it.
    pub plain_bytes: u64,
    /// BLAKE3 of what is in it.
    pub plain_hash: blake3::Hash,
}

impl<W: Write> Writer<W> {
    /// Begins a file. The label says what it is (`shop/production/12/postgres`); who reads it must say the same.
    pub fn begin(out: W, key: &BackupKey, label: &str) -> io::Result<Self> {
        let mut salt = [0; SALT];
        getrandom::fill(&mut salt).map_err(|why| io::Error::other(why.to_string()))?;
        let mut chunks = Chunks {
            out,
            encryptor: Some(key.encryptor(&salt, label)),
            waiting: Vec::with_capacity(CHUNK + TAG),
            bytes: 0,
            hash: blake3::Hasher::new(),
        };
        chunks.put(MAGIC)?;
        chunks.put(&salt)?;
        Ok(Writer {
            compressor: zstd::Encoder::new(chunks, LEVEL)?,
            plain: 0,
            hash: blake3::Hasher::new(),
        })
    }

    /// Writes the end. Whether it is on a disk is up to the one that it was written to.
    pub fn finish(self) -> io::Result<(W, Sealed)> {
        let mut chunks = self.compressor.finish()?;
        chunks.last()?;
        chunks.out.flush()?;
        let sealed = Sealed {
            bytes: chunks.bytes,
            hash: chunks.hash.finalize(),
            plain_bytes: self.plain,
            plain_hash: self.hash.finalize(),
        };
        Ok((chunks.out, sealed))
    }
}

impl<W: Write> Write for Writer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.compressor.write(bytes)?;
        self.hash.update(&bytes[..taken]);
        self.plain += taken as u64;
        Ok(taken)
    }

    /// Does nothing: chunks leave when they are full.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Encrypts the compressed stream chunk by chunk.
struct Chunks<W: Write> {
    out: W,
    /// None once the last chunk was made, or one could not be.
    encryptor: Option<Encryptor<ChaCha20Poly1305, StreamBE32<ChaCha20Poly1305>>>,
    waiting: Vec<u8>,
    bytes: u64,
    hash: blake3::Hasher,
}

impl<W: Write> Chunks<W> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    fn next(&mut self) -> io::Result<()> {
        let mut chunk = std::mem::take(&mut self.waiting);
        let encryptor = self.encryptor.as_mut().ok_or_else(ended)?;
        encryptor
            .encrypt_next_in_place(&[], &mut chunk)
            .map_err(|_| io::Error::other("a file of a backup has no room for more"))?;
        self.put(&chunk)?;
        chunk.clear();
        self.waiting = chunk;
        Ok(())
    }

    fn last(&mut self) -> io::Result<()> {
        let mut chunk = std::mem::take(&mut self.waiting);
        let encryptor = self.encryptor.take().ok_or_else(ended)?;
        encryptor
            .encrypt_last_in_place(&[], &mut chunk)
            .map_err(|_| io::Error::other("a file of a backup has no room for more"))?;
        self.put(&chunk)
    }
}

fn ended() -> io::Error {
    io::Error::other("the file of a backup has its end already")
}

impl<W: Write> Write for Chunks<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Full chunks wait until more comes: the last one is encrypted in another way.
        if self.waiting.len() == CHUNK {
            self.next()?;
        }
        let taken = bytes.len().min(CHUNK - self.waiting.len());
        self.waiting.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
