//! One file on its way into the bucket.

use std::convert::Infallible;
use std::io;
use std::mem;

use bytes::Bytes;
use futures_util::StreamExt;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::BackupPath;
use hostkit_core::traits::Pieces;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStoreExt, PutPayload};
use tokio::sync::oneshot;

use super::S3Target;
use super::trouble::Trouble;

/// Bytes of every part but the last. Two are held at once: one is sent while the next one comes. Some storages want all
/// parts to have one length.
const PART: usize = 16 << 20;
/// S3 takes no more parts than this.
const PARTS: usize = 10_000;

/// Puts a file. It goes on in a task of its own, so that a caller who loses interest leaves nothing behind: the task sees
/// that and takes back what it began.
pub(super) async fn put(target: S3Target, path: BackupPath, pieces: Pieces) -> Result<u64, Failure> {
    let (_interest, lost) = oneshot::channel();
    let upload = Upload { target, path };
    match tokio::spawn(async move { upload.run(pieces, lost).await }).await {
        Ok(done) => done,
        Err(why) => Err(Failure::new(
            Kind::Internal,
            format!("the upload of a backup ended: {why}"),
        )),
    }
}

struct Upload {
    target: S3Target,
    path: BackupPath,
}

impl Upload {
    async fn run(&self, pieces: Pieces, mut lost: oneshot::Receiver<Infallible>) -> Result<u64, Failure> {
        let mut file = File::new(pieces);
        let first = tokio::select! {
            first = file.part() => first.map_err(|why| self.broken(&why))?,
            _ = &mut lost => return Err(self.unwanted()),
        };
        let key = self.target.key(&self.path);
        if file.is_over {
            return self.put_whole(&key, first).await;
        }
        // Not cut short: a beginning whose answer nobody hears could not be taken back.
        let begun = self.target.store.put_multipart(&key).await;
        let mut parts = begun.map_err(|why| self.failed(&why))?;
        let sent = tokio::select! {
            sent = self.send(&mut *parts, first, file) => sent,
            _ = lost => Err(self.unwanted()),
        };
        let done = match sent {
            Ok(bytes) => self.finish(&key, &mut *parts, bytes).await,
            Err(why) => Err(why),
        };
        if done.is_err() {
            // Of no consequence where it fails: nobody sees parts, and the failure that is told is the first one.
            let _ = parts.abort().await;
        }
        done
    }

    async fn put_whole(&self, key: &Path, part: Vec<Bytes>) -> Result<u64, Failure> {
        let bytes = length(&part);
        let _appearing = self.target.appearing.lock().await;
        let put = self.target.store.put(key, PutPayload::from_iter(part)).await;
        let put = put.map_err(|why| self.failed(&why))?;
        self.check(key, bytes, put.e_tag).await
    }

    /// Sends part after part, and answers how many bytes that were.
    async fn send(
        &self,
        parts: &mut dyn MultipartUpload,
        first: Vec<Bytes>,
        mut file: File,
    ) -> Result<u64, Failure> {
        let mut part = first;
        let mut bytes = 0;
        for _ in 0..PARTS {
            bytes += length(&part);
            let sending = parts.put_part(PutPayload::from_iter(mem::take(&mut part)));
            let (sent, next) = tokio::join!(sending, file.part());
            sent.map_err(|why| self.failed(&why))?;
            part = next.map_err(|why| self.broken(&why))?;
            if part.is_empty() {
                return Ok(bytes);
            }
        }
        let most = (PARTS * PART) >> 30;
        Err(self.because(Kind::TooLarge, &format!("it has more than {most} GiB")))
    }

    async fn finish(&self, key: &Path, parts: &mut dyn MultipartUpload, bytes: u64) -> Result<u64, Failure> {
        let _appearing = self.target.appearing.lock().await;
        let put = parts.complete().await.map_err(|why| self.failed(&why))?;
        self.check(key, bytes, put.e_tag).await
    }

    /// Looks at what is there now. The storage saw the hash of all that was sent, as part of what was signed; that it has
    /// kept all of it is what is to be seen.
    async fn check(&self, key: &Path, bytes: u64, tag: Option<String>) -> Result<u64, Failure> {
        let found = self.target.store.head(key).await;
        let why = match found {
            Err(why) => {
                let trouble = Trouble::of(&why);
                match trouble.is_missing() {
                    true => "the storage took it, and does not have it".to_owned(),
                    false => return Err(self.failed(&why)),
                }
            }
            Ok(found) if found.size != bytes => {
                format!("the storage took {bytes} bytes, and has {}", found.size)
            }
            Ok(found) if found.e_tag.as_deref().map(plain) != tag.as_deref().map(plain) => {
                "the storage has something else there than what it took".to_owned()
            }
            Ok(_) => return Ok(bytes),
        };
        let _ = self.target.store.delete(key).await;
        Err(self.because(Kind::Unavailable, &why))
    }

    fn failed(&self, why: &object_store::Error) -> Failure {
        self.target.failure("write the backup", Some(&self.path), why)
    }

    fn broken(&self, why: &io::Error) -> Failure {
        self.because(Kind::Unavailable, &why.to_string())
    }

    fn unwanted(&self) -> Failure {
        self.because(Kind::Conflict, "it is not wanted any more")
    }

    fn because(&self, kind: Kind, why: &str) -> Failure {
        let (path, place) = (&self.path, &self.target.place);
        Failure::new(
            kind,
            format!("cannot write the backup `{path}` at `{place}`: {why}"),
        )
    }
}

/// A tag without what some servers put around it.
fn plain(tag: &str) -> &str {
    tag.trim_start_matches("W/").trim_matches('"')
}

fn length(part: &[Bytes]) -> u64 {
    part.iter().map(|piece| piece.len() as u64).sum()
}

/// A file that comes in pieces of any length, and goes in parts of one length.
struct File {
    pieces: Pieces,
    /// What has come and is for the next part.
    rest: Bytes,
    is_over: bool,
}

impl File {
    fn new(pieces: Pieces) -> Self {
        File {
            pieces,
            rest: Bytes::new(),
            is_over: false,
        }
    }

    /// The next part: a whole one, or what is left, which may be nothing.
    async fn part(&mut self) -> io::Result<Vec<Bytes>> {
        let mut part = Vec::new();
        let mut room = PART;
        while room > 0 {
            if self.rest.is_empty() {
                match self.pieces.next().await {
                    Some(piece) => self.rest = Bytes::from(piece?),
                    None => {
                        self.is_over = true;
                        break;
                    }
                }
            }
            let taken = self.rest.split_to(room.min(self.rest.len()));
            room -= taken.len();
            if !taken.is_empty() {
                part.push(taken);
            }
        }
        Ok(part)
    }
}
