//! The certificates of the front door, as the engine sees them.

use crate::certificate::{BroughtCertificate, CertificateName, CertificateStatus};
use crate::kind::Failure;

/// Sees to the certificates that the front door shows.
#[async_trait::async_trait]
pub trait CertificateBook: Send + Sync {
    /// How every certificate is.
    async fn certificates(&self) -> Result<Vec<CertificateStatus>, Failure>;

    /// Takes a certificate, shown at once; for which names. One that is for a name it may not be for is Denied, and
    /// nothing of it is taken.
    async fn import(&self, brought: &BroughtCertificate) -> Result<Vec<CertificateName>, Failure>;

    /// Orders the certificate of a name now.
    async fn renew(&self, name: &CertificateName) -> Result<(), Failure>;

    /// Forgets a certificate that was brought, for one name of it.
    async fn remove(&self, name: &CertificateName) -> Result<(), Failure>;
}
