//! Buckets.

use hostkit_api::endpoints::{GetBucket, SetBucketPolicy};
use hostkit_core::kind::Failure;
use hostkit_core::storage::{BucketPolicy, BucketReport};

use crate::auth::Admitted;

pub(crate) async fn get(call: Admitted<GetBucket>, (): ()) -> Result<BucketReport, Failure> {
    call.shared().engine.bucket(call.target()).await
}

pub(crate) async fn set_policy(
    call: Admitted<SetBucketPolicy>,
    policy: BucketPolicy,
) -> Result<BucketReport, Failure> {
    let engine = &call.shared().engine;
    let report = engine
        .set_bucket_policy(call.target(), &policy, call.by())
        .await?;
    tracing::info!(by = call.by(), environment = %call.target(), "Changed the bucket");
    Ok(report)
}
