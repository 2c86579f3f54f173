//! Certificates that are only remembered.

use std::sync::{Arc, Mutex};

use hostkit_core::certificate::{
    BroughtCertificate, CertificateName, CertificateSource, CertificateState, CertificateStatus,
};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::traits::CertificateBook;

use super::Faults;
use super::faults::locked;

/// Takes each line of a chain for a name. Faults: `"certificates"`, `"import"`, `"renew"`, `"remove"`. Clones share one
/// state.
#[derive(Clone, Default)]
pub struct FakeCertificates {
    names: Arc<Mutex<Vec<CertificateName>>>,
    /// Faults by method.
    pub faults: Faults,
}

impl FakeCertificates {
    fn known(&self, verb: &str, name: &CertificateName) -> Result<usize, Failure> {
        let at = locked(&self.names).iter().position(|known| known == name);
        at.ok_or_else(|| Failure::new(Kind::NotFound, format!("cannot {verb} `{name}`: there is none")))
    }
}

#[async_trait::async_trait]
impl CertificateBook for FakeCertificates {
    async fn certificates(&self) -> Result<Vec<CertificateStatus>, Failure> {
        self.faults.pass("certificates").await?;
        let names = locked(&self.names);
        let status = |name: &CertificateName| CertificateStatus {
            name: name.clone(),
            source: CertificateSource::Imported,
            issuer: Some("Nobody".into()),
            not_before: None,
            not_after: None,
            renewal: None,
            state: CertificateState::Served,
            trouble: None,
            shown_instead: None,
        };
        Ok(names.iter().map(status).collect())
    }

    async fn import(&self, brought: &BroughtCertificate) -> Result<Vec<CertificateName>, Failure> {
        self.faults.pass("import").await?;
        let wrong = |why| Failure::new(Kind::Invalid, format!("cannot import the certificate: {why}"));
        let names = brought.chain.lines().map(|line| line.parse().map_err(wrong));
        let names: Vec<CertificateName> = names.collect::<Result<_, _>>()?;
        let is_foreign = |name: &&CertificateName| {
            let only = brought.only.as_ref();
            only.is_some_and(|only| !only.contains(name))
        };
        if let Some(name) = names.iter().find(is_foreign) {
            return Err(Failure::new(
                Kind::Denied,
                format!("cannot import the certificate: it is for `{name}`"),
            ));
        }
        let mut known = locked(&self.names);
        known.retain(|name| !names.contains(name));
        known.extend(names.iter().cloned());
        Ok(names)
    }

    async fn renew(&self, name: &CertificateName) -> Result<(), Failure> {
        self.faults.pass("renew").await?;
        self.known("renew", name).map(drop)
    }

    async fn remove(&self, name: &CertificateName) -> Result<(), Failure> {
        self.faults.pass("remove").await?;
        let at = self.known("remove", name)?;
        locked(&self.names).remove(at);
        Ok(())
    }
}
