//! How a storage is, as it tells whoever runs it: which settings are in force, and what its buckets hold.

use serde::{Deserialize, Serialize};

use super::error::Result;
use super::index::usage;
use super::s3::{Storage, blocking};
use super::settings::Settings;

/// How a storage is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// [`Settings::digest`] of the settings in force.
    pub settings: String,
    /// The buckets of the settings.
    pub buckets: Vec<BucketState>,
}

/// What a bucket holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketState {
    /// Its name.
    pub name: String,
    /// How many objects.
    pub objects: u64,
    /// Bytes of them, and of parts of uploads that are not completed.
    pub bytes: u64,
}

impl Storage {
    /// How it is.
    pub async fn state(&self) -> Result<State> {
        let settings = self.settings();
        let storage = self.clone();
        blocking(move || {
            let buckets = settings.buckets.iter().map(|bucket| {
                let used = storage
                    .index()
                    .read(|connection| usage(connection, &bucket.name))?;
                Ok(BucketState {
                    name: bucket.name.as_str().to_owned(),
                    objects: used.objects,
                    bytes: used.bytes,
                })
            });
            Ok(State {
                buckets: buckets.collect::<Result<_>>()?,
                settings: Settings::digest(&settings),
            })
        })
        .await
    }
}
