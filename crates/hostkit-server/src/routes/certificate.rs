//! Certificates of the front door.

use hostkit_api::certificate::{ImportedCertificate, NewCertificate};
use hostkit_api::endpoint::Call;
use hostkit_api::endpoints::{ImportCertificate, ListCertificates, RemoveCertificate, RenewCertificate};
use hostkit_core::access::Caller;
use hostkit_core::certificate::CertificateStatus;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::secret::Secret;

use crate::auth::Admitted;

pub(crate) async fn list(
    call: Admitted<ListCertificates>,
    (): (),
) -> Result<Vec<CertificateStatus>, Failure> {
    call.shared().engine.certificates(known(&call)?).await
}

pub(crate) async fn import(
    call: Admitted<ImportCertificate>,
    new: NewCertificate,
) -> Result<ImportedCertificate, Failure> {
    let (engine, key) = (&call.shared().engine, Secret::new(new.key));
    let names = engine.import_certificate(new.chain, key, known(&call)?).await?;
    Ok(ImportedCertificate { names })
}

pub(crate) async fn remove(call: Admitted<RemoveCertificate>, (): ()) -> Result<(), Failure> {
    let engine = &call.shared().engine;
    engine.remove_certificate(call.target(), known(&call)?).await
}

pub(crate) async fn renew(call: Admitted<RenewCertificate>, (): ()) -> Result<(), Failure> {
    let engine = &call.shared().engine;
    engine.renew_certificate(call.target(), known(&call)?).await
}

/// Whose hosts count. Nobody is let in here without being known.
fn known<C: Call>(call: &Admitted<C>) -> Result<&Caller, Failure> {
    let unknown = || Failure::new(Kind::Unauthenticated, "cannot answer: nobody is known to call");
    call.caller().ok_or_else(unknown)
}
