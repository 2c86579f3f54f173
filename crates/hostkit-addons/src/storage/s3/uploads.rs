//! Uploads in parts: begun, parts put, completed, aborted, listed.

use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, ChecksumAlgorithm, ChecksumType,
    CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CompletedPart, CreateMultipartUploadInput,
    CreateMultipartUploadOutput, ListMultipartUploadsInput, ListMultipartUploadsOutput, ListPartsInput,
    ListPartsOutput, MultipartUpload, StorageClass, UploadPartInput, UploadPartOutput,
};
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result};

use super::details::{self, checksums, details, say_checksums};
use super::digests::{Algorithm, checksum_of_parts, etag_of_parts, hex};
use super::lists::{Encoding, most, owner};
use super::receive::Announced;
use super::{Storage, answer, answer_to, blocking, key, now, timestamp};
use crate::storage::error::{Result, StorageError};
use crate::storage::index::{
    Checksums, ChosenPart, Completion, Part, Upload, UploadQuery, parts, upload, uploads,
};

/// The number of a part, if it is one.
pub(super) fn part_number(number: i32) -> S3Result<u32> {
    u32::try_from(number)
        .ok()
        .filter(|number| (1..=10_000).contains(number))
        .ok_or_else(|| {
            answer_to(
                S3ErrorCode::InvalidArgument,
                "Parts are numbered from 1 to 10000.",
            )
        })
}

/// The checksum that an upload was begun with, and whether the whole has one that is made of those of the parts.
fn kind_of_checksum(
    algorithm: Option<&ChecksumAlgorithm>,
    kind: Option<&ChecksumType>,
) -> S3Result<Checksums> {
    let mut checksums = Checksums::default();
    let Some(algorithm) = algorithm else {
        return Ok(checksums);
    };
    let unknown = || {
        answer_to(
            S3ErrorCode::InvalidRequest,
            "There is no such checksum algorithm.",
        )
    };
    let algorithm = Algorithm::named(algorithm.as_str()).ok_or_else(unknown)?;
    *algorithm.of_mut(&mut checksums) = Some(String::new());
    let is_sha = matches!(algorithm, Algorithm::Sha1 | Algorithm::Sha256);
    checksums.is_composite = match kind.map(ChecksumType::as_str) {
        Some(ChecksumType::COMPOSITE) if algorithm != Algorithm::Crc64Nvme => true,
        Some(ChecksumType::FULL_OBJECT) if !is_sha => false,
        None => algorithm != Algorithm::Crc64Nvme,
        Some(_) => {
            return Err(answer_to(
                S3ErrorCode::InvalidRequest,
                "There is no checksum of this type for this algorithm.",
            ));
        }
    };
    Ok(checksums)
}

impl Storage {
    pub(super) async fn begin_upload(
        &self,
        asked: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let mut input = asked.input;
        let bucket = self.bucket(&input.bucket)?.name;
        let key = key(&input.key)?;
        let mut details = details!(input);
        details.checksums =
            kind_of_checksum(input.checksum_algorithm.as_ref(), input.checksum_type.as_ref())?;
        let mut id = [0; 16];
        getrandom::fill(&mut id)
            .map_err(|why| StorageError::file("get random numbers", std::io::Error::other(why.to_string())))
            .map_err(answer)?;
        let upload = Upload {
            id: hex(&id),
            key: key.as_str().as_bytes().to_vec(),
            created: now(),
            tags: details::tags_of_header(input.tagging.take())?,
            details,
        };
        let output = CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(upload.id.clone()),
            checksum_type: details::checksum_type(&upload.details.checksums),
            checksum_algorithm: input.checksum_algorithm,
            ..CreateMultipartUploadOutput::default()
        };
        self.index
            .write(Vec::new(), move |change| change.begin_upload(&bucket, &upload))
            .await
            .map_err(answer)?;
        Ok(S3Response::new(output))
    }

    pub(super) async fn put_part(
        &self,
        asked: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        let mut input = asked.input;
        let bucket = self.bucket(&input.bucket)?;
        let key = key(&input.key)?;
        let number = part_number(input.part_number)?;
        details::refuse(&[("a key of the client", input.sse_customer_algorithm.is_some())])?;
        let index = self.index.clone();
        let (name, of_key, id) = (bucket.name.clone(), key.clone(), input.upload_id.clone());
        let upload = blocking(move || index.read(|connection| upload(connection, &name, &of_key, &id)))
            .await
            .map_err(answer)?;
        let announced = Announced {
            length: input.content_length,
            md5: input.content_md5.take(),
            checksums: checksums!(input),
            algorithms: Algorithm::in_use(&upload.details.checksums).into_iter().collect(),
            trailers: asked.trailing_headers,
        };
        let received = self
            .receive(input.body.take(), announced, &asked.headers, bucket.quota)
            .await?;
        let part = Part {
            number,
            size: received.written.size(),
            modified: now(),
            etag: received.etag,
            content: received.written.id(),
            checksums: received.checksums,
        };
        let mut output = UploadPartOutput {
            e_tag: Some(details::etag(&part.etag)),
            ..UploadPartOutput::default()
        };
        say_checksums!(output, &part.checksums);
        let (id, quota) = (input.upload_id, bucket.quota);
        self.index
            .write(vec![received.written], move |change| {
                change.put_part(&bucket.name, &key, &id, &part, quota)
            })
            .await
            .map_err(answer)?;
        Ok(S3Response::new(output))
    }

    pub(super) async fn complete_upload(
        &self,
        asked: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = asked.input;
        let bucket = self.bucket(&input.bucket)?;
        let key = key(&input.key)?;
        let said = checksums!(input);
        let size = input.mpu_object_size;
        let chosen = input
            .multipart_upload
            .and_then(|upload| upload.parts)
            .unwrap_or_default();
        if chosen.is_empty() || chosen.len() > 10_000 {
            return Err(answer_to(
                S3ErrorCode::MalformedXML,
                "An object has 1 to 10000 parts.",
            ));
        }
        let wanted = Completion {
            bucket: bucket.name,
            key,
            upload: input.upload_id,
            chosen: chosen.into_iter().map(chosen_part).collect::<S3Result<_>>()?,
            condition: details::condition(input.if_match.as_ref(), input.if_none_match.as_ref())?,
            now: now(),
            quota: bucket.quota,
        };
        let judge = move |upload: &Upload, parts: &[Part]| judge(upload, parts, &said, size);
        let object = self
            .index
            .write(Vec::new(), move |change| change.complete(&wanted, judge))
            .await
            .map_err(answer)?;
        let mut output = CompleteMultipartUploadOutput {
            location: Some(format!("/{}/{}", input.bucket, input.key)),
            bucket: Some(input.bucket),
            key: Some(input.key),
            e_tag: Some(details::etag(&object.etag)),
            checksum_type: details::checksum_type(&object.details.checksums),
            ..CompleteMultipartUploadOutput::default()
        };
        say_checksums!(output, &object.details.checksums);
        Ok(S3Response::new(output))
    }

    pub(super) async fn abort_upload(
        &self,
        asked: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let bucket = self.bucket(&asked.input.bucket)?.name;
        let key = key(&asked.input.key)?;
        let id = asked.input.upload_id;
        self.index
            .write(Vec::new(), move |change| change.abort_upload(&bucket, &key, &id))
            .await
            .map_err(answer)?;
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }

    pub(super) async fn list_parts(
        &self,
        asked: S3Request<ListPartsInput>,
    ) -> S3Result<S3Response<ListPartsOutput>> {
        let input = asked.input;
        let bucket = self.bucket(&input.bucket)?.name;
        let key = key(&input.key)?;
        let most = most(input.max_parts)?;
        let after = input.part_number_marker.unwrap_or_default();
        let index = self.index.clone();
        let (id, behind) = (input.upload_id.clone(), u32::try_from(after).unwrap_or_default());
        let limit = usize::try_from(most).unwrap_or_default();
        let found =
            blocking(move || index.read(|connection| parts(connection, &bucket, &key, &id, behind, limit)))
                .await
                .map_err(answer)?;
        let next = found
            .parts
            .last()
            .filter(|_| found.is_truncated)
            .map(|part| part.number);
        Ok(S3Response::new(ListPartsOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            is_truncated: Some(found.is_truncated),
            max_parts: Some(most),
            part_number_marker: Some(after),
            next_part_number_marker: next.and_then(|next| i32::try_from(next).ok()),
            owner: Some(owner()),
            storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
            parts: Some(found.parts.iter().map(listed).collect()),
            ..ListPartsOutput::default()
        }))
    }

    pub(super) async fn list_uploads(
        &self,
        asked: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let input = asked.input;
        let bucket = self.bucket(&input.bucket)?.name;
        let encoding = Encoding::asked(input.encoding_type.as_ref())?;
        details::refuse(&[(
            "a delimiter of uploads",
            input.delimiter.as_ref().is_some_and(|one| !one.is_empty()),
        )])?;
        let most = most(input.max_uploads)?;
        let query = UploadQuery {
            prefix: input.prefix.clone().unwrap_or_default(),
            after_key: input.key_marker.clone().unwrap_or_default(),
            after_id: input.upload_id_marker.clone().unwrap_or_default(),
            most: usize::try_from(most).unwrap_or_default(),
        };
        let index = self.index.clone();
        let found = blocking(move || index.read(|connection| uploads(connection, &bucket, &query)))
            .await
            .map_err(answer)?;
        let name = |upload: &Upload| encoding.encode(&String::from_utf8_lossy(&upload.key));
        let last = found.uploads.last().filter(|_| found.is_truncated);
        Ok(S3Response::new(ListMultipartUploadsOutput {
            bucket: Some(input.bucket),
            prefix: input.prefix.as_deref().map(|prefix| encoding.encode(prefix)),
            key_marker: input.key_marker.as_deref().map(|marker| encoding.encode(marker)),
            upload_id_marker: input.upload_id_marker,
            next_key_marker: last.map(name),
            next_upload_id_marker: last.map(|upload| upload.id.clone()),
            is_truncated: Some(found.is_truncated),
            max_uploads: Some(most),
            uploads: Some(
                found
                    .uploads
                    .iter()
                    .map(|upload| MultipartUpload {
                        initiated: Some(timestamp(upload.created)),
                        key: Some(name(upload)),
                        owner: Some(owner()),
                        storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
                        upload_id: Some(upload.id.clone()),
                        ..MultipartUpload::default()
                    })
                    .collect(),
            ),
            encoding_type: input.encoding_type,
            ..ListMultipartUploadsOutput::default()
        }))
    }
}

fn chosen_part(part: CompletedPart) -> S3Result<ChosenPart> {
    let checksums = checksums!(part);
    let missing = || {
        answer_to(
            S3ErrorCode::MalformedXML,
            "A part has a number and an entity tag.",
        )
    };
    Ok(ChosenPart {
        number: part_number(part.part_number.ok_or_else(missing)?)?,
        etag: part.e_tag.ok_or_else(missing)?.into_value(),
        checksums,
    })
}

/// The entity tag and the checksum of the whole, against what the client says of it.
fn judge(
    upload: &Upload,
    parts: &[Part],
    said: &Checksums,
    size: Option<i64>,
) -> Result<(String, Checksums)> {
    let found: u64 = parts.iter().map(|part| part.size).sum();
    if size.is_some_and(|size| u64::try_from(size) != Ok(found)) {
        return Err(StorageError::BadDigest(
            "the parts have another number of bytes together",
        ));
    }
    let begun = &upload.details.checksums;
    let checksums = match Algorithm::in_use(begun) {
        Some(algorithm) => checksum_of_parts(algorithm, begun.is_composite, parts)?,
        None => Checksums::default(),
    };
    if let Some(algorithm) = Algorithm::in_use(said) {
        // Who began without saying of what the checksum will be may still say one of all bytes.
        let of_all = match algorithm.of(&checksums) {
            Some(_) => checksums.clone(),
            None => checksum_of_parts(algorithm, false, parts)?,
        };
        if !of_all.agree_with(said) {
            return Err(StorageError::BadDigest("that of the whole is another one"));
        }
    }
    Ok((etag_of_parts(parts)?, checksums))
}

fn listed(part: &Part) -> s3s::dto::Part {
    let mut listed = s3s::dto::Part {
        e_tag: Some(details::etag(&part.etag)),
        last_modified: Some(timestamp(part.modified)),
        part_number: i32::try_from(part.number).ok(),
        size: i64::try_from(part.size).ok(),
        ..s3s::dto::Part::default()
    };
    say_checksums!(listed, &part.checksums);
    listed
}
