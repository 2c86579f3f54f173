//! Domains: host names of environments. What is shown of them is the noun of the core itself.

use hostkit_core::domain::Domain;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A domain to be added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDomain {
    /// Its name, such as `shop.example.com`: one whole name, or all of one label below it as `*.shop.example.com`.
    pub domain: String,
}

/// A domain that the environment has now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AddedDomain {
    /// The domain.
    #[serde(flatten)]
    pub domain: Domain,
    /// Whether it was not there before.
    pub is_new: bool,
}
