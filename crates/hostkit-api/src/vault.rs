//! The vault: what stored values are encrypted with.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A master key that replaced another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RotatedKey {
    /// What it is told from others by. Says nothing of the key.
    pub key: String,
    /// How many values were encrypted again.
    pub values: u64,
}
