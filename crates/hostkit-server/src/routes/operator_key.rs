//! Keys of operators.

use hostkit_api::endpoints::{AddOperatorKey, ListOperatorKeys, RemoveOperatorKey};
use hostkit_api::operator_key::{AddedOperatorKey, NewOperatorKey, WhichOperatorKey};
use hostkit_core::kind::Failure;
use hostkit_core::traits::OperatorKey;

use crate::auth::Admitted;

pub(crate) async fn list(call: Admitted<ListOperatorKeys>, (): ()) -> Result<Vec<OperatorKey>, Failure> {
    call.shared().engine.operator_keys(call.target()).await
}

pub(crate) async fn add(
    call: Admitted<AddOperatorKey>,
    new: NewOperatorKey,
) -> Result<AddedOperatorKey, Failure> {
    let engine = &call.shared().engine;
    let (key, is_new) = engine
        .add_operator_key(call.target(), &new.key, call.by())
        .await?;
    Ok(AddedOperatorKey { key, is_new })
}

pub(crate) async fn remove(
    call: Admitted<RemoveOperatorKey>,
    which: WhichOperatorKey,
) -> Result<OperatorKey, Failure> {
    let engine = &call.shared().engine;
    engine
        .remove_operator_key(call.target(), &which.key, call.by())
        .await
}
