//! Domains of environments.

use hostkit_api::domain::{AddedDomain, NewDomain};
use hostkit_api::endpoints::{AddDomain, CheckDomain, ListDomains, RemoveDomain};
use hostkit_core::domain::{Domain, DomainReport};
use hostkit_core::kind::Failure;

use crate::auth::Admitted;

pub(crate) async fn list(call: Admitted<ListDomains>, (): ()) -> Result<Vec<Domain>, Failure> {
    call.shared().engine.domains(call.target())
}

pub(crate) async fn add(call: Admitted<AddDomain>, new: NewDomain) -> Result<AddedDomain, Failure> {
    let engine = &call.shared().engine;
    let (domain, is_new) = engine.add_domain(call.target(), &new.domain, call.by()).await?;
    Ok(AddedDomain { domain, is_new })
}

pub(crate) async fn remove(call: Admitted<RemoveDomain>, (): ()) -> Result<(), Failure> {
    let target = call.target();
    let engine = &call.shared().engine;
    engine
        .remove_domain(&target.environment, &target.domain, call.by())
        .await
}

pub(crate) async fn check(call: Admitted<CheckDomain>, (): ()) -> Result<DomainReport, Failure> {
    let target = call.target();
    let engine = &call.shared().engine;
    engine.check_domain(&target.environment, &target.domain).await
}
