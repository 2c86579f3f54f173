//! Recovery of a server to a point in time: full pieces of its log go into a spool, a base backup is the whole
//! cluster at some moment, and both together are any moment after that.
//!
//! ```text
//! base backup ──► scratch cluster ──► stops at the moment ──► dump of one database ──► restored beside the one that is there
//! spool ────────────────┘
//! ```
//!
//! Nothing here runs in a shell: the server's own module files pieces away, and a scratch cluster finds them where it looks
//! anyway.

mod base;
mod history;
mod past;
mod scratch;
mod spool;

pub use base::base_backup;
pub use history::PostgresHistory;
pub use scratch::{Recovery, Scratch};
pub(crate) use spool::folder as spool_of;
pub use spool::{SpoolState, switch_piece};
