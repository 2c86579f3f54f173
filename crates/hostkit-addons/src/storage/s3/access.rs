//! Who may do what: who has a pair of keys of the settings, everything with its buckets; who has none, read what is
//! public.

use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::host::{S3Host, VirtualHost};
use s3s::{S3ErrorCode, S3Result};

use super::{Storage, answer, answer_to};
use crate::storage::error::StorageError;

#[async_trait::async_trait]
impl S3Auth for Storage {
    async fn get_secret_key(&self, access: &str) -> S3Result<SecretKey> {
        self.settings()
            .keys
            .iter()
            .find(|key| key.access == access)
            .map(|key| SecretKey::from(key.secret.reveal()))
            .ok_or_else(|| answer_to(S3ErrorCode::InvalidAccessKeyId, "There is no such access key."))
    }
}

#[async_trait::async_trait]
impl S3Access for Storage {
    async fn check(&self, asked: &mut S3AccessContext<'_>) -> S3Result<()> {
        if asked.credentials().is_some() {
            // Which buckets there are is no secret for who has a key.
            return match asked.s3_path().get_bucket_name() {
                Some(name)
                    if self.settings().bucket(name).is_none() && asked.s3_op().name() != "CreateBucket" =>
                {
                    Err(answer(StorageError::NoSuchBucket))
                }
                _ => Ok(()),
            };
        }
        let denied = || answer_to(S3ErrorCode::AccessDenied, "Access denied.");
        let (bucket, key) = asked.s3_path().as_object().ok_or_else(denied)?;
        let settings = self.settings();
        let is_public = settings
            .bucket(bucket)
            .is_some_and(|bucket| bucket.is_public(key));
        // Who chooses the headers of an answer can make a page of a picture: only who has a key may.
        let has_query = asked
            .uri()
            .query()
            .is_some_and(|query| !query.is_empty() && query != "x-id=GetObject");
        if is_public && !has_query && ["GetObject", "HeadObject"].contains(&asked.s3_op().name()) {
            return Ok(());
        }
        Err(denied())
    }
}

impl S3Host for Storage {
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        let settings = self.settings();
        Ok(match bucket_of_host(&settings.hosts, host) {
            Some(bucket) => VirtualHost::new(host).with_bucket(bucket.to_owned()),
            None => VirtualHost::new(host),
        })
    }
}

/// The bucket that stands before one of our names in a `Host` header.
pub(in crate::storage) fn bucket_of_host<'a>(ours: &[String], host: &'a str) -> Option<&'a str> {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    ours.iter()
        .filter_map(|ours| name.strip_suffix(ours.as_str())?.strip_suffix('.'))
        .find(|bucket| !bucket.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_stands_before_a_name_of_ours() {
        let ours = ["s3.localhost".to_owned()];
        let cases = [
            ("shop.s3.localhost", Some("shop")),
            ("a.b.s3.localhost:9000", Some("a.b")),
            ("s3.localhost", None),
            ("shops3.localhost", None),
            (".s3.localhost", None),
            ("shop.example.com", None),
            ("127.0.0.1:9000", None),
        ];
        for (host, bucket) in cases {
            assert_eq!(bucket_of_host(&ours, host), bucket, "{host}");
        }
    }
}
