//! Storage: the bucket of an environment, what it holds, and what is so in it.

pub mod cors;
pub mod keys;
pub mod lifecycle;
pub mod listing;
pub mod signature;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kind::{Failure, Kind};
use crate::size::ByteSize;
use cors::CorsRule;
use lifecycle::LifecycleRule;

/// Below this path of an environment's hosts, what is public in its bucket is read: `/_hostkit/storage/KEY`.
pub const PUBLIC_PATH: &str = "/_hostkit/storage";
/// CORS rules that a bucket may have, as S3 has it.
pub const MOST_CORS: usize = 100;
/// Life-cycle rules that a bucket may have, as S3 has it.
pub const MOST_LIFECYCLE: usize = 1000;

/// The rules of a bucket that clients may set, too, by S3.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BucketRules {
    /// Which pages of other origins may use it. The first rule that fits counts.
    #[serde(default)]
    pub cors: Vec<CorsRule>,
    /// Which objects expire, and which uploads are given up.
    #[serde(default)]
    pub lifecycle: Vec<LifecycleRule>,
}

impl BucketRules {
    /// Refuses what could not be kept or followed.
    pub fn check(&self) -> Result<(), Failure> {
        let refused = |why: &str| {
            let message = format!("cannot set the rules of the bucket: {why}");
            Err(Failure::new(Kind::Invalid, message))
        };
        if self.cors.len() > MOST_CORS || self.lifecycle.len() > MOST_LIFECYCLE {
            return refused("a bucket has at most 100 CORS rules and 1000 life-cycle rules");
        }
        let cors = self.cors.iter().find_map(CorsRule::fault);
        match cors.or_else(|| self.lifecycle.iter().find_map(LifecycleRule::fault)) {
            Some(why) => refused(why),
            None => Ok(()),
        }
    }
}

/// What is so in a bucket: all of it is set at once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BucketPolicy {
    /// The most bytes its objects may take; what the disk has where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<ByteSize>,
    /// Objects whose keys begin with one of these are read by anybody. An empty one: all.
    #[serde(default)]
    pub public: Vec<String>,
    /// The rules that clients may set, too.
    #[serde(default)]
    pub rules: BucketRules,
}

/// A bucket as it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BucketReport {
    /// Its name.
    pub bucket: String,
    /// Where what is public in it is read: this, `/` and the key.
    pub public_url: String,
    /// How many objects it holds.
    pub objects: u64,
    /// Bytes of them, and of parts of uploads that are not completed.
    pub bytes: u64,
    /// What is so in it; nothing is told of one that is kept elsewhere.
    pub policy: BucketPolicy,
    /// Whether somebody else keeps it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub outside: bool,
}
