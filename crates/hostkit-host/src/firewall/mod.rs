//! The machine's packet filter, as far as it is ours: the table `inet hostkit` and nothing else. It has two parts that
//! are put in place and seen on their own: [`Inbound`] (what the network may reach) and [`Loopback`] (whose programs
//! may reach whose ports on this machine).
//!
//! Tables of others (ufw, Docker, fail2ban) are never read or changed. Each table's chains see every packet, and what
//! any of them drops is dropped: ours can only forbid more.

mod listing;
mod nft;
mod script;

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use hostkit_core::kind::Failure;

use crate::change::Change;

pub use nft::Nft;

/// The table's name, in the family `inet`.
pub const TABLE: &str = "hostkit";

/// What the network may reach on this machine. Everything else is dropped, besides answers to what the machine
/// asked for, the loopback, and the few kinds of ICMP and DHCP without which no network works.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inbound {
    /// Open TCP ports: SSH's, 80, 443, and what was declared.
    pub tcp: BTreeSet<u16>,
    /// Open UDP ports.
    pub udp: BTreeSet<u16>,
}

/// Whose programs may use whose ports on this machine.
///
/// A connection to a guarded port passes only from root, from the front door, from the account the port belongs
/// to, or from a caller of it; and only root, the front door and the owner can answer on a port that belongs to somebody,
/// so that nobody takes the place of an instance that is just being started again. Guarded are the stable ports, those of
/// add-ons, the instance ports and every port of `owners` that is not everybody's. TCP connections to them are made over the
/// loopback alone, whatever address a program listens on; what comes from the network by UDP is for [`Inbound`] to judge.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Loopback {
    /// The uid of the front door.
    pub front_door: u32,
    /// Port and uid of the account it belongs to.
    pub owners: BTreeMap<u16, u32>,
    /// Port and uid of further accounts that may connect to it.
    pub callers: BTreeSet<(u16, u32)>,
    /// Ports that every account may connect to.
    pub open: BTreeSet<u16>,
}

/// What is in place of one part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen<T> {
    /// Nothing.
    Missing,
    /// The whole part, saying this.
    Intact(T),
    /// Something that we did not write like this.
    Drifted,
}

/// What is in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// What the network may reach.
    pub inbound: Seen<Inbound>,
    /// Who may use which port on this machine.
    pub loopback: Seen<Loopback>,
}

/// The packet filter. Every act is one transaction: a packet meets the old rules or the new ones. All are idempotent;
/// two at once are each done whole, the later one stays. What is in place is gone after a restart of the machine.
#[async_trait]
pub trait Firewall: Send + Sync {
    /// What is in place now.
    async fn observe(&self) -> Result<Observed, Failure>;

    /// Sees to it that exactly this may be reached from the network. The other part stays as it is.
    async fn ensure_inbound(&self, wanted: &Inbound) -> Result<Change, Failure>;

    /// Sees to it that ports belong to exactly these. The other part stays as it is.
    async fn ensure_loopback(&self, wanted: &Loopback) -> Result<Change, Failure>;

    /// Takes the rules for the network away: for machines where another firewall does that.
    async fn remove_inbound(&self) -> Result<Change, Failure>;

    /// Takes the whole table away.
    async fn remove(&self) -> Result<Change, Failure>;
}

#[cfg(test)]
mod tests;
