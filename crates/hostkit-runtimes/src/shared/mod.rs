//! What runtimes have in common.

pub mod port_lease;
