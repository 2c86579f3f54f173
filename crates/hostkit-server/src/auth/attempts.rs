//! Wrong tokens are answered at a bounded rate. A token cannot be guessed (256 bits); this keeps whoever tries from
//! keeping the state database busy with it. Right tokens are never slowed down.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use hostkit_core::kind::{Failure, Kind};

/// So many wrong tokens at once are answered plainly.
const BURST: f64 = 30.0;
/// And so many more with every second.
const PER_SECOND: f64 = 2.0;

/// A bucket that wrong tokens take from and time fills.
pub(crate) struct Attempts(Mutex<(f64, Instant)>);

impl Default for Attempts {
    fn default() -> Self {
        Attempts(Mutex::new((BURST, Instant::now())))
    }
}

impl Attempts {
    /// Counts a wrong token; the result is what its bearer is told.
    pub(crate) fn failed(&self) -> Failure {
        let mut bucket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (left, since) = *bucket;
        let left = (left + since.elapsed().as_secs_f64() * PER_SECOND).min(BURST) - 1.0;
        *bucket = (left.max(-1.0), Instant::now());
        if left < 0.0 {
            return Failure::new(
                Kind::Unavailable,
                "cannot check the token: too many wrong ones came just now",
            )
            .hint("wait a moment; a right token is always answered");
        }
        Failure::new(Kind::Unauthenticated, "cannot answer: the token is not known")
            .hint("was it revoked, or is it of another installation? the first token is in the file `token` of the data folder")
    }
}
