//! What one environment may take of the server that all share.

use hostkit_core::size::{ByteSize, Span};

/// Limits of an environment's databases. A program may shorten its times with `SET`, and lengthen them, too: they are
/// against mistakes. Numbers of connections and temporary files are the server's to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections of PgBouncer to each database, and thereby transactions that run at once.
    pub pooled: u32,
    /// All connections to each database: the pooled ones, direct ones, and those of dumps.
    pub connections: u32,
    /// The longest a statement may run.
    pub statement: Span,
    /// The longest a transaction may wait for its client.
    pub idle_in_transaction: Span,
    /// The most that one process of the server may put into temporary files.
    pub temporary_files: ByteSize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            pooled: 10,
            connections: 25,
            statement: Span::secs(60),
            idle_in_transaction: Span::secs(60),
            temporary_files: ByteSize::mib(1024),
        }
    }
}
