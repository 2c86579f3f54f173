//! What one item of a setup is: looked at without changing anything, then brought to what is wanted.

use hostkit_core::kind::Failure;
use hostkit_core::server::{Change, Machine, SetupWish};

use crate::firewall::Firewall;

/// What an item sees.
#[derive(Clone, Copy)]
pub(super) struct Site<'a> {
    /// The machine.
    pub(super) machine: &'a dyn Machine,
    /// Its packet filter.
    pub(super) firewall: &'a dyn Firewall,
    /// What is asked for.
    pub(super) wish: &'a SetupWish,
    /// Whether an earlier run ended in the middle of this item: its files may be in place and not in force.
    pub(super) unfinished: bool,
}

/// How an item was found, and what brings it to what is wanted.
#[derive(Debug, Default)]
pub(super) struct Finding {
    /// What is not as it should be.
    pub(super) findings: Vec<String>,
    /// Whether nothing of it is there yet.
    pub(super) missing: bool,
    /// What mends it, in order. Empty where all is well, and where it must be left alone.
    pub(super) changes: Vec<Change>,
    /// What should be known, and needs no mending.
    pub(super) notes: Vec<String>,
    /// What cannot be mended by us, and who can how.
    pub(super) refused: Option<Failure>,
    /// Why it makes no sense on this machine.
    pub(super) not_applicable: Option<String>,
}

impl Finding {
    /// Something is not as it should be.
    pub(super) fn find(&mut self, what: impl Into<String>) {
        self.findings.push(what.into());
    }

    /// A change mends it.
    pub(super) fn change(&mut self, change: Change) {
        self.changes.push(change);
    }
}

/// One item. A file of its own each, in `items/`.
pub(super) trait Item: Sync {
    /// Its name, as it is typed and printed.
    fn name(&self) -> &'static str;

    /// What it is about, in a few words.
    fn title(&self) -> &'static str;

    /// What it is good for.
    fn why(&self) -> &'static str;

    /// The items without which it makes no sense to try.
    fn needs(&self) -> &'static [&'static str] {
        &[]
    }

    /// Looks, and says what is to be done. Changes nothing; may be asked at any time.
    fn plan(&self, site: &Site<'_>) -> Result<Finding, Failure>;

    /// Has the programs concerned read new files, before the files are in force.
    fn try_out(&self, site: &Site<'_>, changes: &[Change]) -> Result<(), Failure> {
        let _ = (site, changes);
        Ok(())
    }

    /// Makes sure of the new files once they are in place, and before a program takes them over.
    fn prove(&self, site: &Site<'_>) -> Result<(), Failure> {
        let _ = site;
        Ok(())
    }

    /// Has running programs take over files that were put back as they were.
    fn settle(&self, site: &Site<'_>) -> Result<(), Failure> {
        let _ = site;
        Ok(())
    }
}
