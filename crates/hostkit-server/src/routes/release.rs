//! Releases.

use hostkit_api::endpoints::ListReleases;
use hostkit_api::release::Release;
use hostkit_core::kind::Failure;

use crate::auth::Admitted;
use crate::view;

pub(crate) async fn list(call: Admitted<ListReleases>, (): ()) -> Result<Vec<Release>, Failure> {
    let store = call.shared().store();
    let environment = store.environment(call.target())?;
    let releases = store.releases(call.target())?.into_iter();
    Ok(releases
        .map(|release| view::release(release, &environment))
        .collect())
}
