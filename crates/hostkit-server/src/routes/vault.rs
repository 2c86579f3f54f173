//! The vault.

use hostkit_api::endpoints::RotateMasterKey;
use hostkit_api::vault::RotatedKey;
use hostkit_core::kind::Failure;

use crate::auth::Admitted;

pub(crate) async fn rotate(call: Admitted<RotateMasterKey>, (): ()) -> Result<RotatedKey, Failure> {
    let rotated = call.shared().engine.rotate_master_key(call.by()).await?;
    tracing::info!(by = call.by(), values = rotated.values, "Rotated the master key");
    Ok(RotatedKey {
        key: rotated.key,
        values: rotated.values,
    })
}
