//! Bytes that are sent: a range of an object, read from its files piece by piece.

use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::try_unfold;
use s3s::dto::StreamingBlob;

use super::{Storage, blocking};
use crate::storage::contents::{Pinned, read_at};
use crate::storage::error::{Result, StorageError};
use crate::storage::index::{Object, Piece, object};
use crate::storage::names::{BucketName, ObjectKey};

/// Bytes that are read at once.
const BLOCK: u64 = 512 << 10;

/// An object whose files stay as long as this lives.
pub(super) struct Held {
    pub(super) object: Object,
    pinned: Pinned,
}

impl Storage {
    /// Looks an object up and holds its files. Blocks.
    pub(super) fn hold(&self, bucket: &BucketName, key: &ObjectKey) -> Result<Held> {
        let look = || self.index.read(|connection| object(connection, bucket, key));
        let mut found = look()?;
        loop {
            let pinned = self
                .contents
                .pin(found.pieces.iter().map(|piece| piece.content).collect());
            // It may have been replaced before its files were held, and then they are gone.
            let again = look()?;
            if again.pieces == found.pieces {
                return Ok(Held {
                    object: again,
                    pinned,
                });
            }
            found = again;
        }
    }
}

/// Where reading is.
pub(super) struct Reading {
    pinned: Pinned,
    /// Files from here on, and the part of each that is wanted, last first.
    rest: Vec<(Piece, Range<u64>)>,
    file: Option<Arc<File>>,
}

impl Held {
    /// Begins to read a range of bytes.
    pub(super) fn read(self, range: Range<u64>) -> Reading {
        let mut rest = Vec::new();
        let mut begin = 0;
        for piece in &self.object.pieces {
            let wanted = range.start.max(begin)..range.end.min(begin + piece.size);
            if wanted.start < wanted.end {
                rest.push((*piece, wanted.start - begin..wanted.end - begin));
            }
            begin += piece.size;
        }
        rest.reverse();
        Reading {
            pinned: self.pinned,
            rest,
            file: None,
        }
    }
}

impl Reading {
    /// The next bytes. None: all were read. Blocks.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>> {
        let Some((piece, wanted)) = self.rest.last_mut() else {
            return Ok(None);
        };
        let file = match &self.file {
            Some(file) => Arc::clone(file),
            None => Arc::clone(self.file.insert(self.pinned.open(piece.content)?)),
        };
        let most = (wanted.end - wanted.start).min(BLOCK);
        let most_bytes = usize::try_from(most).map_err(|_| StorageError::Damaged("a block is too large"))?;
        let bytes = read_at(&file, wanted.start, most_bytes)?;
        wanted.start += most;
        if wanted.is_empty() {
            self.rest.pop();
            self.file = None;
        }
        Ok(Some(bytes.into()))
    }

    /// As the body of an answer.
    pub(super) fn body(self) -> StreamingBlob {
        StreamingBlob::wrap(try_unfold(self, |mut reading| async {
            blocking(move || Ok(reading.next()?.map(|bytes| (bytes, reading)))).await
        }))
    }
}
