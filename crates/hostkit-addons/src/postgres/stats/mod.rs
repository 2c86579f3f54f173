//! What can be told of databases: how large they are, what of them nobody uses, what is slow, who is connected.

mod activity;
mod queries;
mod sizes;

pub use activity::{Connection, connections, idle_in_transaction};
pub use queries::{SlowQuery, forget_queries, slow_queries};
pub use sizes::{DatabaseSize, IndexSize, TableSize, databases, tables, unused_indexes};
