//! Variables: names for whoever may look, values only where one is asked for or all are exported.

use std::collections::{BTreeMap, BTreeSet};

use hostkit_core::names::VariableName;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A variable, without its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Variable {
    /// Its name.
    pub name: VariableName,
    /// When it was last set.
    pub updated_at: Timestamp,
}

/// A change of a variable, without its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VariableChange {
    /// Its name.
    pub name: VariableName,
    /// Whether it was removed (else set).
    pub removed: bool,
    /// When.
    pub at: Timestamp,
    /// The token or account that asked.
    pub by: String,
}

/// Which changes of variables.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HistoryQuery {
    /// Of this variable alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<VariableName>,
}

/// A change of several variables, made as a whole or not at all.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VariableChanges {
    /// New values by name.
    #[serde(default)]
    pub set: BTreeMap<VariableName, String>,
    /// Names to remove.
    #[serde(default)]
    pub unset: BTreeSet<VariableName>,
}

impl std::fmt::Debug for VariableChanges {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VariableChanges")
            .field("set", &self.set.keys().collect::<Vec<_>>())
            .field("unset", &self.unset)
            .finish()
    }
}

/// The value of one variable.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VariableValue {
    /// Its name.
    pub name: VariableName,
    /// Its value.
    pub value: String,
}

impl std::fmt::Debug for VariableValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VariableValue")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
