//! How a storage is, as it tells whoever runs it: which settings are in force, what its buckets hold, and their rules.

use hostkit_core::storage::BucketRules;
use serde::{Deserialize, Serialize};

use super::error::Result;
use super::index::usage;
use super::s3::{Storage, blocking};

/// How a storage is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The digest of the settings in force ([`super::settings::Settings::digest`]).
    pub settings: String,
    /// The buckets of the settings.
    pub buckets: Vec<BucketState>,
}

/// How a bucket is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketState {
    /// Its name.
    pub name: String,
    /// How many objects it holds.
    pub objects: u64,
    /// Bytes of them, and of parts of uploads that are not completed.
    pub bytes: u64,
    /// Its rules.
    pub rules: BucketRules,
}

impl Storage {
    /// How it is.
    pub async fn state(&self) -> Result<State> {
        let settings = self.settings();
        let mut buckets = Vec::with_capacity(settings.buckets.len());
        for bucket in &settings.buckets {
            let (index, name) = (self.index().clone(), bucket.name.clone());
            let used = blocking(move || index.read(|connection| usage(connection, &name))).await?;
            buckets.push(BucketState {
                name: bucket.name.as_str().to_owned(),
                objects: used.objects,
                bytes: used.bytes,
                rules: BucketRules {
                    cors: self.cors_rules(&bucket.name).await?,
                    lifecycle: self.lifecycle_rules(&bucket.name).await?,
                },
            });
        }
        Ok(State {
            settings: settings.digest(),
            buckets,
        })
    }
}
