//! Objects removed: one, or up to a thousand at once.

use s3s::dto::{
    DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, Error,
};
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result};

use super::objects::is_version;
use super::{Storage, answer, answer_to, details, key};
use crate::storage::error::StorageError;
use crate::storage::index::Condition;
use crate::storage::names::ObjectKey;

/// How many objects one request removes at most, as S3 has it.
const MOST: usize = 1000;

impl Storage {
    pub(super) async fn delete(
        &self,
        asked: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let input = asked.input;
        let bucket = self.bucket(&input.bucket)?.name;
        let key = key(&input.key)?;
        details::refuse(&[
            ("conditions on the size", input.if_match_size.is_some()),
            (
                "conditions on the time",
                input.if_match_last_modified_time.is_some(),
            ),
        ])?;
        if is_version(input.version_id.as_deref()) {
            return Err(answer_to(
                S3ErrorCode::NoSuchVersion,
                "There are no versions here.",
            ));
        }
        let condition = details::condition(input.if_match.as_ref(), None)?;
        self.index
            .write(Vec::new(), move |change| change.delete(&bucket, &key, &condition))
            .await
            .map_err(answer)?;
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    pub(super) async fn delete_many(
        &self,
        asked: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let input = asked.input;
        let bucket = self.bucket(&input.bucket)?.name;
        if input.delete.objects.is_empty() || input.delete.objects.len() > MOST {
            return Err(answer_to(
                S3ErrorCode::MalformedXML,
                "1 to 1000 objects are removed at once.",
            ));
        }
        let mut wanted = Vec::new();
        let mut errors = Vec::new();
        for object in input.delete.objects {
            let is_refused = is_version(object.version_id.as_deref())
                || object.size.is_some()
                || object.last_modified_time.is_some();
            match ObjectKey::parse(&object.key) {
                Some(key) if !is_refused => {
                    let condition = object.e_tag.map(|etag| Condition::Etag(etag.into_value()));
                    wanted.push((key, condition.unwrap_or_default()));
                }
                _ => errors.push(error(
                    object.key,
                    S3ErrorCode::InvalidArgument.as_str(),
                    "Not a key, or a condition that is not there.",
                )),
            }
        }
        let done = self
            .index
            .write(Vec::new(), move |change| {
                let mut done = Vec::new();
                for (key, condition) in wanted {
                    match change.delete(&bucket, &key, &condition) {
                        Ok(_) => done.push((key, None)),
                        // Judged before anything was changed.
                        Err(why @ (StorageError::Precondition | StorageError::NoSuchKey)) => {
                            done.push((key, Some(why)))
                        }
                        Err(why) => return Err(why),
                    }
                }
                Ok(done)
            })
            .await
            .map_err(answer)?;
        let mut deleted = Vec::new();
        for (key, why) in done {
            let name = key.as_str().to_owned();
            match why.map(answer) {
                None => deleted.push(DeletedObject {
                    key: Some(name),
                    ..DeletedObject::default()
                }),
                Some(why) => errors.push(error(name, why.code().as_str(), "The condition does not hold.")),
            }
        }
        let is_quiet = input.delete.quiet.unwrap_or(false);
        Ok(S3Response::new(DeleteObjectsOutput {
            deleted: (!is_quiet).then_some(deleted),
            errors: (!errors.is_empty()).then_some(errors),
            ..DeleteObjectsOutput::default()
        }))
    }
}

fn error(key: String, code: &str, message: &str) -> Error {
    Error {
        code: Some(code.to_owned()),
        key: Some(key),
        message: Some(message.to_owned()),
        version_id: None,
    }
}
