//! What programs printed.

use hostkit_api::endpoints::GetLogs;
use hostkit_core::kind::Failure;
use hostkit_core::traits::LogLines;

use crate::auth::Admitted;

pub(crate) async fn get(call: Admitted<GetLogs>) -> Result<LogLines, Failure> {
    let shared = call.shared();
    shared.store().environment(call.target())?;
    shared
        .engine
        .logs(call.target(), &call.query().clone().into())
        .await
}
