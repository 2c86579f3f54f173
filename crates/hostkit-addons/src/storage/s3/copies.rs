//! Copies: a whole object takes no bytes, only one more use of the same files. Part of an object, as a part of an upload,
//! is read and written.

use s3s::dto::{
    CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopyPartResult, CopySource, ETagCondition,
    MetadataDirective, TaggingDirective, Timestamp, UploadPartCopyInput, UploadPartCopyOutput,
};
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result};

use super::details::{self, details, say_checksums};
use super::digests::{Algorithm, Hashing, hex};
use super::objects::is_version;
use super::uploads::part_number;
use super::{Storage, answer, answer_to, blocking, key, millis, now, timestamp};
use crate::storage::error::{Result, StorageError};
use crate::storage::index::{Condition, NewObject, Object, Part, upload};
use crate::storage::names::{BucketName, ObjectKey};

/// The largest object that is copied into a part at once, in bytes (5 GiB, as S3 has it).
const LARGEST_PART: u64 = 5 << 30;

/// What must hold of the object that is copied.
#[derive(Clone)]
struct Wanted {
    if_match: Option<ETagCondition>,
    if_none_match: Option<ETagCondition>,
    if_modified_since: Option<Timestamp>,
    if_unmodified_since: Option<Timestamp>,
}

impl Wanted {
    fn judge(&self, object: &Object) -> Result<()> {
        let is_it = |condition: &ETagCondition| match condition {
            ETagCondition::Any => true,
            ETagCondition::ETag(etag) => etag.value() == object.etag,
        };
        let since = |time: &Timestamp| object.modified.div_euclid(1000) > millis(time).div_euclid(1000);
        let holds = self.if_match.as_ref().is_none_or(is_it)
            && !self.if_none_match.as_ref().is_some_and(is_it)
            && self.if_modified_since.as_ref().is_none_or(since)
            // An entity tag says more than a time (as S3 has it).
            && (self.if_match.is_some() || !self.if_unmodified_since.as_ref().is_some_and(since));
        if holds {
            Ok(())
        } else {
            Err(StorageError::Precondition)
        }
    }
}

impl Storage {
    /// The bucket and the key that are copied: of this server, like all that it knows.
    fn source(&self, source: &CopySource) -> S3Result<(BucketName, ObjectKey)> {
        match source {
            CopySource::Bucket {
                bucket,
                key: name,
                version_id,
            } if !is_version(version_id.as_deref()) => Ok((self.bucket(bucket)?.name, key(name)?)),
            CopySource::Bucket { .. } => Err(answer_to(
                S3ErrorCode::NoSuchVersion,
                "There are no versions here.",
            )),
            _ => Err(answer_to(
                S3ErrorCode::NotImplemented,
                "A copy is of `BUCKET/KEY`.",
            )),
        }
    }

    pub(super) async fn copy(
        &self,
        asked: S3Request<CopyObjectInput>,
    ) -> S3Result<S3Response<CopyObjectOutput>> {
        let mut input = asked.input;
        let bucket = self.bucket(&input.bucket)?;
        let key = key(&input.key)?;
        let (from_bucket, from_key) = self.source(&input.copy_source)?;
        let wanted = Wanted {
            if_match: input.copy_source_if_match.take(),
            if_none_match: input.copy_source_if_none_match.take(),
            if_modified_since: input.copy_source_if_modified_since.take(),
            if_unmodified_since: input.copy_source_if_unmodified_since.take(),
        };
        let replaces = |directive: Option<&str>| directive == Some(MetadataDirective::REPLACE);
        let new_details = details!(input);
        let new_details =
            replaces(input.metadata_directive.as_ref().map(|one| one.as_str())).then_some(new_details);
        let tagging = input.tagging_directive.as_ref().map(TaggingDirective::as_str);
        let new_tags = replaces(tagging)
            .then(|| details::tags_of_header(input.tagging.take()))
            .transpose()?;
        if (&from_bucket, &from_key) == (&bucket.name, &key) && new_details.is_none() && new_tags.is_none() {
            return Err(answer_to(
                S3ErrorCode::InvalidRequest,
                "A copy of an object onto itself must replace its metadata or its tags.",
            ));
        }
        let now = now();
        let act = move |change: &crate::storage::index::Change<'_>| {
            let mut object = change.object(&from_bucket, &from_key)?;
            wanted.judge(&object)?;
            object.modified = now;
            if let Some(mut details) = new_details {
                details.checksums = object.details.checksums;
                object.details = details;
            }
            object.details.upload = None;
            object.tags = new_tags.unwrap_or(object.tags);
            let new = NewObject {
                bucket: bucket.name,
                key,
                object,
                quota: bucket.quota,
            };
            change.put(&new, &Condition::None)?;
            Ok(new.object)
        };
        let object = self.index.write(Vec::new(), act).await.map_err(answer)?;
        let mut result = CopyObjectResult {
            e_tag: Some(details::etag(&object.etag)),
            last_modified: Some(timestamp(object.modified)),
            checksum_type: details::checksum_type(&object.details.checksums),
            ..CopyObjectResult::default()
        };
        say_checksums!(result, &object.details.checksums);
        Ok(S3Response::new(CopyObjectOutput {
            copy_object_result: Some(result),
            ..CopyObjectOutput::default()
        }))
    }

    pub(super) async fn copy_part(
        &self,
        asked: S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        let input = asked.input;
        let bucket = self.bucket(&input.bucket)?;
        let key = key(&input.key)?;
        let number = part_number(input.part_number)?;
        let (from_bucket, from_key) = self.source(&input.copy_source)?;
        let wanted = Wanted {
            if_match: input.copy_source_if_match,
            if_none_match: input.copy_source_if_none_match,
            if_modified_since: input.copy_source_if_modified_since,
            if_unmodified_since: input.copy_source_if_unmodified_since,
        };
        let range = input
            .copy_source_range
            .as_deref()
            .map(s3s::dto::Range::parse)
            .transpose();
        let range =
            range.map_err(|_| answer_to(S3ErrorCode::InvalidArgument, "The range is not `bytes=A-B`."))?;
        let storage = self.clone();
        let (place, id) = ((bucket.name.clone(), key.clone()), input.upload_id.clone());
        let copied = blocking(move || {
            let upload = storage
                .index
                .read(|connection| upload(connection, &place.0, &place.1, &id))?;
            let held = storage.hold(&from_bucket, &from_key)?;
            wanted.judge(&held.object)?;
            let size = held.object.size;
            let Some(range) = range.map_or(Some(0..size), |range| range.check(size).ok()) else {
                return Ok(None);
            };
            if range.end - range.start > LARGEST_PART {
                return Ok(None);
            }
            let mut hashing = Hashing::new(Algorithm::in_use(&upload.details.checksums));
            let mut incoming = storage.contents.begin(range.end - range.start)?;
            let mut reading = held.read(range);
            while let Some(bytes) = reading.next()? {
                incoming.write(&bytes)?;
                hashing.update(&bytes);
            }
            let (md5, checksums) = hashing.finish();
            Ok(Some((incoming.finish()?, hex(&md5), checksums)))
        });
        let copied = copied.await.map_err(answer)?;
        let (file, etag, checksums) = copied.ok_or_else(|| {
            answer_to(
                S3ErrorCode::InvalidRange,
                "The object has no such bytes, or too many.",
            )
        })?;
        let part = Part {
            number,
            size: file.size(),
            modified: now(),
            etag,
            content: file.id(),
            checksums,
        };
        let mut result = CopyPartResult {
            e_tag: Some(details::etag(&part.etag)),
            last_modified: Some(timestamp(part.modified)),
            ..CopyPartResult::default()
        };
        say_checksums!(result, &part.checksums);
        let (id, quota) = (input.upload_id, bucket.quota);
        self.index
            .write(vec![file], move |change| {
                change.put_part(&bucket.name, &key, &id, &part, quota)
            })
            .await
            .map_err(answer)?;
        Ok(S3Response::new(UploadPartCopyOutput {
            copy_part_result: Some(result),
            ..UploadPartCopyOutput::default()
        }))
    }
}
