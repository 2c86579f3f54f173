//! Databases of environments: what can be asked for. What is told of them are the nouns of `hostkit_core::database`.

use hostkit_core::database::TenantTable;
use hostkit_core::names::{DatabaseLabel, EnvironmentName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A further database to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDatabase {
    /// What it is called: 1 to 24 lowercase letters, digits and underscores.
    pub label: DatabaseLabel,
}

/// An extension to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewExtension {
    /// Its name: `pgcrypto`.
    pub name: String,
}

/// What a database is to be a copy of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatabaseClone {
    /// The database that is copied.
    pub from: DatabaseLabel,
    /// The environment of the same project it is of; that of the copy where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<EnvironmentName>,
}

/// A table whose tenants are to be kept apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewProtection {
    /// The table, and the column that says whose a row is.
    pub table: TenantTable,
    /// Whether nothing is changed, and it is only tried whether they are apart.
    #[serde(default)]
    pub only_try: bool,
}
