//! Objects: put, read, looked at.

use std::ops::Range;

use http::HeaderMap;
use s3s::dto::{
    ChecksumMode, ETagCondition, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput,
    PutObjectInput, PutObjectOutput, Timestamp,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::details::{self, checksums, details, say_checksums};
use super::failure::with_status;
use super::receive::Announced;
use super::send::Held;
use super::{Storage, answer, answer_to, blocking, key, millis, now, timestamp};
use crate::storage::index::{NewObject, Object, Piece};

/// What an object is where nobody said it, as S3 has it.
const UNKNOWN_TYPE: &str = "binary/octet-stream";

/// What a request to read asks for.
struct Wanted {
    if_match: Option<ETagCondition>,
    if_none_match: Option<ETagCondition>,
    if_modified_since: Option<Timestamp>,
    if_unmodified_since: Option<Timestamp>,
    range: Option<s3s::dto::Range>,
    part: Option<i32>,
    has_version: bool,
}

impl Storage {
    pub(super) async fn put(
        &self,
        asked: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let mut input = asked.input;
        let bucket = self.bucket(&input.bucket)?;
        let key = key(&input.key)?;
        details::refuse(&[("appending", input.write_offset_bytes.is_some())])?;
        let condition = details::condition(input.if_match.as_ref(), input.if_none_match.as_ref())?;
        let mut about = details!(input);
        let tags = details::tags_of_header(input.tagging.take())?;
        let announced = Announced {
            length: input.content_length,
            md5: input.content_md5.take(),
            checksums: checksums!(input),
            algorithms: Vec::new(),
            trailers: asked.trailing_headers,
        };
        let received = self
            .receive(input.body.take(), announced, &asked.headers, bucket.quota)
            .await?;
        about.checksums = received.checksums;
        let object = Object {
            size: received.written.size(),
            modified: now(),
            etag: received.etag,
            pieces: vec![Piece {
                content: received.written.id(),
                size: received.written.size(),
            }],
            details: about,
            tags,
        };
        let mut output = PutObjectOutput {
            e_tag: Some(details::etag(&object.etag)),
            checksum_type: details::checksum_type(&object.details.checksums),
            ..PutObjectOutput::default()
        };
        say_checksums!(output, &object.details.checksums);
        let new = NewObject {
            bucket: bucket.name,
            key,
            object,
            quota: bucket.quota,
        };
        self.index
            .write(vec![received.written], move |change| change.put(&new, &condition))
            .await
            .map_err(answer)?;
        Ok(S3Response::new(output))
    }

    pub(super) async fn get(
        &self,
        asked: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        let input = asked.input;
        let wanted = Wanted {
            if_match: input.if_match,
            if_none_match: input.if_none_match,
            if_modified_since: input.if_modified_since,
            if_unmodified_since: input.if_unmodified_since,
            range: input.range,
            part: input.part_number,
            has_version: is_version(input.version_id.as_deref()),
        };
        let (held, range) = self.find(&input.bucket, &input.key, wanted).await?;
        let object = &held.object;
        let part = range.clone().unwrap_or(0..object.size);
        let mut output = GetObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            cache_control: object.details.cache_control.clone(),
            content_disposition: object.details.content_disposition.clone(),
            content_encoding: object.details.content_encoding.clone(),
            content_language: object.details.content_language.clone(),
            content_length: i64::try_from(part.end - part.start).ok(),
            content_range: range.as_ref().map(|range| content_range(range, object.size)),
            content_type: Some(content_type(object)),
            e_tag: Some(details::etag(&object.etag)),
            expires: details::expires(&object.details),
            last_modified: Some(timestamp(object.modified)),
            metadata: metadata(object),
            parts_count: input.part_number.and_then(|_| parts_count(object)),
            tag_count: i32::try_from(object.tags.len()).ok().filter(|count| *count > 0),
            ..GetObjectOutput::default()
        };
        if wants_checksums(input.checksum_mode.as_ref()) && range.is_none() {
            say_checksums!(output, &object.details.checksums);
            output.checksum_type = details::checksum_type(&object.details.checksums);
        }
        output.body = Some(held.read(part).body());
        Ok(partial(output, range.is_some()))
    }

    pub(super) async fn head(
        &self,
        asked: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = asked.input;
        let wanted = Wanted {
            if_match: input.if_match,
            if_none_match: input.if_none_match,
            if_modified_since: input.if_modified_since,
            if_unmodified_since: input.if_unmodified_since,
            range: input.range,
            part: input.part_number,
            has_version: is_version(input.version_id.as_deref()),
        };
        let (held, range) = self.find(&input.bucket, &input.key, wanted).await?;
        let object = &held.object;
        let part = range.clone().unwrap_or(0..object.size);
        let mut output = HeadObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            cache_control: object.details.cache_control.clone(),
            content_disposition: object.details.content_disposition.clone(),
            content_encoding: object.details.content_encoding.clone(),
            content_language: object.details.content_language.clone(),
            content_length: i64::try_from(part.end - part.start).ok(),
            content_range: range.as_ref().map(|range| content_range(range, object.size)),
            content_type: Some(content_type(object)),
            e_tag: Some(details::etag(&object.etag)),
            expires: details::expires(&object.details),
            last_modified: Some(timestamp(object.modified)),
            metadata: metadata(object),
            parts_count: input.part_number.and_then(|_| parts_count(object)),
            ..HeadObjectOutput::default()
        };
        if wants_checksums(input.checksum_mode.as_ref()) && range.is_none() {
            say_checksums!(output, &object.details.checksums);
            output.checksum_type = details::checksum_type(&object.details.checksums);
        }
        Ok(partial(output, range.is_some()))
    }

    /// The object, its files held, and the range of it that is asked for.
    async fn find(&self, bucket: &str, name: &str, wanted: Wanted) -> S3Result<(Held, Option<Range<u64>>)> {
        let bucket = self.bucket(bucket)?.name;
        let key = key(name)?;
        if wanted.has_version {
            return Err(answer_to(
                S3ErrorCode::NoSuchVersion,
                "There are no versions here.",
            ));
        }
        let storage = self.clone();
        let held = blocking(move || storage.hold(&bucket, &key))
            .await
            .map_err(answer)?;
        wanted.judge(&held.object)?;
        let range = wanted.range(&held.object)?;
        Ok((held, range))
    }
}

impl Wanted {
    /// Judges the conditions in the order of RFC 9110, section 13.2.2.
    fn judge(&self, object: &Object) -> S3Result<()> {
        let is_it = |condition: &ETagCondition| match condition {
            ETagCondition::Any => true,
            ETagCondition::ETag(etag) => etag.value() == object.etag,
        };
        // The protocol says times in whole seconds.
        let since = |time: &Timestamp| object.modified.div_euclid(1000) > millis(time).div_euclid(1000);
        let failed = || answer_to(S3ErrorCode::PreconditionFailed, "The condition does not hold.");
        match (&self.if_match, &self.if_unmodified_since) {
            (Some(condition), _) if !is_it(condition) => return Err(failed()),
            (None, Some(time)) if since(time) => return Err(failed()),
            _ => {}
        }
        match (&self.if_none_match, &self.if_modified_since) {
            (Some(condition), _) if is_it(condition) => Err(unchanged(object)),
            (None, Some(time)) if !since(time) => Err(unchanged(object)),
            _ => Ok(()),
        }
    }

    fn range(&self, object: &Object) -> S3Result<Option<Range<u64>>> {
        if let Some(part) = self.part {
            if self.range.is_some() {
                return Err(answer_to(
                    S3ErrorCode::InvalidRequest,
                    "A range or a part, not both.",
                ));
            }
            let missing = || with_status("InvalidPartNumber", 416, "The object has no such part.");
            let at = usize::try_from(part)
                .ok()
                .and_then(|part| part.checked_sub(1))
                .ok_or_else(missing)?;
            let piece = object.pieces.get(at).ok_or_else(missing)?;
            let begin: u64 = object.pieces[..at].iter().map(|piece| piece.size).sum();
            return Ok(Some(begin..begin + piece.size));
        }
        let Some(range) = &self.range else { return Ok(None) };
        let range = range.check(object.size).map_err(|_| {
            let mut error = answer_to(S3ErrorCode::InvalidRange, "The object has no such bytes.");
            error.set_headers(header("content-range", &format!("bytes */{}", object.size)));
            error
        });
        range.map(Some)
    }
}

fn unchanged(object: &Object) -> S3Error {
    let mut error = S3Error::new(S3ErrorCode::NotModified);
    error.set_headers(header("etag", &format!("\"{}\"", object.etag)));
    error
}

fn header(name: &'static str, value: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Ok(value) = value.parse() {
        headers.insert(name, value);
    }
    headers
}

fn partial<T>(output: T, is_partial: bool) -> S3Response<T> {
    match is_partial {
        true => S3Response::with_status(output, http::StatusCode::PARTIAL_CONTENT),
        false => S3Response::new(output),
    }
}

fn content_range(range: &Range<u64>, size: u64) -> String {
    match range.end.checked_sub(1).filter(|last| *last >= range.start) {
        Some(last) => format!("bytes {}-{last}/{size}", range.start),
        None => format!("bytes */{size}"),
    }
}

fn content_type(object: &Object) -> String {
    let said = object.details.content_type.clone();
    said.unwrap_or_else(|| UNKNOWN_TYPE.to_owned())
}

fn metadata(object: &Object) -> Option<std::collections::HashMap<String, String>> {
    let metadata = &object.details.metadata;
    (!metadata.is_empty()).then(|| metadata.clone().into_iter().collect())
}

/// How many parts an object was uploaded in. None: it was not.
fn parts_count(object: &Object) -> Option<i32> {
    object
        .etag
        .contains('-')
        .then(|| i32::try_from(object.pieces.len()).ok())?
}

fn wants_checksums(mode: Option<&ChecksumMode>) -> bool {
    mode.is_some_and(|mode| mode.as_str() == ChecksumMode::ENABLED)
}

/// Whether a request is for a version. `null` is the one version of what has none.
pub(super) fn is_version(version: Option<&str>) -> bool {
    version.is_some_and(|version| version != "null")
}
