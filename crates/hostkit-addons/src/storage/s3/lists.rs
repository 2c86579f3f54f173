//! Lists of objects in both of their forms, and of buckets.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::{
    Bucket, CommonPrefix, EncodingType, ListBucketsInput, ListBucketsOutput, ListObjectsInput,
    ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output, Object, ObjectStorageClass, Owner,
};
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result};

use super::digests::hex;
use super::{Storage, answer, answer_to, blocking, details, timestamp};
use crate::storage::index::{Listed, ObjectList, Query, buckets, objects};
use crate::storage::names::{BucketName, ObjectKey};

/// Keys of one answer at most, as S3 has it.
const MOST: i32 = 1000;
/// What stays as it is where a client asks for URL encoding.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'/');

/// How names are written in an answer.
pub(super) struct Encoding {
    is_url: bool,
}

impl Encoding {
    pub(super) fn asked(encoding: Option<&EncodingType>) -> S3Result<Self> {
        match encoding.map(EncodingType::as_str) {
            None => Ok(Encoding { is_url: false }),
            Some(EncodingType::URL) => Ok(Encoding { is_url: true }),
            Some(_) => Err(answer_to(
                S3ErrorCode::InvalidArgument,
                "The encoding is `url` or none.",
            )),
        }
    }

    pub(super) fn encode(&self, text: &str) -> String {
        match self.is_url {
            true => utf8_percent_encode(text, PLAIN).to_string(),
            false => text.to_owned(),
        }
    }

    fn common(&self, prefixes: &[String]) -> Option<Vec<CommonPrefix>> {
        let prefixes = prefixes.iter().map(|prefix| CommonPrefix {
            prefix: Some(self.encode(prefix)),
        });
        let prefixes: Vec<_> = prefixes.collect();
        (!prefixes.is_empty()).then_some(prefixes)
    }

    fn object(&self, listed: &Listed, owner: Option<Owner>) -> Object {
        Object {
            e_tag: Some(details::etag(&listed.etag)),
            key: Some(self.encode(&listed.key)),
            last_modified: Some(timestamp(listed.modified)),
            owner,
            size: i64::try_from(listed.size).ok(),
            storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
            ..Object::default()
        }
    }
}

/// How many are asked for, within what is given at once.
pub(super) fn most(asked: Option<i32>) -> S3Result<i32> {
    match asked.unwrap_or(MOST) {
        below if below < 0 => Err(answer_to(
            S3ErrorCode::InvalidArgument,
            "The number is below nothing.",
        )),
        number => Ok(number.min(MOST)),
    }
}

/// The owner of everything, of which the protocol wants a name.
pub(super) fn owner() -> Owner {
    Owner {
        display_name: Some("hostkit".to_owned()),
        id: Some("hostkit".to_owned()),
    }
}

/// A place in a list, so that the next one begins there. Whoever makes one up gets another place in the same bucket.
fn token(from: &[u8]) -> String {
    format!("1{}", hex(from))
}

fn of_token(token: &str) -> S3Result<Vec<u8>> {
    let digits = token
        .strip_prefix('1')
        .filter(|digits| digits.len() % 2 == 0 && digits.is_ascii());
    let bytes = digits.and_then(|digits| {
        (0..digits.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).ok())
            .collect::<Option<Vec<u8>>>()
    });
    bytes
        .filter(|bytes| bytes.len() <= ObjectKey::LONGEST + 1)
        .ok_or_else(|| {
            answer_to(
                S3ErrorCode::InvalidArgument,
                "The continuation token is none of ours.",
            )
        })
}

impl Storage {
    async fn list(&self, bucket: &BucketName, query: Query) -> S3Result<ObjectList> {
        let index = self.index.clone();
        let bucket = bucket.clone();
        blocking(move || index.read(|connection| objects(connection, &bucket, &query)))
            .await
            .map_err(answer)
    }

    pub(super) async fn list_v2(
        &self,
        asked: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = asked.input;
        let bucket = self.bucket(&input.bucket)?.name;
        let encoding = Encoding::asked(input.encoding_type.as_ref())?;
        let most = most(input.max_keys)?;
        let mut query = Query {
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone().unwrap_or_default(),
            most: usize::try_from(most).unwrap_or_default(),
            ..Query::default()
        };
        match &input.continuation_token {
            Some(token) => query.from = of_token(token)?,
            None => query.behind(input.start_after.as_deref().unwrap_or_default()),
        }
        let list = self.list(&bucket, query).await?;
        let owner = input.fetch_owner.unwrap_or(false).then(owner);
        let contents: Vec<_> = list
            .objects
            .iter()
            .map(|one| encoding.object(one, owner.clone()))
            .collect();
        Ok(S3Response::new(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: input.prefix.as_deref().map(|prefix| encoding.encode(prefix)),
            max_keys: Some(most),
            key_count: i32::try_from(list.objects.len() + list.prefixes.len()).ok(),
            continuation_token: input.continuation_token,
            is_truncated: Some(list.next.is_some()),
            next_continuation_token: list.next.as_deref().map(token),
            contents: (!contents.is_empty()).then_some(contents),
            common_prefixes: encoding.common(&list.prefixes),
            delimiter: input
                .delimiter
                .as_deref()
                .map(|delimiter| encoding.encode(delimiter)),
            encoding_type: input.encoding_type,
            start_after: input.start_after.as_deref().map(|after| encoding.encode(after)),
            ..ListObjectsV2Output::default()
        }))
    }

    pub(super) async fn list_v1(
        &self,
        asked: S3Request<ListObjectsInput>,
    ) -> S3Result<S3Response<ListObjectsOutput>> {
        let input = asked.input;
        let bucket = self.bucket(&input.bucket)?.name;
        let encoding = Encoding::asked(input.encoding_type.as_ref())?;
        let most = most(input.max_keys)?;
        let mut query = Query {
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone().unwrap_or_default(),
            most: usize::try_from(most).unwrap_or_default(),
            ..Query::default()
        };
        query.behind(input.marker.as_deref().unwrap_or_default());
        let list = self.list(&bucket, query).await?;
        let contents: Vec<_> = list
            .objects
            .iter()
            .map(|one| encoding.object(one, Some(owner())))
            .collect();
        // The last of what is answered. Without a delimiter it is the last key, and S3 does not say it; it does no harm.
        let last_key = list.objects.last().map(|one| one.key.as_str());
        let last = last_key.max(list.prefixes.last().map(String::as_str));
        Ok(S3Response::new(ListObjectsOutput {
            name: Some(input.bucket),
            prefix: input.prefix.as_deref().map(|prefix| encoding.encode(prefix)),
            marker: Some(encoding.encode(input.marker.as_deref().unwrap_or_default())),
            max_keys: Some(most),
            is_truncated: Some(list.next.is_some()),
            next_marker: last
                .filter(|_| list.next.is_some())
                .map(|last| encoding.encode(last)),
            contents: (!contents.is_empty()).then_some(contents),
            common_prefixes: encoding.common(&list.prefixes),
            delimiter: input
                .delimiter
                .as_deref()
                .map(|delimiter| encoding.encode(delimiter)),
            encoding_type: input.encoding_type,
            ..ListObjectsOutput::default()
        }))
    }

    pub(super) async fn list_buckets(
        &self,
        _asked: S3Request<ListBucketsInput>,
    ) -> S3Result<S3Response<ListBucketsOutput>> {
        let index = self.index.clone();
        let found = blocking(move || index.read(buckets)).await.map_err(answer)?;
        let settings = self.settings();
        let ours = found
            .into_iter()
            .filter(|bucket| settings.bucket(&bucket.name).is_some());
        Ok(S3Response::new(ListBucketsOutput {
            buckets: Some(
                ours.map(|bucket| Bucket {
                    creation_date: Some(timestamp(bucket.created)),
                    name: Some(bucket.name),
                    ..Bucket::default()
                })
                .collect(),
            ),
            owner: Some(owner()),
            ..ListBucketsOutput::default()
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_a_place_and_nothing_else() {
        let place = "ä/\u{0}".as_bytes();
        assert_eq!(of_token(&token(place)).unwrap(), place);
        assert_eq!(of_token("1").unwrap(), b"");
        let long = token(&[b'a'; 1026]);
        for bad in ["", "2", "1f", "1fg", "1+f", "../..", "1ää", &long] {
            let found = of_token(bad);
            assert!(
                found.is_err() || found.is_ok_and(|found| found.len() <= 1025),
                "{bad}"
            );
        }
        assert!(of_token(&long).is_err() && of_token("1fg").is_err() && of_token("").is_err());
    }
}
