//! A packet filter in memory.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use hostkit_core::kind::Failure;
use hostkit_host::change::Change;
use hostkit_host::firewall::{Firewall, Inbound, Loopback, Observed, Seen};

use super::faults::{Faults, Journal, locked};

/// A packet filter that keeps what it is told. Clones share one.
#[derive(Debug, Clone)]
pub struct FakeFirewall {
    /// Faults by method name.
    pub faults: Faults,
    /// What was changed.
    pub journal: Journal,
    seen: Arc<Mutex<Observed>>,
}

impl Default for FakeFirewall {
    fn default() -> Self {
        FakeFirewall {
            faults: Faults::default(),
            journal: Journal::default(),
            seen: Arc::new(Mutex::new(nothing())),
        }
    }
}

fn nothing() -> Observed {
    Observed {
        inbound: Seen::Missing,
        loopback: Seen::Missing,
    }
}

impl FakeFirewall {
    /// Takes a rule out of the part for the network.
    pub fn disturb_inbound(&self) {
        locked(&self.seen).inbound = Seen::Drifted;
    }

    /// Takes a rule out of the part for this machine.
    pub fn disturb_loopback(&self) {
        locked(&self.seen).loopback = Seen::Drifted;
    }

    fn put<T: PartialEq>(
        &self,
        entry: &str,
        part: impl Fn(&mut Observed) -> &mut Seen<T>,
        wanted: Seen<T>,
    ) -> Change {
        let mut seen = locked(&self.seen);
        let there = part(&mut seen);
        if *there == wanted {
            return Change::Unneeded;
        }
        *there = wanted;
        self.journal.note(entry);
        Change::Made
    }
}

#[async_trait]
impl Firewall for FakeFirewall {
    async fn observe(&self) -> Result<Observed, Failure> {
        self.faults.pass("observe").await?;
        Ok(locked(&self.seen).clone())
    }

    async fn ensure_inbound(&self, wanted: &Inbound) -> Result<Change, Failure> {
        self.faults.pass("ensure_inbound").await?;
        Ok(self.put(
            "ensure inbound",
            |seen| &mut seen.inbound,
            Seen::Intact(wanted.clone()),
        ))
    }

    async fn ensure_loopback(&self, wanted: &Loopback) -> Result<Change, Failure> {
        self.faults.pass("ensure_loopback").await?;
        Ok(self.put(
            "ensure loopback",
            |seen| &mut seen.loopback,
            Seen::Intact(wanted.clone()),
        ))
    }

    async fn remove_inbound(&self) -> Result<Change, Failure> {
        self.faults.pass("remove_inbound").await?;
        Ok(self.put("remove inbound", |seen| &mut seen.inbound, Seen::Missing))
    }

    async fn remove(&self) -> Result<Change, Failure> {
        self.faults.pass("remove").await?;
        let inbound = self.put("remove inbound", |seen| &mut seen.inbound, Seen::Missing);
        Ok(inbound | self.put("remove loopback", |seen| &mut seen.loopback, Seen::Missing))
    }
}
