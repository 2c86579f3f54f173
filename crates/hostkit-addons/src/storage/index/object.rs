//! Objects: what is known of each, and how one is put, copied, tagged and removed.

use std::collections::BTreeMap;

use rusqlite::{Connection, Row};
use serde::{Deserialize, Serialize};

use super::{Change, bucket, count, parsed, stored, written};
use crate::storage::contents::ContentId;
use crate::storage::error::{Result, StorageError};
use crate::storage::names::{BucketName, ObjectKey};

pub use hostkit_core::storage::lifecycle::Tags;

/// A file that an object consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// Its name.
    pub content: ContentId,
    /// Its bytes.
    pub size: u64,
}

/// What a client said of an object: headers that are given back as they came.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Details {
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// `Content-Disposition`.
    pub content_disposition: Option<String>,
    /// `Content-Encoding`, without `aws-chunked`.
    pub content_encoding: Option<String>,
    /// `Content-Language`.
    pub content_language: Option<String>,
    /// `Expires`, in milliseconds since 1970.
    pub expires: Option<i64>,
    /// `x-amz-meta-*`, without that beginning.
    pub metadata: BTreeMap<String, String>,
    /// The upload that it was made of, so that who completes it twice is told the same twice.
    pub upload: Option<String>,
    /// Checksums of the object. Of an upload: which one its parts have (its text is empty).
    pub checksums: Checksums,
}

/// Checksums as S3 writes them: base64, and `-N` behind one that is made of those of N parts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Checksums {
    /// CRC-32 of zlib.
    pub crc32: Option<String>,
    /// CRC-32C (Castagnoli).
    pub crc32c: Option<String>,
    /// CRC-64/NVME.
    pub crc64nvme: Option<String>,
    /// SHA-1.
    pub sha1: Option<String>,
    /// SHA-256.
    pub sha256: Option<String>,
    /// Whether they are made of those of the parts, and not of all bytes.
    pub is_composite: bool,
}

/// An object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Bytes of all pieces.
    pub size: u64,
    /// When it was put, in milliseconds since 1970.
    pub modified: i64,
    /// Its entity tag, without quotes.
    pub etag: String,
    /// The files it consists of, in order. One for each part, where it was uploaded in parts.
    pub pieces: Vec<Piece>,
    /// What is said of it.
    pub details: Details,
    /// Its tags.
    pub tags: Tags,
}

/// An object that is to be put.
#[derive(Debug, Clone)]
pub struct NewObject {
    /// Where to.
    pub bucket: BucketName,
    /// Under which key.
    pub key: ObjectKey,
    /// What.
    pub object: Object,
    /// Bytes that the bucket may have then.
    pub quota: Option<u64>,
}

/// What must hold of the object that is there, for another to take its place or for it to go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Condition {
    /// Anything.
    #[default]
    None,
    /// There is none (`If-None-Match: *`).
    Absent,
    /// There is one (`If-Match: *`).
    Present,
    /// It has this entity tag (`If-Match`).
    Etag(String),
    /// It has this entity tag and was put at this time: it is the one that was looked at.
    Same(String, i64),
}

impl Condition {
    /// Judges by the entity tag and the time of what is there.
    pub fn judge(&self, found: Option<(&str, i64)>) -> Result<()> {
        let holds = match (self, found) {
            (Condition::None, _) | (Condition::Absent, None) | (Condition::Present, Some(_)) => true,
            (Condition::Absent, Some(_)) => false,
            (_, None) => return Err(StorageError::NoSuchKey),
            (Condition::Etag(wanted), Some((etag, _))) => wanted == etag,
            (Condition::Same(wanted, since), Some((etag, modified))) => wanted == etag && *since == modified,
        };
        if holds {
            Ok(())
        } else {
            Err(StorageError::Precondition)
        }
    }
}

pub(super) const COLUMNS: &str = "size, modified, etag, pieces, details, tags";

/// The object under a key.
pub fn object(connection: &Connection, bucket: &BucketName, key: &ObjectKey) -> Result<Object> {
    let bucket = bucket::number(connection, bucket)?;
    find(connection, bucket, key)?
        .map(|(_, object)| object)
        .ok_or(StorageError::NoSuchKey)
}

fn find(connection: &Connection, bucket: i64, key: &ObjectKey) -> Result<Option<(i64, Object)>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS}, id FROM object WHERE bucket = ?1 AND key = ?2"
    ))?;
    let mut rows = statement.query((bucket, key.as_str().as_bytes()))?;
    match rows.next()? {
        Some(row) => Ok(Some((row.get(6)?, of_row(row)?))),
        None => Ok(None),
    }
}

pub(super) fn of_row(row: &Row<'_>) -> Result<Object> {
    let tags: Option<String> = row.get(5)?;
    Ok(Object {
        size: count(row.get(0)?)?,
        modified: row.get(1)?,
        etag: row.get(2)?,
        pieces: pieces(row.get_ref(3)?.as_blob().map_err(|_| BAD_PIECES)?)?,
        details: parsed(row.get_ref(4)?.as_str().map_err(|_| BAD_DETAILS)?)?,
        tags: tags.as_deref().map_or(Ok(Tags::new()), parsed)?,
    })
}

const BAD_PIECES: StorageError = StorageError::Damaged("the list of an object's files");
const BAD_DETAILS: StorageError = StorageError::Damaged("what is said of an object");

fn pieces(bytes: &[u8]) -> Result<Vec<Piece>> {
    let (pieces, rest) = bytes.as_chunks::<24>();
    if !rest.is_empty() {
        return Err(BAD_PIECES);
    }
    pieces
        .iter()
        .map(|piece| {
            let (id, size) = piece.split_at(16);
            Ok(Piece {
                content: ContentId::from_bytes(id.try_into().map_err(|_| BAD_PIECES)?),
                size: u64::from_le_bytes(size.try_into().map_err(|_| BAD_PIECES)?),
            })
        })
        .collect()
}

fn pieces_as_bytes(pieces: &[Piece]) -> Vec<u8> {
    let each = |piece: &Piece| [piece.content.bytes().as_slice(), &piece.size.to_le_bytes()].concat();
    pieces.iter().flat_map(each).collect()
}

impl Change<'_> {
    /// Puts an object in the place of what is there, where the condition holds and the bucket may have it.
    pub fn put(&self, new: &NewObject, condition: &Condition) -> Result<()> {
        let bucket = bucket::number(self.connection, &new.bucket)?;
        let old = find(self.connection, bucket, &new.key)?;
        condition.judge(old.as_ref().map(|(_, old)| (old.etag.as_str(), old.modified)))?;
        let freed = old.as_ref().map_or(0, |(_, old)| old.size);
        // First the new uses, then the end of the old ones: an object may be copied onto itself.
        for piece in &new.object.pieces {
            self.count_use(piece.content)?;
        }
        if let Some((id, old)) = &old {
            self.remove(*id, old)?;
        }
        let object = &new.object;
        let tags = (!object.tags.is_empty())
            .then(|| written(&object.tags))
            .transpose()?;
        self.connection
            .prepare_cached(&format!(
                "INSERT INTO object (bucket, key, {COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
            ))?
            .execute((
                bucket,
                new.key.as_str().as_bytes(),
                stored(object.size)?,
                object.modified,
                &object.etag,
                pieces_as_bytes(&object.pieces),
                written(&object.details)?,
                tags,
            ))?;
        // What makes a bucket smaller is allowed also when it has too much.
        if object.size > freed {
            self.check_quota(bucket, new.quota)?;
        }
        Ok(())
    }

    /// The object under a key, as this change finds it.
    pub fn object(&self, bucket: &BucketName, key: &ObjectKey) -> Result<Object> {
        object(self.connection, bucket, key)
    }

    /// Removes an object. Whether there was one.
    pub fn delete(&self, bucket: &BucketName, key: &ObjectKey, condition: &Condition) -> Result<bool> {
        let bucket = bucket::number(self.connection, bucket)?;
        let Some((id, old)) = find(self.connection, bucket, key)? else {
            return condition.judge(None).map(|()| false);
        };
        condition.judge(Some((&old.etag, old.modified)))?;
        self.remove(id, &old)?;
        Ok(true)
    }

    /// Sets the tags of an object.
    pub fn set_tags(&self, bucket: &BucketName, key: &ObjectKey, tags: &Tags) -> Result<()> {
        let bucket = bucket::number(self.connection, bucket)?;
        let tags = (!tags.is_empty()).then(|| written(tags)).transpose()?;
        let changed = self
            .connection
            .prepare_cached("UPDATE object SET tags = ?3 WHERE bucket = ?1 AND key = ?2")?
            .execute((bucket, key.as_str().as_bytes(), tags))?;
        if changed == 0 {
            return Err(StorageError::NoSuchKey);
        }
        Ok(())
    }

    fn remove(&self, id: i64, old: &Object) -> Result<()> {
        self.connection
            .prepare_cached("DELETE FROM object WHERE id = ?1")?
            .execute([id])?;
        for piece in &old.pieces {
            self.end_use(piece.content)?;
        }
        Ok(())
    }
}

impl Checksums {
    /// Whether none of those that are said differs from what is here.
    pub fn agree_with(&self, said: &Checksums) -> bool {
        let agree = |here: &Option<String>, said: &Option<String>| said.is_none() || here == said;
        agree(&self.crc32, &said.crc32)
            && agree(&self.crc32c, &said.crc32c)
            && agree(&self.crc64nvme, &said.crc64nvme)
            && agree(&self.sha1, &said.sha1)
            && agree(&self.sha256, &said.sha256)
    }
}
