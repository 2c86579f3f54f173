//! Database: one of those that an environment's PostgreSQL add-on has. What can be told of it, and what can be asked for.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names::DatabaseLabel;
use crate::project::EnvironmentId;

/// Names a database of an environment: `shop/production tenant_a`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DatabaseId {
    /// Whose it is.
    pub environment: EnvironmentId,
    /// Which of the environment's.
    pub label: DatabaseLabel,
}

impl DatabaseId {
    /// Names a database.
    pub fn new(environment: EnvironmentId, label: DatabaseLabel) -> Self {
        DatabaseId { environment, label }
    }
}

impl std::fmt::Display for DatabaseId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.environment, self.label)
    }
}

/// A database of an environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Database {
    /// What it is called in commands: `db`, `tenant_a`.
    pub label: DatabaseLabel,
    /// What it is called on the server, and in URLs: `shop_tenant_a`.
    pub name: String,
    /// What it takes on the disk, in bytes.
    pub size: u64,
    /// Connections at this moment.
    pub connections: i64,
    /// The most it takes.
    pub connection_limit: i32,
    /// Transactions that were done since the statistics began.
    pub commits: i64,
    /// Transactions that were given up.
    pub rollbacks: i64,
    /// How often two transactions waited for each other and one had to be ended.
    pub deadlocks: i64,
    /// The share of blocks that were found in memory, from 0 to 1; none where none was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_memory: Option<f64>,
}

/// What can be told of the inside of a database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DatabaseStats {
    /// Its tables, the largest first.
    pub tables: Vec<TableSize>,
    /// Indexes that no query used, the largest first.
    pub unused_indexes: Vec<IndexSize>,
    /// The queries that took the most time in all; none where the server does not count them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_queries: Option<Vec<SlowQuery>>,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TableSize {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// How many rows it has, about.
    pub rows: i64,
    /// How many of what it keeps are leftovers of changed or removed rows, about.
    pub dead_rows: i64,
    /// What the rows take, in bytes.
    pub table: u64,
    /// What its indexes take, in bytes.
    pub indexes: u64,
    /// How often it was read from one end to the other.
    pub whole_reads: i64,
}

/// An index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IndexSize {
    /// The schema.
    pub schema: String,
    /// The table it is of.
    pub table: String,
    /// Its name.
    pub name: String,
    /// What it takes, in bytes.
    pub size: u64,
}

/// A query, however often it was asked. Values are not in its text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SlowQuery {
    /// Its text.
    pub text: String,
    /// How often it was asked.
    pub calls: i64,
    /// The time it took in all, in milliseconds.
    pub total: f64,
    /// The time it took on the average, in milliseconds.
    pub mean: f64,
    /// The longest it took, in milliseconds.
    pub longest: f64,
    /// The rows it gave or changed in all.
    pub rows: i64,
}

/// A connection to a database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Connection {
    /// The number of the server's process for it.
    pub pid: i32,
    /// Who it is.
    pub login: String,
    /// What it calls itself.
    pub program: String,
    /// What it does: `active`, `idle`, `idle in transaction`, …
    pub state: String,
    /// How long it has been doing that, in seconds.
    pub since: f64,
    /// What it waits for, if it does: `Lock:transactionid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
    /// The connections it waits for, where it waits for a lock.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocked_by: Vec<i32>,
    /// What it asked last, with its values.
    pub query: String,
}

impl Connection {
    /// Whether it has held a transaction open for longer than `seconds` and does nothing in it.
    pub fn is_idle_in_transaction(&self, seconds: f64) -> bool {
        self.state.starts_with("idle in transaction") && self.since > seconds
    }
}

/// An extension that a database has or may have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Extension {
    /// Its name: `pgcrypto`.
    pub name: String,
    /// The version that is made when it is made now.
    pub available: String,
    /// The version the database has; none where it has not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installed: Option<String>,
    /// What it is for, in its author's words.
    pub purpose: String,
}

/// A table in which the rows of many tenants lie.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TenantTable {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub table: String,
    /// The column that says whose a row is.
    pub column: String,
}

/// What a try of row-level security showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TenantProof {
    /// Rows of all tenants.
    pub rows: i64,
    /// Rows that a transaction sees which names no tenant: must be none.
    pub without_tenant: i64,
    /// Rows that one sees which names a tenant that does not exist: must be none.
    pub of_nobody: i64,
    /// Rows of others that one sees which names a tenant that there is; none where the table is empty. Must be none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of_others: Option<i64>,
    /// Whether a row for another tenant could be written: must not be.
    pub writes_for_others: bool,
}

impl TenantProof {
    /// Whether tenants are apart.
    pub fn holds(&self) -> bool {
        self.without_tenant == 0
            && self.of_nobody == 0
            && self.of_others.unwrap_or(0) == 0
            && !self.writes_for_others
    }
}

/// Row-level security of a table: what makes it, and what a try of it showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Protection {
    /// The statements that keep tenants apart, for a migration of the project's own.
    pub statements: String,
    /// What the try showed.
    pub proof: TenantProof,
    /// Whether it shows that tenants are apart.
    pub holds: bool,
}

/// What came of a restore or a clone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Restored {
    /// The database that was replaced, as it is called on the server.
    pub name: String,
    /// How many tables it has now.
    pub tables: u64,
    /// How many rows they have in all.
    pub rows: u64,
    /// When the restored one took its place.
    pub at: Timestamp,
}

/// What a database has in it, counted: what a restored copy is compared with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// Every table with its number of rows, by schema and name.
    pub tables: Vec<(String, String, i64)>,
    /// How many sequences there are.
    pub sequences: i64,
    /// How many indexes there are.
    pub indexes: i64,
    /// How many views and functions there are.
    pub definitions: i64,
}

impl Contents {
    /// The rows of all tables.
    pub fn rows(&self) -> u64 {
        let rows = self.tables.iter().map(|(_, _, rows)| rows.unsigned_abs());
        rows.fold(0, u64::saturating_add)
    }
}
