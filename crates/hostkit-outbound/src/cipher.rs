//! Files of backups as streams: what the engine hands over in pieces goes through [`crate::backup_file`].

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{StreamExt, stream};
use hostkit_core::backup::part::FileFigures;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::secret::Secret;
use hostkit_core::traits::{BackupCipher, Measure, Measured, Pieces};
use tokio::sync::mpsc;

use crate::backup_file::{BackupKey, Reader, Writer, is_damage};

/// Pieces that wait between the one who reads a target and the one who decrypts.
const WAITING: usize = 4;
/// Bytes of a piece that was decrypted.
const PIECE: usize = 64 * 1024;

/// Makes and reads files of backups.
#[derive(Debug, Clone, Copy, Default)]
pub struct FileCipher;

impl BackupCipher for FileCipher {
    fn new_key(&self) -> Result<Secret, Failure> {
        let key = BackupKey::generate()
            .map_err(|why| Failure::new(Kind::Internal, format!("cannot make a key for backups: {why}")))?;
        Ok(Secret::new(key.written().as_str()))
    }

    fn key_id(&self, key: &Secret) -> Result<String, Failure> {
        Ok(read(key)?.id())
    }

    fn seal(&self, key: &Secret, label: &str, plain: Pieces) -> Result<Measured, Failure> {
        let file = Written::default();
        let writer = Writer::begin(file.clone(), &read(key)?, label).map_err(|why| {
            Failure::new(
                Kind::Internal,
                format!("cannot begin the file of a backup: {why}"),
            )
        })?;
        let measure = Measure::default();
        let sealing = Sealing {
            plain,
            file,
            writer: Some(writer),
            measure: measure.clone(),
        };
        let pieces = stream::try_unfold(sealing, |mut sealing| async move {
            let piece = sealing.next().await?;
            Ok(piece.map(|piece| (piece, sealing)))
        });
        Ok(Measured {
            pieces: Box::pin(pieces),
            measure,
        })
    }

    fn open(&self, key: &Secret, label: &str, file: Pieces) -> Result<Measured, Failure> {
        let (key, label) = (read(key)?, label.to_owned());
        let measure = Measure::default();
        let (to_thread, from_target) = mpsc::channel(WAITING);
        let (to_caller, pieces) = mpsc::channel(WAITING);
        let gone = to_caller.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = hand_over(file, to_thread) => {}
                // Nobody reads on: a target that does not answer holds up no thread.
                () = gone.closed() => {}
            }
        });
        let told = measure.clone();
        tokio::task::spawn_blocking(move || {
            if let Err(why) = decrypt(from_target, &key, &label, &to_caller, &told) {
                // Where nobody reads any more, nobody is told.
                let _ = to_caller.blocking_send(Err(why));
            }
        });
        let pieces = stream::unfold(pieces, |mut pieces| async move {
            let piece = pieces.recv().await?;
            Some((piece, pieces))
        });
        Ok(Measured {
            pieces: Box::pin(pieces),
            measure,
        })
    }
}

fn read(key: &Secret) -> Result<BackupKey, Failure> {
    BackupKey::parse(key.reveal()).map_err(|why| {
        Failure::new(Kind::Invalid, format!("cannot use this key of backups: {why}"))
            .hint("type it as `hostkit backup kit` printed it: eleven groups of five letters and digits")
    })
}

/// What a writer has written and nobody has taken yet.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file that is being written.
struct Sealing {
    plain: Pieces,
    file: Written,
    /// None once the end is written.
    writer: Option<Writer<Written>>,
    measure: Measure,
}

impl Sealing {
    async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        while let Some(writer) = &mut self.writer {
            match self.plain.next().await {
                Some(piece) => writer.write_all(&piece?)?,
                None => {
                    let Some(writer) = self.writer.take() else { break };
                    let (_, sealed) = writer.finish()?;
                    self.measure.set(FileFigures {
                        bytes: sealed.bytes,
                        hash: sealed.hash.to_hex().to_string(),
                        plain_bytes: sealed.plain_bytes,
                        plain_hash: sealed.plain_hash.to_hex().to_string(),
                    });
                }
            }
            let piece = self.file.take();
            if !piece.is_empty() {
                return Ok(Some(piece));
            }
        }
        let last = self.file.take();
        Ok((!last.is_empty()).then_some(last))
    }
}

async fn hand_over(mut file: Pieces, to: mpsc::Sender<io::Result<Vec<u8>>>) {
    while let Some(piece) = file.next().await {
        if to.send(piece).await.is_err() {
            return;
        }
    }
}

/// Pieces as a thread reads them, measured as they pass.
struct Arriving {
    pieces: mpsc::Receiver<io::Result<Vec<u8>>>,
    piece: Vec<u8>,
    read: usize,
    bytes: u64,
    hash: blake3::Hasher,
}

impl Read for Arriving {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.read == self.piece.len() {
            let Some(piece) = self.pieces.blocking_recv() else {
                return Ok(0);
            };
            self.piece = piece?;
            self.read = 0;
            self.bytes += self.piece.len() as u64;
            self.hash.update(&self.piece);
        }
        let taken = out.len().min(self.piece.len() - self.read);
        out[..taken].copy_from_slice(&self.piece[self.read..self.read + taken]);
        self.read += taken;
        Ok(taken)
    }
}

fn decrypt(
    pieces: mpsc::Receiver<io::Result<Vec<u8>>>,
    key: &BackupKey,
    label: &str,
    to: &mpsc::Sender<io::Result<Vec<u8>>>,
    measure: &Measure,
) -> io::Result<()> {
    let mut arriving = Arriving {
        pieces,
        piece: Vec::new(),
        read: 0,
        bytes: 0,
        hash: blake3::Hasher::new(),
    };
    let (mut plain_bytes, mut plain_hash) = (0, blake3::Hasher::new());
    let mut reader = Reader::begin(&mut arriving, key, label).map_err(told)?;
    loop {
        let mut piece = vec![0; PIECE];
        let read = reader.read(&mut piece).map_err(told)?;
        if read == 0 {
            break;
        }
        piece.truncate(read);
        plain_bytes += read as u64;
        plain_hash.update(&piece);
        if to.blocking_send(Ok(piece)).is_err() {
            return Ok(());
        }
    }
    drop(reader);
    measure.set(FileFigures {
        bytes: arriving.bytes,
        hash: arriving.hash.finalize().to_hex().to_string(),
        plain_bytes,
        plain_hash: plain_hash.finalize().to_hex().to_string(),
    });
    Ok(())
}

/// Damage by the kind of error that the trait names.
fn told(why: io::Error) -> io::Error {
    match is_damage(&why) {
        true => io::Error::new(io::ErrorKind::InvalidData, why.to_string()),
        false => why,
    }
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt;

    use super::*;

    fn pieces(all: Vec<io::Result<Vec<u8>>>) -> Pieces {
        Box::pin(stream::iter(all))
    }

    async fn sealed(key: &Secret, content: &[u8]) -> (Vec<u8>, FileFigures) {
        let plain = content.chunks(7000).map(|piece| Ok(piece.to_vec())).collect();
        let sealing = FileCipher.seal(key, "a/1/x", pieces(plain)).unwrap();
        let file: Vec<Vec<u8>> = sealing.pieces.try_collect().await.unwrap();
        (file.concat(), sealing.measure.get().unwrap().clone())
    }

    async fn opened(key: &Secret, file: Vec<io::Result<Vec<u8>>>) -> io::Result<(Vec<u8>, Measure)> {
        let opening = FileCipher.open(key, "a/1/x", pieces(file)).unwrap();
        let plain: Vec<Vec<u8>> = opening.pieces.try_collect().await?;
        Ok((plain.concat(), opening.measure))
    }

    fn noise(length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        blake3::Hasher::new().finalize_xof().fill(&mut bytes);
        bytes
    }

    #[tokio::test]
    async fn what_was_sealed_is_opened_and_both_ends_measure_the_same() {
        let key = FileCipher.new_key().unwrap();
        for length in [0, 1, 200_000, 1_000_000] {
            let content = noise(length);
            let (file, figures) = sealed(&key, &content).await;
            let split = file.chunks(50_000).map(|piece| Ok(piece.to_vec())).collect();
            let (plain, measure) = opened(&key, split).await.unwrap();
            assert_eq!(plain, content);
            assert_eq!(measure.get(), Some(&figures));
            assert_eq!(
                (figures.bytes, figures.plain_bytes),
                (file.len() as u64, length as u64)
            );
        }
    }

    #[tokio::test]
    async fn damage_is_told_from_a_source_that_breaks_off_and_neither_is_measured() {
        let key = FileCipher.new_key().unwrap();
        let (mut file, _) = sealed(&key, &noise(300_000)).await;
        let broken: Vec<io::Result<Vec<u8>>> = vec![
            Ok(file[..100_000].to_vec()),
            Err(io::ErrorKind::ConnectionReset.into()),
        ];
        let why = opened(&key, broken).await.err().unwrap();
        assert_eq!(why.kind(), io::ErrorKind::ConnectionReset);
        let cut = vec![Ok(file[..100_000].to_vec())];
        assert_eq!(
            opened(&key, cut).await.err().unwrap().kind(),
            io::ErrorKind::InvalidData
        );
        file[150_000] ^= 1;
        assert_eq!(
            opened(&key, vec![Ok(file)]).await.err().unwrap().kind(),
            io::ErrorKind::InvalidData
        );
    }

    #[tokio::test]
    async fn a_source_that_fails_ends_the_file_with_its_error() {
        let key = FileCipher.new_key().unwrap();
        let source = pieces(vec![Ok(noise(100_000)), Err(io::Error::other("pg_dump ended"))]);
        let sealing = FileCipher.seal(&key, "a", source).unwrap();
        let file: io::Result<Vec<Vec<u8>>> = sealing.pieces.try_collect().await;
        assert_eq!(file.unwrap_err().to_string(), "pg_dump ended");
        assert!(sealing.measure.get().is_none());
    }

    #[test]
    fn a_mistyped_key_is_refused_without_being_repeated() {
        let refused = FileCipher.key_id(&Secret::new("CANARYCANARY")).unwrap_err();
        assert_eq!(refused.kind, Kind::Invalid);
        assert!(!format!("{refused:?}").contains("CANARY"));
    }
}
