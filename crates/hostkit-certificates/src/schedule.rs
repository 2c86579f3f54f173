//! When a certificate is renewed, and how long is waited after a failure: values in, values out.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::pair::Facts;
use crate::record::Window;
use crate::settings::Pace;

/// Renewal begins so long before the end; earlier by a third of the lifetime for certificates that live shorter.
const BEFORE_THE_END: SignedDuration = SignedDuration::from_hours(30 * 24);

/// When a certificate is renewed. Always the same for the same certificate, and another for each, so that many that were
/// issued at the same time are not renewed at the same time.
pub(crate) fn renewal(facts: &Facts, window: Option<&Window>) -> Timestamp {
    let share = share(&facts.serial);
    let lifetime = facts.not_after.duration_since(facts.not_before);
    let lead = BEFORE_THE_END.min(lifetime / 3);
    let usual = back(facts.not_after, lead - part(lead, share / 10.0));
    match window {
        Some(window) if window.start < window.end => {
            let chosen = back(window.end, part(window.end.duration_since(window.start), share));
            // An authority that would have it renewed when it is too late is not believed.
            chosen.min(back(facts.not_after, lead / 2))
        }
        _ => usual,
    }
}

/// When what failed so many times is tried again.
pub(crate) fn retry(now: Timestamp, failures: u32, pace: &Pace) -> Timestamp {
    let doubled = pace
        .first_pause
        .saturating_mul(1 << failures.saturating_sub(1).min(20));
    after(now, doubled.min(pace.longest_pause))
}

/// So much later.
pub(crate) fn after(now: Timestamp, pause: Duration) -> Timestamp {
    let pause = SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX);
    now.checked_add(pause).unwrap_or(Timestamp::MAX)
}

fn back(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_sub(by).unwrap_or(Timestamp::MIN)
}

fn part(whole: SignedDuration, share: f64) -> SignedDuration {
    SignedDuration::try_from_secs_f64(whole.as_secs_f64() * share).unwrap_or(whole)
}

/// A number from 0 to 1 by which certificates differ: authorities make serial numbers by chance.
fn share(serial: &[u8]) -> f64 {
    let mixed = serial.iter().fold(0xcbf2_9ce4_8422_2325_u64, |mixed, byte| {
        (mixed ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    f64::from((mixed >> 32) as u32) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(start: &str, end: &str, serial: u8) -> Facts {
        Facts {
            names: Vec::new(),
            issuer: String::new(),
            not_before: start.parse().unwrap(),
            not_after: end.parse().unwrap(),
            authority_key: None,
            serial: vec![serial],
        }
    }

    fn is_within(time: Timestamp, start: &str, end: &str) -> bool {
        (start.parse::<Timestamp>().unwrap()..=end.parse().unwrap()).contains(&time)
    }

    #[test]
    fn a_certificate_is_renewed_a_month_before_its_end_and_not_all_at_once() {
        let mut times = Vec::new();
        for serial in 0..100 {
            let facts = facts("2026-01-01T00:00:00Z", "2026-04-01T00:00:00Z", serial);
            let time = renewal(&facts, None);
            assert_eq!(time, renewal(&facts, None));
            assert!(
                is_within(time, "2026-03-02T00:00:00Z", "2026-03-05T00:00:00Z"),
                "{time}"
            );
            times.push(time);
        }
        times.sort();
        times.dedup();
        assert!(times.len() > 90);
    }

    #[test]
    fn one_that_lives_short_is_renewed_in_its_last_third() {
        let facts = facts("2026-01-01T00:00:00Z", "2026-01-01T00:02:00Z", 7);
        let time = renewal(&facts, None);
        assert!(
            is_within(time, "2026-01-01T00:01:20Z", "2026-01-01T00:01:24Z"),
            "{time}"
        );
    }

    #[test]
    fn the_window_of_the_authority_counts_unless_it_is_too_late() {
        let facts = facts("2026-01-01T00:00:00Z", "2026-04-01T00:00:00Z", 7);
        let window = |start: &str, end: &str| Window {
            start: start.parse().unwrap(),
            end: end.parse().unwrap(),
        };
        // Revoked: the window is over.
        let past = window("2026-01-05T00:00:00Z", "2026-01-06T00:00:00Z");
        let time = renewal(&facts, Some(&past));
        assert!(
            is_within(time, "2026-01-05T00:00:00Z", "2026-01-06T00:00:00Z"),
            "{time}"
        );
        let late = window("2027-01-05T00:00:00Z", "2027-01-06T00:00:00Z");
        let time = renewal(&facts, Some(&late));
        assert!(time < facts.not_after, "{time}");
        // One that makes no sense is none.
        let wrong = window("2026-01-06T00:00:00Z", "2026-01-05T00:00:00Z");
        assert_eq!(renewal(&facts, Some(&wrong)), renewal(&facts, None));
    }

    #[test]
    fn pauses_double_up_to_a_day() {
        let pace = Pace::default();
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let pause = |failures| retry(now, failures, &pace).duration_since(now).as_secs();
        assert_eq!(
            [1, 2, 3, 11, 12, u32::MAX].map(pause),
            [60, 120, 240, 61440, 86400, 86400]
        );
    }

    #[test]
    fn no_date_is_too_strange() {
        for (start, end) in [
            ("-009999-01-02T01:59:59Z", "9999-12-30T22:00:00Z"),
            ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
            ("2027-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ] {
            renewal(&facts(start, end, 1), None);
        }
    }
}
