//! The S3 service: what `s3s` parsed and whose signature it checked is done here, with the index and the files. One file
//! per noun; [`operations`] is the list of what there is.

mod access;
mod copies;
mod details;
mod digests;
mod failure;
mod lists;
mod objects;
mod operations;
mod receive;
mod removals;
mod rules;
mod send;
mod tags;
mod uploads;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use s3s::config::{S3Config, StaticConfigProvider};
use s3s::dto::Timestamp;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3Error, S3ErrorCode, S3Result};

use super::contents::Contents;
use super::error::{Result, StorageError};
use super::index::Index;
use super::names::{BucketName, ObjectKey};
use super::place;
use super::settings::{BucketSettings, Settings};
pub(super) use access::bucket_of_host;
use failure::{answer, answer_to};

/// The largest body that is XML, in bytes: 10,000 parts with checksums, or 1000 keys to be removed.
const LARGEST_XML: usize = 8 << 20;

/// A storage: its index, its files, its settings. Clones are handles to the same one.
#[derive(Clone)]
pub struct Storage {
    index: Index,
    contents: Contents,
    settings: Arc<RwLock<Arc<Settings>>>,
    /// Held while a copy is brought in: one at a time.
    pub(super) bringing_in: Arc<tokio::sync::Mutex<()>>,
}

impl Storage {
    /// Opens the folder of the settings, and makes in it what is missing. One process may have it open at a time; the
    /// server sees to that. Blocks.
    pub fn open(settings: Settings) -> Result<Self> {
        let place = place::Place::ensure(&settings.folder)?;
        let contents = Contents::open(place.contents(), settings.reserve)?;
        let index = place.index();
        if !index.exists() && contents.has_files()? {
            // A new one would know none of the files, and all would be swept away.
            return Err(StorageError::Damaged(
                "it is gone, and files that it knew are there",
            ));
        }
        let index = Index::open(&index, contents.clone())?;
        Ok(Storage {
            index,
            contents,
            settings: Arc::new(RwLock::new(Arc::new(settings))),
            bringing_in: Arc::default(),
        })
    }

    /// Makes the buckets of the settings, where they are not there yet.
    pub async fn ensure_buckets(&self) -> Result<()> {
        let names: Vec<BucketName> = self
            .settings()
            .buckets
            .iter()
            .map(|one| one.name.clone())
            .collect();
        let now = now();
        self.index
            .write(Vec::new(), move |change| {
                names.iter().try_for_each(|name| change.ensure_bucket(name, now))
            })
            .await
    }

    /// Uses other keys, buckets and limits from the next request on. Folder and address stay as they were at the start.
    pub fn use_settings(&self, settings: Settings) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
    }

    /// What is used at the moment.
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The index.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// The files.
    pub fn contents(&self) -> &Contents {
        &self.contents
    }

    /// The protocol, in front of this storage.
    pub fn service(&self) -> S3Service {
        let mut config = S3Config::default();
        config.xml_max_body_size = LARGEST_XML;
        let mut service = S3ServiceBuilder::new(self.clone());
        service.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
        service.set_auth(self.clone());
        service.set_access(self.clone());
        service.set_host(self.clone());
        service.build()
    }

    /// A bucket of the settings.
    fn bucket(&self, name: &str) -> S3Result<BucketSettings> {
        self.settings()
            .bucket(name)
            .cloned()
            .ok_or_else(|| answer(StorageError::NoSuchBucket))
    }
}

/// Does what blocks where it may.
pub(super) async fn blocking<T: Send + 'static>(
    act: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(act).await {
        Ok(done) => done,
        Err(why) => Err(StorageError::NotRecorded(why.to_string())),
    }
}

/// The time, in milliseconds since 1970.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn key(text: &str) -> S3Result<ObjectKey> {
    ObjectKey::parse(text).ok_or_else(|| {
        let code = if text.len() > ObjectKey::LONGEST {
            S3ErrorCode::KeyTooLongError
        } else {
            S3ErrorCode::InvalidArgument
        };
        S3Error::with_message(code, "A key is 1 to 1024 bytes of UTF-8 without the byte 0.")
    })
}

/// A time as the protocol has it.
fn timestamp(millis: i64) -> Timestamp {
    let since = std::time::Duration::from_millis(u64::try_from(millis).unwrap_or_default());
    Timestamp::from(UNIX_EPOCH + since)
}

/// A time of the protocol, in milliseconds since 1970.
fn millis(time: &Timestamp) -> i64 {
    let time: time::OffsetDateTime = time.clone().into();
    i64::try_from(time.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}
