//! Backups in a bucket of any storage that speaks S3.
//!
//! A file is one object. It is there when the storage says so and not before: a short one is sent at once, a long one in
//! parts that become an object together. What was begun and not finished is taken back. A process that is killed in the
//! middle leaves parts, which only a rule of the bucket takes away (`AbortIncompleteMultipartUpload`).

mod client;
mod trouble;
mod upload;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt, stream};
use hostkit_core::backup::target::S3Settings;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::BackupPath;
use hostkit_core::traits::{BackupTarget, Pieces, StoredFile};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, ObjectStoreExt, RetryConfig};
use tokio::sync::Mutex;

use client::Connector;
use trouble::Trouble;

/// How long a storage is waited for, and how often it is asked.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For a connection.
    pub connect: Duration,
    /// While nothing moves in either direction.
    pub silence: Duration,
    /// How often a request is sent again that failed for reasons that may pass.
    pub retries: usize,
    /// The longest pause before it is.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience {
            connect: Duration::from_secs(10),
            silence: Duration::from_secs(60),
            retries: 4,
            pause: Duration::from_secs(10),
        }
    }
}

/// Keeps files of backups as objects of a bucket. Clones share what they have open.
#[derive(Debug, Clone)]
pub struct S3Target {
    store: Arc<AmazonS3>,
    place: String,
    prefix: Option<BackupPath>,
    /// Held while an object appears and is looked at, so that what is seen is what was sent, also when one name is
    /// written twice at once.
    appearing: Arc<Mutex<()>>,
}

impl S3Target {
    /// The target in a bucket, which must be there.
    pub fn open(settings: &S3Settings) -> Result<Self, Failure> {
        Self::with_patience(settings, Patience::default())
    }

    /// The same, with other times to wait.
    pub fn with_patience(settings: &S3Settings, patience: Patience) -> Result<Self, Failure> {
        let cannot = |why: String| {
            Failure::new(
                Kind::Internal,
                format!("cannot use `{}` for backups: {why}", settings.place()),
            )
        };
        let retry = RetryConfig {
            backoff: BackoffConfig {
                init_backoff: patience.pause.min(Duration::from_millis(200)),
                max_backoff: patience.pause,
                base: 2.0,
            },
            max_retries: patience.retries,
            retry_timeout: (patience.silence + patience.pause) * 3,
        };
        // Asked by its path: also storages without names of their own for buckets understand that. Removed one by
        // one: not every storage removes many at once.
        let store = AmazonS3Builder::new()
            .with_endpoint(settings.endpoint())
            .with_bucket_name(settings.bucket())
            .with_region(settings.region())
            .with_access_key_id(settings.access_key_id())
            .with_secret_access_key(settings.secret_access_key().reveal())
            .with_virtual_hosted_style_request(false)
            .with_disable_bulk_delete(true)
            .with_client_options(ClientOptions::new().with_allow_http(settings.is_plain()))
            .with_retry(retry)
            .with_http_connector(Connector::new(patience).map_err(&cannot)?)
            .build()
            .map_err(|why| cannot(why.to_string()))?;
        Ok(S3Target {
            store: Arc::new(store),
            place: settings.place(),
            prefix: settings.prefix().cloned(),
            appearing: Arc::default(),
        })
    }

    fn key(&self, path: &BackupPath) -> Path {
        match &self.prefix {
            Some(prefix) => Path::from(format!("{prefix}/{path}")),
            None => Path::from(path.as_str()),
        }
    }

    /// The name of a file, from the key of its object.
    fn name(&self, key: &Path) -> Option<BackupPath> {
        let key = key.as_ref();
        let name = match &self.prefix {
            Some(prefix) => key.strip_prefix(prefix.as_str())?.strip_prefix('/')?,
            None => key,
        };
        BackupPath::parse(name).ok()
    }

    fn failure(&self, act: &str, path: Option<&BackupPath>, why: &object_store::Error) -> Failure {
        Trouble::of(why).failure(act, path, &self.place)
    }
}

#[async_trait]
impl BackupTarget for S3Target {
    fn place(&self) -> String {
        self.place.clone()
    }

    async fn put(&self, path: &BackupPath, pieces: Pieces) -> Result<u64, Failure> {
        upload::put(self.clone(), path.clone(), pieces).await
    }

    async fn get(&self, path: &BackupPath) -> Result<Pieces, Failure> {
        let found = self.store.get(&self.key(path)).await;
        let found = found.map_err(|why| self.failure("read the backup", Some(path), &why))?;
        let (wanted, place) = (found.meta.size, format!("`{path}` of `{}`", self.place));
        let begin = (found.into_stream(), 0_u64, place);
        let pieces = stream::try_unfold(begin, move |(mut content, sofar, place)| async move {
            match content.next().await {
                Some(Ok(piece)) => {
                    let sofar = sofar + piece.len() as u64;
                    Ok(Some((piece.to_vec(), (content, sofar, place))))
                }
                Some(Err(why)) => Err(Trouble::of(&why).into_io(&place)),
                None if sofar == wanted => Ok(None),
                None => Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    format!("{place} ends after {sofar} of {wanted} bytes"),
                )),
            }
        });
        Ok(Box::pin(pieces))
    }

    async fn list(&self, folder: Option<&BackupPath>) -> Result<Vec<StoredFile>, Failure> {
        let below = match (folder, &self.prefix) {
            (Some(folder), _) => Some(self.key(folder)),
            (None, Some(prefix)) => Some(Path::from(prefix.as_str())),
            (None, None) => None,
        };
        let found: Vec<_> = self
            .store
            .list(below.as_ref())
            .try_collect()
            .await
            .map_err(|why| self.failure("list the backups", folder, &why))?;
        let mut files: Vec<StoredFile> = found
            .into_iter()
            .filter_map(|object| {
                Some(StoredFile {
                    path: self.name(&object.location)?,
                    bytes: object.size,
                })
            })
            .collect();
        files.sort_unstable();
        Ok(files)
    }

    async fn remove(&self, path: &BackupPath) -> Result<(), Failure> {
        match self.store.delete(&self.key(path)).await {
            Err(why) if !Trouble::of(&why).is_missing() => {
                Err(self.failure("remove the backup", Some(path), &why))
            }
            _ => Ok(()),
        }
    }
}
