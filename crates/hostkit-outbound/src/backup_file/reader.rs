//! Reading the file of a backup.

use std::io::{self, BufReader, Read};

use aead_stream::{Decryptor, StreamBE32};
use chacha20poly1305::ChaCha20Poly1305;

use super::{BackupKey, CHUNK, MAGIC, SALT, TAG};

/// Reads what a [`super::Writer`] wrote. The end is answered (0 bytes) only where the file's own end was found; all else
/// is an error for which [`is_damage`] says yes, or one of the source.
pub struct Reader<R: Read> {
    decompressor: zstd::Decoder<'static, BufReader<Chunks<R>>>,
}

impl<R: Read> Reader<R> {
    /// Begins to read. The label must be the one that the file was written with.
    pub fn begin(mut from: R, key: &BackupKey, label: &str) -> io::Result<Self> {
        let mut magic = [0; MAGIC.len()];
        fill(&mut from, &mut magic)?;
        if &magic != MAGIC {
            return Err(damage("it is no file of a backup, or of a newer version"));
        }
        let mut salt = [0; SALT];
        fill(&mut from, &mut salt)?;
        let chunks = Chunks {
            from,
            decryptor: Some(key.decryptor(&salt, label)),
            ahead: Vec::with_capacity(1),
            chunk: Vec::with_capacity(CHUNK + TAG + 1),
            read: 0,
            at: (MAGIC.len() + SALT) as u64,
            refused: false,
        };
        Ok(Reader {
            decompressor: zstd::Decoder::new(chunks)?,
        })
    }
}

impl<R: Read> Read for Reader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.decompressor.read(out)?;
        if read == 0 && !out.is_empty() {
            self.decompressor.get_mut().get_mut().at_end()?;
        }
        Ok(read)
    }
}

/// Why a file was refused, as what an [`io::Error`] carries.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Damage(String);

fn damage(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, Damage(why.to_owned()))
}

/// Whether an error of a [`Reader`] says that the file is damaged (or the key or the label another), and not that its
/// source could not be read.
pub fn is_damage(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Damage>())
}

/// Reads exactly so many bytes.
fn fill(from: &mut impl Read, out: &mut [u8]) -> io::Result<()> {
    from.read_exact(out).map_err(|why| match why.kind() {
        io::ErrorKind::UnexpectedEof => damage("it is too short"),
        _ => why,
    })
}

/// Decrypts chunk by chunk.
struct Chunks<R: Read> {
    from: R,
    /// None once the last chunk was seen, or one that is damaged.
    decryptor: Option<Decryptor<ChaCha20Poly1305, StreamBE32<ChaCha20Poly1305>>>,
    /// The first byte after the chunk: whether there is one tells whether it is the last.
    ahead: Vec<u8>,
    chunk: Vec<u8>,
    /// How much of the chunk was handed out.
    read: usize,
    /// Where in the file the next chunk begins.
    at: u64,
    /// Whether a chunk was refused: then there is no end, however often somebody asks.
    refused: bool,
}

impl<R: Read> Chunks<R> {
    fn next(&mut self) -> io::Result<()> {
        self.chunk.clear();
        self.read = 0;
        self.chunk.append(&mut self.ahead);
        let missing = (CHUNK + TAG + 1 - self.chunk.len()) as u64;
        (&mut self.from).take(missing).read_to_end(&mut self.chunk)?;
        let is_last = self.chunk.len() <= CHUNK + TAG;
        self.ahead
            .extend(self.chunk.drain((CHUNK + TAG).min(self.chunk.len())..));
        let length = self.chunk.len() as u64;
        let opened = match self.decryptor.take() {
            Some(decryptor) if is_last => decryptor.decrypt_last_in_place(&[], &mut self.chunk),
            Some(mut decryptor) => {
                let opened = decryptor.decrypt_next_in_place(&[], &mut self.chunk);
                self.decryptor = Some(decryptor);
                opened
            }
            None => return Ok(()),
        };
        if opened.is_err() {
            self.refused = true;
            self.chunk.clear();
            return Err(self.refusal());
        }
        self.at += length;
        Ok(())
    }

    fn refusal(&self) -> io::Error {
        damage(&format!(
            "what begins at byte {} is not what was written, or the key is another one",
            self.at
        ))
    }

    /// Whether the file has nothing more.
    fn at_end(&mut self) -> io::Result<()> {
        let mut more = [0];
        match self.read(&mut more)? {
            0 => Ok(()),
            _ => Err(damage("there is something behind its end")),
        }
    }
}

impl<R: Read> Read for Chunks<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.read == self.chunk.len() {
            if self.refused {
                return Err(self.refusal());
            }
            if self.decryptor.is_none() {
                return Ok(0);
            }
            self.next()?;
        }
        let taken = out.len().min(self.chunk.len() - self.read);
        out[..taken].copy_from_slice(&self.chunk[self.read..self.read + taken]);
        self.read += taken;
        Ok(taken)
    }
}
