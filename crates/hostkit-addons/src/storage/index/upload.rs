//! Uploads in parts: begun, completed into an object, aborted, listed.

use rusqlite::{Connection, OptionalExtension};

use super::list::after_prefix;
use super::object::{Checksums, Condition, Details, NewObject, Object, Piece, Tags};
use super::part::Part;
use super::{Change, bucket, parsed, part, stored, written};
use crate::storage::error::{Result, StorageError};
use crate::storage::names::{BucketName, ObjectKey};

/// An upload that was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// Its name: random, told to who began it.
    pub id: String,
    /// Key of the object that it becomes.
    pub key: Vec<u8>,
    /// When it was begun, in milliseconds since 1970.
    pub created: i64,
    /// What is said of the object.
    pub details: Details,
    /// Tags of the object.
    pub tags: Tags,
}

/// A part that the client wants in the object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChosenPart {
    /// Its number.
    pub number: u32,
    /// The entity tag that it was told, without quotes.
    pub etag: String,
    /// Its checksums, where the client says them.
    pub checksums: Checksums,
}

/// An upload that is to be completed.
#[derive(Debug, Clone)]
pub struct Completion {
    /// Where to.
    pub bucket: BucketName,
    /// Under which key.
    pub key: ObjectKey,
    /// Which upload.
    pub upload: String,
    /// Of which parts, in order.
    pub chosen: Vec<ChosenPart>,
    /// What must hold of the object that is there.
    pub condition: Condition,
    /// The time, in milliseconds since 1970.
    pub now: i64,
    /// Bytes that the bucket may have then.
    pub quota: Option<u64>,
}

/// Which uploads are asked for.
#[derive(Debug, Clone, Default)]
pub struct UploadQuery {
    /// Keys begin with it.
    pub prefix: String,
    /// Only keys behind it, or the same key and uploads behind `after_id`.
    pub after_key: String,
    /// See `after_key`. Empty: only keys behind it.
    pub after_id: String,
    /// How many.
    pub most: usize,
}

/// Some uploads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadList {
    /// By key, then by name.
    pub uploads: Vec<Upload>,
    /// Whether there are more.
    pub is_truncated: bool,
}

/// An upload, if it is one of that key.
pub fn upload(connection: &Connection, bucket: &BucketName, key: &ObjectKey, id: &str) -> Result<Upload> {
    find(connection, bucket, key, id).map(|(_, upload)| upload)
}

pub(super) fn find(
    connection: &Connection,
    bucket: &BucketName,
    key: &ObjectKey,
    id: &str,
) -> Result<(i64, Upload)> {
    let bucket = bucket::number(connection, bucket)?;
    let found: Option<(i64, String, Option<String>)> = connection
        .prepare_cached(
            "SELECT created, details, tags FROM upload WHERE id = ?1 AND bucket = ?2 AND key = ?3",
        )?
        .query_row((id, bucket, key.as_str().as_bytes()), |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    let (created, details, tags) = found.ok_or(StorageError::NoSuchUpload)?;
    let upload = Upload {
        id: id.to_owned(),
        key: key.as_str().as_bytes().to_vec(),
        created,
        details: parsed(&details)?,
        tags: tags.as_deref().map_or(Ok(Tags::new()), parsed)?,
    };
    Ok((bucket, upload))
}

/// Uploads that were begun and neither completed nor aborted.
pub fn uploads(connection: &Connection, bucket: &BucketName, query: &UploadQuery) -> Result<UploadList> {
    let bucket = bucket::number(connection, bucket)?;
    let prefix = query.prefix.as_bytes();
    let mut statement = connection.prepare_cached(
        "SELECT id, key, created, details, tags FROM upload
         WHERE bucket = ?1 AND key >= ?2 AND (?3 IS NULL OR key < ?3) AND (key > ?4 OR (key = ?4 AND ?5 <> '' AND id > ?5))
         ORDER BY key, id LIMIT ?6",
    )?;
    let mut rows = statement.query((
        bucket,
        prefix,
        after_prefix(prefix),
        query.after_key.as_bytes(),
        &query.after_id,
        stored(query.most as u64 + 1)?,
    ))?;
    let mut uploads = Vec::new();
    while let Some(row) = rows.next()? {
        let tags: Option<String> = row.get(4)?;
        uploads.push(Upload {
            id: row.get(0)?,
            key: row.get(1)?,
            created: row.get(2)?,
            details: parsed(&row.get::<_, String>(3)?)?,
            tags: tags.as_deref().map_or(Ok(Tags::new()), parsed)?,
        });
    }
    let is_truncated = uploads.len() > query.most;
    uploads.truncate(query.most);
    Ok(UploadList {
        uploads,
        is_truncated,
    })
}

impl Change<'_> {
    /// Begins an upload.
    pub fn begin_upload(&self, bucket: &BucketName, upload: &Upload) -> Result<()> {
        let bucket = bucket::number(self.connection, bucket)?;
        let tags = (!upload.tags.is_empty())
            .then(|| written(&upload.tags))
            .transpose()?;
        self.connection
            .prepare_cached(
                "INSERT INTO upload (id, bucket, key, created, details, tags) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute((
                &upload.id,
                bucket,
                &upload.key,
                upload.created,
                written(&upload.details)?,
                tags,
            ))?;
        Ok(())
    }

    /// Forgets an upload and its parts.
    pub fn abort_upload(&self, bucket: &BucketName, key: &ObjectKey, id: &str) -> Result<()> {
        find(self.connection, bucket, key, id)?;
        self.forget_upload(id)
    }

    /// Makes an object of parts. `judge` looks at the upload and the parts that were found, and says the entity tag and
    /// the checksums of the whole. Answers the object.
    pub fn complete(
        &self,
        wanted: &Completion,
        judge: impl FnOnce(&Upload, &[Part]) -> Result<(String, Checksums)>,
    ) -> Result<Object> {
        let upload = match find(self.connection, &wanted.bucket, &wanted.key, &wanted.upload) {
            Ok((_, upload)) => upload,
            // Who did not hear that it is complete asks again.
            Err(StorageError::NoSuchUpload) => {
                return self
                    .object(&wanted.bucket, &wanted.key)
                    .ok()
                    .filter(|object| object.details.upload.as_ref() == Some(&wanted.upload))
                    .ok_or(StorageError::NoSuchUpload);
            }
            Err(why) => return Err(why),
        };
        let parts = self.chosen(wanted)?;
        let (etag, checksums) = judge(&upload, &parts)?;
        let object = Object {
            size: parts.iter().map(|part| part.size).sum(),
            modified: wanted.now,
            etag,
            pieces: parts
                .iter()
                .map(|part| Piece {
                    content: part.content,
                    size: part.size,
                })
                .collect(),
            details: Details {
                checksums,
                upload: Some(wanted.upload.clone()),
                ..upload.details
            },
            tags: upload.tags,
        };
        let new = NewObject {
            bucket: wanted.bucket.clone(),
            key: wanted.key.clone(),
            object,
            quota: wanted.quota,
        };
        // The object's uses of the files are counted while those of the parts are; the bytes only once.
        for piece in &new.object.pieces {
            self.count_use(piece.content)?;
        }
        self.forget_upload(&wanted.upload)?;
        self.put(&new, &wanted.condition)?;
        for piece in &new.object.pieces {
            self.end_use(piece.content)?;
        }
        Ok(new.object)
    }

    fn chosen(&self, wanted: &Completion) -> Result<Vec<Part>> {
        let mut parts: Vec<Part> = Vec::with_capacity(wanted.chosen.len());
        for chosen in &wanted.chosen {
            if let Some(before) = parts.last() {
                if before.number >= chosen.number {
                    return Err(StorageError::PartOrder);
                }
                before.check_not_last()?;
            }
            let found = part::part(self.connection, &wanted.upload, chosen.number)?
                .filter(|part| part.etag == chosen.etag && part.checksums.agree_with(&chosen.checksums))
                .ok_or(StorageError::InvalidPart(chosen.number))?;
            parts.push(found);
        }
        if parts.is_empty() {
            return Err(StorageError::InvalidPart(1));
        }
        Ok(parts)
    }

    fn forget_upload(&self, id: &str) -> Result<()> {
        self.remove_parts(id)?;
        self.connection
            .prepare_cached("DELETE FROM upload WHERE id = ?1")?
            .execute([id])?;
        Ok(())
    }
}
