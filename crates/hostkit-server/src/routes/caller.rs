//! Who calls.

use hostkit_api::caller::{Caller, KnownBy};
use hostkit_api::endpoints::GetCaller;
use hostkit_core::access::Identity;
use hostkit_core::kind::{Failure, Kind};

use crate::auth::Admitted;

pub(crate) async fn get(call: Admitted<GetCaller>, (): ()) -> Result<Caller, Failure> {
    let caller = call.caller().ok_or_else(|| {
        Failure::new(
            Kind::Internal,
            "cannot say who calls: the call was let in without a caller",
        )
    })?;
    let (known_by, name) = match &caller.identity {
        Identity::Token(name) => (KnownBy::Token, name),
        Identity::Account(name) => (KnownBy::Account, name),
    };
    Ok(Caller {
        known_by,
        name: name.clone(),
        role: caller.role,
        project: caller.project.clone(),
    })
}
