//! Holding removal back: while a copy of everything is made, what nothing consists of any more stays.

use super::{ContentId, Contents};

/// Files that are given up stay as long as this lives.
pub struct RemovalsHeld(Contents);

/// Files that are removed at once when nobody holds them any more, so that others have a turn in between.
const TOGETHER: usize = 500;

impl Contents {
    /// Holds removal back, from now on.
    pub fn hold_removals(&self) -> RemovalsHeld {
        self.held().holders += 1;
        RemovalsHeld(self.clone())
    }
}

impl Drop for RemovalsHeld {
    fn drop(&mut self) {
        let later: Vec<ContentId> = {
            let mut held = self.0.held();
            held.holders -= 1;
            if held.holders > 0 {
                return;
            }
            held.later.drain().collect()
        };
        // Nothing consists of them, and nothing ever will: whoever holds from now on does not need them.
        for some in later.chunks(TOGETHER) {
            self.0.remove(some);
        }
    }
}
