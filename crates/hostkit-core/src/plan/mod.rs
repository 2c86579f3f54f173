//! Plans: from what is wanted and what is there to what shall be. Pure functions; whoever calls them asks the store
//! and the runtime first and carries out the result.

pub mod domains;
pub mod explain;
pub mod hosts;
pub mod releases;
pub mod routes;
pub mod variables;
