//! What can be told of databases: how large they are, what of them nobody uses, what is slow, who is connected.

mod activity;
mod queries;
mod sizes;

pub use activity::connections;
pub use queries::{forget_queries, slow_queries};
pub use sizes::{databases, tables, unused_indexes};
