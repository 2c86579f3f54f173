//! What goes into backups: copies of what one kind of thing keeps for an environment, and the way back.

use std::sync::{Arc, OnceLock};

use super::Pieces;
use crate::addon::AddonOrder;
use crate::backup::part::{Counts, PartKind, PartName};
use crate::kind::Failure;
use crate::project::EnvironmentId;

/// Whose copies are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyOf {
    /// The environment.
    pub environment: EnvironmentId,
    /// How the add-on is ordered, for kinds that are add-ons.
    pub order: Option<AddonOrder>,
}

/// A copy that is being made.
pub struct Export {
    /// Its bytes, as they come. Where the copy cannot be made to its end they end with an error.
    pub pieces: Pieces,
    /// What is in it, counted at the moment that it is a copy of.
    pub counting: Counting,
    /// What is not in it and may be missed.
    pub left_out: LeftOut,
}

/// What was counted of a copy: at the latest once its bytes have come to their end.
#[derive(Debug, Clone, Default)]
pub struct Counting(Arc<OnceLock<Counts>>);

impl Counting {
    /// Counted already.
    pub fn known(counts: Counts) -> Self {
        let counting = Counting::default();
        counting.set(counts);
        counting
    }

    /// What was counted; nothing before the end was seen.
    pub fn get(&self) -> Option<&Counts> {
        self.0.get()
    }

    /// Says what was counted. The first word counts.
    pub fn set(&self, counts: Counts) {
        let _ = self.0.set(counts);
    }
}

/// What could not be copied, in words for whoever may miss it: known once the bytes have come to their end.
#[derive(Debug, Clone, Default)]
pub struct LeftOut(Arc<OnceLock<Vec<String>>>);

impl LeftOut {
    /// What was said; nothing where all was copied.
    pub fn get(&self) -> &[String] {
        self.0.get().map_or(&[], Vec::as_slice)
    }

    /// Says what was left out. The first word counts.
    pub fn set(&self, what: Vec<String>) {
        let _ = self.0.set(what);
    }
}

/// Makes and takes back copies of one kind. Calls for different environments may overlap; those for one environment that
/// stage, take place or discard never do.
#[async_trait::async_trait]
pub trait Copies: Send + Sync {
    /// Of what.
    fn kind(&self) -> PartKind;

    /// Whether it makes copies of what is ordered so: not every add-on that somebody else keeps can be copied. Pure.
    fn covers(&self, _of: &CopyOf) -> bool {
        true
    }

    /// The parts there are now; none where nothing is kept.
    async fn parts(&self, of: &CopyOf) -> Result<Vec<PartName>, Failure>;

    /// Begins a copy of a part, at one moment, while everything goes on. Dropped, it is cut off and nothing of it is left.
    async fn export(&self, of: &CopyOf, part: &PartName) -> Result<Export, Failure>;

    /// Brings a copy in beside what is there, and counts it. Nothing of what is there changes. What was staged before is
    /// replaced. Where it fails nothing is staged. A stream that ends with an error fails the call.
    async fn stage(&self, of: &CopyOf, part: &PartName, content: Pieces) -> Result<Counts, Failure>;

    /// Puts what was staged into the place of what is there, or where nothing is. All of it or nothing.
    async fn take_place(&self, of: &CopyOf, part: &PartName) -> Result<(), Failure>;

    /// Takes away what was staged. Idempotent.
    async fn discard(&self, of: &CopyOf, part: &PartName) -> Result<(), Failure>;
}
