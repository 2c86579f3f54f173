//! Whether an act that says what should be had to do anything for it.

use std::ops::{BitOr, BitOrAssign};

/// What an `ensure` or a `remove` did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[must_use]
pub enum Change {
    /// All was as wanted.
    #[default]
    Unneeded,
    /// Something was changed.
    Made,
}

impl Change {
    /// [`Change::Made`] where something was done.
    pub fn made_if(done: bool) -> Self {
        if done { Change::Made } else { Change::Unneeded }
    }

    /// Whether something was changed.
    pub fn is_made(self) -> bool {
        self == Change::Made
    }
}

impl BitOr for Change {
    type Output = Change;

    fn bitor(self, other: Change) -> Change {
        Change::made_if(self.is_made() || other.is_made())
    }
}

impl BitOrAssign for Change {
    fn bitor_assign(&mut self, other: Change) {
        *self = *self | other;
    }
}
