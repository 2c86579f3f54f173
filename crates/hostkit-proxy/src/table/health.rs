//! Whether a backend is fit for requests, as requests show it: one whose connections are refused, or that breaks
//! requests off again and again, is left out for a while, tried with a few requests, and gets its full share slowly. What
//! status it answers with is its own business.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long a backend is left out the first time; each time after that twice as long.
const SHORTEST: Duration = Duration::from_millis(500);
/// The longest it is left out.
const LONGEST: Duration = Duration::from_secs(15);
/// How long it takes until it gets its full share again.
const RETURN: Duration = Duration::from_secs(10);
/// Of so many requests the first one goes to a backend that has just come back.
const FIRST_SHARE: u64 = 20;
/// How many requests in a row break off until it is left out.
const BREAKS: u32 = 3;

/// The health of one backend.
pub(crate) struct Health {
    born: Instant,
    /// Anything below is not as it was in the beginning. Nothing else is looked at otherwise.
    troubled: AtomicBool,
    /// Requests in a row that broke off.
    broken: AtomicU32,
    /// Answers in a row that broke off after they had begun.
    torn: AtomicU32,
    /// How often it was left out since it was sound.
    level: AtomicU32,
    /// Milliseconds after `born` until which it is left out; zero for not at all.
    until: AtomicU64,
    /// It was left out because it took no connection: an answer shows that it does again.
    refused: AtomicBool,
    /// Requests that got no connection, or no answer.
    failures: AtomicU64,
    /// How often it was left out.
    ejections: AtomicU64,
}

/// What is to be expected of a backend, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// It is asked like all others.
    Sound,
    /// It has come back: it is asked, but not this time.
    Returning,
    /// It is asked where there is no other.
    Ejected,
}

impl Health {
    /// Of a backend nothing is known of.
    pub(crate) fn new() -> Health {
        Health {
            born: Instant::now(),
            troubled: AtomicBool::new(false),
            broken: AtomicU32::new(0),
            torn: AtomicU32::new(0),
            level: AtomicU32::new(0),
            until: AtomicU64::new(0),
            refused: AtomicBool::new(false),
            failures: AtomicU64::new(0),
            ejections: AtomicU64::new(0),
        }
    }

    /// How it stands at the choice of number `turn`.
    pub(crate) fn standing(&self, turn: u64) -> Standing {
        match self.troubled.load(Ordering::Relaxed) {
            false => Standing::Sound,
            true => self.standing_at(Instant::now(), turn),
        }
    }

    fn standing_at(&self, now: Instant, turn: u64) -> Standing {
        let (now, until) = (self.millis(now), self.until.load(Ordering::Relaxed));
        if until == 0 {
            return Standing::Sound;
        }
        let Some(back) = now.checked_sub(until) else {
            return Standing::Ejected;
        };
        let whole = RETURN.as_millis() as u64;
        // Numbers that follow each other are spread evenly by this, so that the share is kept over few of them, too.
        let spread = turn.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let share = back.max(whole / FIRST_SHARE);
        match (spread * whole) >> 32 < share {
            true => Standing::Sound,
            false => Standing::Returning,
        }
    }

    /// It took no connection. Says for how long it is left out, where it is from now on.
    pub(crate) fn refused(&self) -> Option<Duration> {
        self.refused_at(Instant::now())
    }

    fn refused_at(&self, now: Instant) -> Option<Duration> {
        self.failures.fetch_add(1, Ordering::Relaxed);
        self.eject(now, true)
    }

    /// A request on it got no answer. Says for how long it is left out, where it is from now on.
    pub(crate) fn broke(&self) -> Option<Duration> {
        self.broke_at(Instant::now())
    }

    fn broke_at(&self, now: Instant) -> Option<Duration> {
        self.failed_at(now, &self.broken)
    }

    /// An answer of it broke off after it had begun. Says for how long it is left out, where it is from now on.
    pub(crate) fn tore(&self) -> Option<Duration> {
        self.failed_at(Instant::now(), &self.torn)
    }

    /// An answer of it was read to its end.
    pub(crate) fn was_whole(&self) {
        if self.troubled.load(Ordering::Relaxed) {
            self.torn.store(0, Ordering::Relaxed);
        }
    }

    fn failed_at(&self, now: Instant, in_a_row: &AtomicU32) -> Option<Duration> {
        self.failures.fetch_add(1, Ordering::Relaxed);
        self.troubled.store(true, Ordering::Relaxed);
        let broken = in_a_row.fetch_add(1, Ordering::Relaxed) + 1;
        // On probation one is enough.
        let is_back = self.until.load(Ordering::Relaxed) != 0;
        (broken >= BREAKS || is_back)
            .then(|| self.eject(now, false))
            .flatten()
    }

    fn eject(&self, now: Instant, refused: bool) -> Option<Duration> {
        let (now, before) = (self.millis(now), self.until.load(Ordering::Relaxed));
        if now < before {
            // Requests that were under way meanwhile: it is known.
            return None;
        }
        let level = self.level.load(Ordering::Relaxed);
        let pause = LONGEST.min(SHORTEST * 2u32.saturating_pow(level));
        let until = now + pause.as_millis() as u64;
        let won = self
            .until
            .compare_exchange(before, until, Ordering::Relaxed, Ordering::Relaxed);
        // Of several threads that see the same failure one makes it count.
        won.ok()?;
        self.level.store(level.saturating_add(1), Ordering::Relaxed);
        self.refused.store(refused, Ordering::Relaxed);
        self.broken.store(0, Ordering::Relaxed);
        self.torn.store(0, Ordering::Relaxed);
        self.ejections.fetch_add(1, Ordering::Relaxed);
        self.troubled.store(true, Ordering::Relaxed);
        Some(pause)
    }

    /// It began an answer, of whatever status. Says whether everything is as it should be from now on.
    pub(crate) fn answered(&self) -> bool {
        self.troubled.load(Ordering::Relaxed) && self.answered_at(Instant::now())
    }

    fn answered_at(&self, now: Instant) -> bool {
        self.broken.store(0, Ordering::Relaxed);
        let (now, until) = (self.millis(now), self.until.load(Ordering::Relaxed));
        if now < until {
            if self.refused.load(Ordering::Relaxed) {
                self.until.store(now.max(1), Ordering::Relaxed);
            }
            return false;
        }
        if until != 0 && now - until < RETURN.as_millis() as u64 {
            return false;
        }
        self.level.store(0, Ordering::Relaxed);
        // How this answer ends is to be seen.
        let is_torn = self.torn.load(Ordering::Relaxed) > 0;
        self.troubled.store(is_torn, Ordering::Relaxed);
        self.until.swap(0, Ordering::Relaxed) != 0
    }

    /// Whether it is left out now.
    pub(crate) fn is_ejected(&self) -> bool {
        self.millis(Instant::now()) < self.until.load(Ordering::Relaxed)
    }

    /// Requests that got no connection or no answer, and how often it was left out.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let [failures, ejections] =
            [&self.failures, &self.ejections].map(|count| count.load(Ordering::Relaxed));
        (failures, ejections)
    }

    fn millis(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.born).as_millis() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    /// Of 1,000 choices, how many count it in.
    fn share(health: &Health, now: Instant) -> usize {
        (0..1000)
            .filter(|turn| health.standing_at(now, *turn) == Standing::Sound)
            .count()
    }

    #[test]
    fn a_refused_connection_leaves_it_out_at_once_and_its_share_grows_back() {
        let health = Health::new();
        let start = health.born + Duration::from_secs(5);
        assert_eq!(share(&health, start), 1000);
        assert_eq!(health.refused_at(start), Some(SHORTEST));
        assert_eq!(health.refused_at(start + MILLI), None, "it is out already");
        assert_eq!(health.standing_at(start + MILLI, 0), Standing::Ejected);
        let back = start + SHORTEST;
        assert!((40..=60).contains(&share(&health, back)));
        assert!((480..=520).contains(&share(&health, back + RETURN / 2)));
        assert_eq!(share(&health, back + RETURN), 1000);
        assert!(health.answered_at(back + RETURN));
        assert!(!health.troubled.load(Ordering::Relaxed));
        assert_eq!(
            health.refused_at(back + RETURN * 2),
            Some(SHORTEST),
            "a new story"
        );
        assert_eq!(health.counts(), (3, 2));
    }

    #[test]
    fn the_pause_grows_and_is_bounded() {
        let health = Health::new();
        let mut now = health.born + MILLI;
        let mut pauses = Vec::new();
        for _ in 0..40 {
            let pause = health.refused_at(now).unwrap();
            pauses.push(pause);
            now += pause;
        }
        assert_eq!(pauses[..4], [1, 2, 4, 8].map(|times| SHORTEST * times));
        assert!(pauses.is_sorted());
        assert_eq!(pauses[39], LONGEST);
    }

    #[test]
    fn requests_that_break_off_count_in_a_row_and_one_is_enough_after_it_came_back() {
        let health = Health::new();
        let start = health.born + MILLI;
        for _ in 0..20 {
            assert_eq!(health.broke_at(start), None);
            assert_eq!(health.broke_at(start), None);
            health.answered_at(start);
        }
        assert_eq!(share(&health, start), 1000);
        let pauses = [1, 2, 3].map(|_| health.broke_at(start));
        assert_eq!(pauses, [None, None, Some(SHORTEST)]);
        // An answer to a request of before does not bring it back.
        assert!(!health.answered_at(start + MILLI));
        assert_eq!(health.standing_at(start + MILLI, 0), Standing::Ejected);
        let back = start + SHORTEST;
        assert_eq!(health.broke_at(back), Some(SHORTEST * 2));
    }

    #[test]
    fn answers_that_break_off_count_in_a_row_however_they_began() {
        let health = Health::new();
        let start = health.born + MILLI;
        let tear = || {
            health.answered_at(start);
            health.failed_at(start, &health.torn)
        };
        for _ in 0..20 {
            assert_eq!([tear(), tear()], [None, None]);
            health.answered_at(start);
            health.was_whole();
        }
        assert_eq!(share(&health, start), 1000);
        assert_eq!([tear(), tear(), tear()], [None, None, Some(SHORTEST)]);
        assert_eq!(health.standing_at(start + MILLI, 0), Standing::Ejected);
    }

    #[test]
    fn an_answer_of_one_that_took_no_connection_brings_it_back_before_its_time() {
        let health = Health::new();
        let start = health.born + MILLI;
        for _ in 0..10 {
            health.until.store(0, Ordering::Relaxed);
            health.refused_at(start);
        }
        assert_eq!(health.standing_at(start + SHORTEST, 0), Standing::Ejected);
        health.answered_at(start + MILLI);
        assert!((40..=60).contains(&share(&health, start + MILLI)));
    }
}
