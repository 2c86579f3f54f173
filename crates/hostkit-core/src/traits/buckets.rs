//! What is asked of an add-on that keeps objects in a bucket.

use crate::addon::AddonOrder;
use crate::kind::Failure;
use crate::storage::{BucketReport, BucketRules};

/// The work on buckets of add-ons. Calls may overlap.
#[async_trait::async_trait]
pub trait Buckets: Send + Sync {
    /// What the bucket holds, and what is so in it. Changes nothing.
    async fn report(&self, order: &AddonOrder) -> Result<BucketReport, Failure>;

    /// Makes these, which were checked, the rules of the bucket. On the disk when it returns.
    async fn set_rules(&self, order: &AddonOrder, rules: &BucketRules) -> Result<(), Failure>;
}
