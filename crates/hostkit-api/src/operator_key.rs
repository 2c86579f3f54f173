//! Keys of operators: who may log in as a project's account. They come in whole and are shown by fingerprint.

use hostkit_core::traits::OperatorKey;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A key to be let in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOperatorKey {
    /// The one line of a `.pub` file.
    pub key: String,
}

impl std::fmt::Debug for NewOperatorKey {
    /// A private key, sent by mistake, is printed nowhere.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewOperatorKey").finish_non_exhaustive()
    }
}

/// A key that may log in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AddedOperatorKey {
    /// The key.
    #[serde(flatten)]
    pub key: OperatorKey,
    /// Whether it was not in before.
    pub is_new: bool,
}

/// A key to be taken away.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WhichOperatorKey {
    /// Its fingerprint, its comment, or the line of its `.pub` file.
    pub key: String,
}

impl std::fmt::Debug for WhichOperatorKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WhichOperatorKey").finish_non_exhaustive()
    }
}
