//! Certificates: brought with their keys, which are in no answer. What is shown of them is the noun of the core itself.

use hostkit_core::certificate::CertificateName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A certificate to be imported.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCertificate {
    /// The certificate and those that issued it, as PEM, in any order.
    pub chain: String,
    /// Its private key, as PEM without a password.
    pub key: String,
}

impl std::fmt::Debug for NewCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewCertificate").finish_non_exhaustive()
    }
}

/// A certificate that was imported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ImportedCertificate {
    /// The names it is shown for.
    pub names: Vec<CertificateName>,
}
