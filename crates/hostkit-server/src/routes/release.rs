//! Releases.

use hostkit_api::endpoints::ListReleases;
use hostkit_api::release::Release;
use hostkit_core::kind::Failure;

use crate::auth::Admitted;
use crate::view;

pub(crate) async fn list(call: Admitted<ListReleases>, (): ()) -> Result<Vec<Release>, Failure> {
    let store = call.shared().store();
    let live = store.environment(call.target())?.live;
    let releases = store.releases(call.target())?.into_iter();
    Ok(releases
        .map(|release| {
            let is_live = live.as_ref().is_some_and(|live| live.release == release.name);
            view::release(release, is_live)
        })
        .collect())
}
