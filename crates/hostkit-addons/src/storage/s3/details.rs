//! What requests say of an object, as the index keeps it; and what they may say that is not kept, so that nobody thinks
//! that it is.

use std::collections::HashMap;

use s3s::dto::{ChecksumType, ETag, ETagCondition};
use s3s::{S3ErrorCode, S3Result};

use super::digests::Algorithm;
use super::{answer_to, tags};
use crate::storage::index::{Checksums, Condition, Details, Tags};

/// Bytes of metadata that an object may have, names and values together, as S3 has it.
const LARGEST_METADATA: usize = 2048;

/// The details of an object that a request of `PutObject`, `CreateMultipartUpload` or `CopyObject` has. They have the
/// same fields and no type in common.
macro_rules! details {
    ($input:expr) => {{
        $crate::storage::s3::details::refuse(&[
            ("server-side encryption", $input.server_side_encryption.is_some()),
            (
                "a key of the client",
                $input.sse_customer_algorithm.is_some() || $input.sse_customer_key.is_some(),
            ),
            ("a key of a key service", $input.ssekms_key_id.is_some()),
            (
                "locking objects",
                $input.object_lock_mode.is_some() || $input.object_lock_legal_hold_status.is_some(),
            ),
            (
                "redirects of a website",
                $input.website_redirect_location.is_some(),
            ),
        ])?;
        $crate::storage::s3::details::check_acl($input.acl.as_ref().map(|acl| acl.as_str()))?;
        $crate::storage::index::Details {
            content_type: $input.content_type.take(),
            cache_control: $input.cache_control.take(),
            content_disposition: $input.content_disposition.take(),
            content_encoding: $crate::storage::s3::details::content_encoding($input.content_encoding.take()),
            content_language: $input.content_language.take(),
            expires: $input.expires.as_ref().map($crate::storage::s3::millis),
            metadata: $crate::storage::s3::details::metadata($input.metadata.take())?,
            ..Default::default()
        }
    }};
}
pub(super) use details;

/// The checksums that a request or its answer has, which have the same fields in many types.
macro_rules! checksums {
    ($input:expr) => {
        $crate::storage::index::Checksums {
            crc32: $input.checksum_crc32.clone(),
            crc32c: $input.checksum_crc32c.clone(),
            crc64nvme: $input.checksum_crc64nvme.clone(),
            sha1: $input.checksum_sha1.clone(),
            sha256: $input.checksum_sha256.clone(),
            is_composite: false,
        }
    };
}
pub(super) use checksums;

/// Puts checksums into an answer.
macro_rules! say_checksums {
    ($output:expr, $checksums:expr) => {{
        let checksums: &$crate::storage::index::Checksums = $checksums;
        $output.checksum_crc32 = checksums.crc32.clone();
        $output.checksum_crc32c = checksums.crc32c.clone();
        $output.checksum_crc64nvme = checksums.crc64nvme.clone();
        $output.checksum_sha1 = checksums.sha1.clone();
        $output.checksum_sha256 = checksums.sha256.clone();
    }};
}
pub(super) use say_checksums;

/// Refuses what is asked for and not there.
pub(super) fn refuse(asked: &[(&'static str, bool)]) -> S3Result<()> {
    match asked.iter().find(|(_, is_asked)| *is_asked) {
        Some((what, _)) => Err(answer_to(
            S3ErrorCode::NotImplemented,
            format!("This storage has nothing for {what}."),
        )),
        None => Ok(()),
    }
}

/// Refuses a list of who may what that would open an object: the settings of the bucket say what is public.
pub(super) fn check_acl(acl: Option<&str>) -> S3Result<()> {
    match acl {
        None | Some("private" | "bucket-owner-full-control") => Ok(()),
        Some(_) => Err(answer_to(
            S3ErrorCode::AccessControlListNotSupported,
            "The bucket has no access control lists; its settings say what is public.",
        )),
    }
}

/// `aws-chunked` says how a body was sent, and nothing of the object.
pub(super) fn content_encoding(said: Option<String>) -> Option<String> {
    let said = said?;
    let kept: Vec<&str> = said
        .split(',')
        .map(str::trim)
        .filter(|one| !one.is_empty() && !one.eq_ignore_ascii_case("aws-chunked"))
        .collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

/// Metadata, where it is not too much.
pub(super) fn metadata(
    said: Option<HashMap<String, String>>,
) -> S3Result<std::collections::BTreeMap<String, String>> {
    let said = said.unwrap_or_default();
    if said
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum::<usize>()
        > LARGEST_METADATA
    {
        return Err(answer_to(
            S3ErrorCode::MetadataTooLarge,
            "Metadata has at most 2 KB.",
        ));
    }
    Ok(said.into_iter().collect())
}

/// The tags of an `x-amz-tagging` header.
pub(super) fn tags_of_header(said: Option<String>) -> S3Result<Tags> {
    let pairs: Vec<(String, String)> =
        serde_urlencoded::from_str(&said.unwrap_or_default()).map_err(|_| {
            answer_to(
                S3ErrorCode::InvalidArgument,
                "x-amz-tagging is not `name=value&…`.",
            )
        })?;
    tags::checked(pairs)
}

/// What must hold of the object that is there.
pub(super) fn condition(
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
) -> S3Result<Condition> {
    match (if_match, if_none_match) {
        (None, None) => Ok(Condition::None),
        (None, Some(ETagCondition::Any)) => Ok(Condition::Absent),
        (Some(ETagCondition::Any), None) => Ok(Condition::Present),
        (Some(ETagCondition::ETag(etag)), None) => Ok(Condition::Etag(etag.value().to_owned())),
        _ => Err(answer_to(
            S3ErrorCode::NotImplemented,
            "A write takes `If-None-Match: *` or `If-Match`, and not both.",
        )),
    }
}

/// An entity tag as the protocol has it.
pub(super) fn etag(text: &str) -> ETag {
    ETag::Strong(text.to_owned())
}

/// Of what checksums are, as the protocol says it; nothing where there are none.
pub(super) fn checksum_type(checksums: &Checksums) -> Option<ChecksumType> {
    Algorithm::in_use(checksums)?;
    Some(ChecksumType::from_static(if checksums.is_composite {
        ChecksumType::COMPOSITE
    } else {
        ChecksumType::FULL_OBJECT
    }))
}

/// `Expires` of an object.
pub(super) fn expires(details: &Details) -> Option<s3s::dto::Timestamp> {
    details.expires.map(super::timestamp)
}
