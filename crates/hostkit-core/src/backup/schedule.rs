//! When backups are made by themselves.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::retention::Retention;
use crate::project::EnvironmentId;

/// The hour of the day, in UTC, where nothing was chosen.
const HOUR: u8 = 2;
/// Environments begin within this time after the hour, each at a moment of its own.
const SPREAD: u64 = 30 * 60;
/// Pauses after the first, second … failure in a row; the last one for all further ones.
const PAUSES: [SignedDuration; 4] = [
    SignedDuration::from_mins(5),
    SignedDuration::from_mins(20),
    SignedDuration::from_hours(1),
    SignedDuration::from_hours(3),
];

/// When an environment is backed up, and which backups stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupSchedule {
    /// Whether backups are made by themselves, once a day.
    pub daily: bool,
    /// At which hour, in UTC: 0 to 23. Each environment begins within half an hour after it.
    #[schemars(range(max = 23))]
    pub hour: u8,
    /// Which backups stay.
    #[serde(default)]
    pub keep: Retention,
}

impl Default for BackupSchedule {
    fn default() -> Self {
        BackupSchedule {
            daily: true,
            hour: HOUR,
            keep: Retention::default(),
        }
    }
}

impl BackupSchedule {
    /// The last moment up to now at which a backup of this environment was to begin.
    fn last_moment(&self, environment: &EnvironmentId, now: Timestamp) -> Timestamp {
        let today = now.to_zoned(TimeZone::UTC).date();
        let minutes = spread(environment);
        let at = |date: jiff::civil::Date| {
            let hour = date.at(self.hour.min(23) as i8, 0, 0, 0);
            let begin = TimeZone::UTC.to_timestamp(hour).unwrap_or(now);
            begin + SignedDuration::from_secs(minutes)
        };
        let moment = at(today);
        match moment <= now {
            true => moment,
            false => today.yesterday().map_or(moment, at),
        }
    }

    /// Whether a backup is to begin now. `last` is when the last one was begun that came to an end well (or the
    /// environment was made); `failed` are those that failed since, oldest first.
    pub fn is_due(
        &self,
        environment: &EnvironmentId,
        last: Timestamp,
        failed: &[Timestamp],
        now: Timestamp,
    ) -> bool {
        if !self.daily || last >= self.last_moment(environment, now) {
            return false;
        }
        let Some(newest) = failed.last() else {
            return true;
        };
        let pause = PAUSES[(failed.len() - 1).min(PAUSES.len() - 1)];
        // A clock that was turned back waits no longer than the pause.
        now.duration_since(*newest).abs() >= pause
    }
}

/// Seconds after the hour: always the same for one environment, and spread over all of them (FNV-1a).
fn spread(environment: &EnvironmentId) -> i64 {
    let hash = environment
        .to_string()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    (hash % SPREAD).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shop() -> EnvironmentId {
        EnvironmentId::new("shop".parse().unwrap(), "production".parse().unwrap())
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn once_a_day_within_half_an_hour_after_two() {
        let schedule = BackupSchedule::default();
        let made = at("2026-03-01T12:00:00Z");
        let due = |now: &str| schedule.is_due(&shop(), made, &[], at(now));
        assert!(!due("2026-03-01T23:59:00Z"));
        assert!(!due("2026-03-02T01:59:59Z"));
        assert!(due("2026-03-02T02:30:00Z"));
        // A machine that was off makes it when it is back.
        assert!(due("2026-03-05T17:00:00Z"));
        let off = BackupSchedule {
            daily: false,
            ..schedule
        };
        assert!(!off.is_due(&shop(), made, &[], at("2026-03-05T17:00:00Z")));
    }

    #[test]
    fn what_failed_is_tried_again_after_growing_pauses() {
        let schedule = BackupSchedule::default();
        let last = at("2026-03-01T02:10:00Z");
        let failed = [at("2026-03-02T02:30:00Z"), at("2026-03-02T02:35:00Z")];
        let due = |failed: &[Timestamp], now: &str| schedule.is_due(&shop(), last, failed, at(now));
        assert!(!due(&failed[..1], "2026-03-02T02:34:00Z"));
        assert!(due(&failed[..1], "2026-03-02T02:35:00Z"));
        assert!(!due(&failed, "2026-03-02T02:54:00Z"));
        assert!(due(&failed, "2026-03-02T02:55:00Z"));
    }
}
