//! The front door's cache.

use hostkit_api::cache::CachePurge;
use hostkit_api::endpoints::PurgeCache;
use hostkit_core::kind::Failure;
use hostkit_core::route::Purged;

use crate::auth::Admitted;

pub(crate) async fn purge(call: Admitted<PurgeCache>, purge: CachePurge) -> Result<Purged, Failure> {
    call.shared().engine.purge(call.target(), purge.path).await
}
