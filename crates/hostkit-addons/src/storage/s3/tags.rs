//! Tags of objects.

use s3s::dto::{
    DeleteObjectTaggingInput, DeleteObjectTaggingOutput, GetObjectTaggingInput, GetObjectTaggingOutput,
    PutObjectTaggingInput, PutObjectTaggingOutput, Tag,
};
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result};

use super::{Storage, answer, answer_to, blocking, key};
use crate::storage::index::{Tags, object};

/// Tags that an object may have, as S3 has it.
const MOST: usize = 10;

/// Tags, if S3 would take them.
pub(super) fn checked(pairs: Vec<(String, String)>) -> S3Result<Tags> {
    let count = pairs.len();
    let tags: Tags = pairs.into_iter().collect();
    let is_good = |(name, value): (&String, &String)| {
        (1..=128).contains(&name.chars().count()) && value.chars().count() <= 256
    };
    if count > MOST || tags.len() != count || !tags.iter().all(is_good) {
        return Err(answer_to(
            S3ErrorCode::InvalidTag,
            "An object has at most 10 tags, each name once, of 1 to 128 letters, with values of up to 256.",
        ));
    }
    Ok(tags)
}

/// Tags of the protocol.
pub(super) fn of_set(set: Vec<Tag>) -> S3Result<Tags> {
    let pairs = set.into_iter();
    checked(
        pairs
            .map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default()))
            .collect(),
    )
}

/// Tags for the protocol.
pub(super) fn to_set(tags: &Tags) -> Vec<Tag> {
    let tags = tags.iter();
    tags.map(|(name, value)| Tag {
        key: Some(name.clone()),
        value: Some(value.clone()),
    })
    .collect()
}

impl Storage {
    pub(super) async fn tags(
        &self,
        asked: S3Request<GetObjectTaggingInput>,
    ) -> S3Result<S3Response<GetObjectTaggingOutput>> {
        let bucket = self.bucket(&asked.input.bucket)?.name;
        let key = key(&asked.input.key)?;
        let index = self.index.clone();
        let found = blocking(move || index.read(|connection| object(connection, &bucket, &key)));
        Ok(S3Response::new(GetObjectTaggingOutput {
            tag_set: to_set(&found.await.map_err(answer)?.tags),
            version_id: None,
        }))
    }

    pub(super) async fn set_tags(
        &self,
        asked: S3Request<PutObjectTaggingInput>,
    ) -> S3Result<S3Response<PutObjectTaggingOutput>> {
        let tags = of_set(asked.input.tagging.tag_set)?;
        self.use_tags(&asked.input.bucket, &asked.input.key, tags).await?;
        Ok(S3Response::new(PutObjectTaggingOutput::default()))
    }

    pub(super) async fn delete_tags(
        &self,
        asked: S3Request<DeleteObjectTaggingInput>,
    ) -> S3Result<S3Response<DeleteObjectTaggingOutput>> {
        self.use_tags(&asked.input.bucket, &asked.input.key, Tags::new())
            .await?;
        Ok(S3Response::new(DeleteObjectTaggingOutput::default()))
    }

    async fn use_tags(&self, bucket: &str, name: &str, tags: Tags) -> S3Result<()> {
        let bucket = self.bucket(bucket)?.name;
        let key = key(name)?;
        self.index
            .write(Vec::new(), move |change| change.set_tags(&bucket, &key, &tags))
            .await
            .map_err(answer)
    }
}
