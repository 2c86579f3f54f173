//! Rules by which objects expire and uploads are given up: which, and when.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Tags of an object, by name.
pub type Tags = BTreeMap<String, String>;

/// A day, in milliseconds.
pub const DAY: i64 = 86_400_000;

/// One rule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct LifecycleRule {
    /// Its name.
    pub id: Option<String>,
    /// Whether it is followed.
    pub is_enabled: bool,
    /// Objects whose keys begin with it.
    pub prefix: String,
    /// Objects that have all of these tags.
    pub tags: Tags,
    /// Objects of more bytes.
    pub larger_than: Option<i64>,
    /// Objects of fewer bytes.
    pub smaller_than: Option<i64>,
    /// Objects expire so many days after they were put, at the next midnight in UTC.
    pub days: Option<i32>,
    /// Objects expire at this time, in milliseconds since 1970.
    pub date: Option<i64>,
    /// Uploads are given up so many days after they were begun, at the next midnight in UTC.
    pub abort_days: Option<i32>,
    /// Whether the rule was written with a `Filter`, which is how it is given back.
    pub has_filter: bool,
}

impl LifecycleRule {
    /// Objects put before this are to go, if [`LifecycleRule::is_for`] says so, too. None: none at `now`. Milliseconds
    /// since 1970.
    pub fn expires_before(&self, now: i64) -> Option<i64> {
        if !self.is_enabled {
            return None;
        }
        match (self.days, self.date) {
            (Some(days), _) => Some(put_before(now, days)),
            (None, Some(date)) => (date <= now).then_some(i64::MAX),
            (None, None) => None,
        }
    }

    /// Uploads begun before this are to be given up. Milliseconds since 1970.
    pub fn aborts_before(&self, now: i64) -> Option<i64> {
        self.abort_days
            .filter(|_| self.is_enabled)
            .map(|days| put_before(now, days))
    }

    /// Why it cannot be kept, if so.
    pub fn fault(&self) -> Option<&'static str> {
        let is_day = |days: Option<i32>| days.is_none_or(|days| days > 0);
        let has_filter = self.larger_than.is_some() || self.smaller_than.is_some() || !self.tags.is_empty();
        if !is_day(self.days) || !is_day(self.abort_days) {
            return Some("Days are counted from 1.");
        }
        if self
            .date
            .is_some_and(|date| date % DAY != 0 || self.days.is_some())
        {
            return Some("A date is a midnight in UTC, and there are no days beside it.");
        }
        if self.days.is_none() && self.date.is_none() && self.abort_days.is_none() {
            return Some("A rule does something.");
        }
        // An upload has neither a size nor tags that count: half of a rule would be followed.
        (self.abort_days.is_some() && has_filter)
            .then_some("Uploads are given up by the beginning of their key alone.")
    }

    /// Whether the rule is for an object of this size with these tags, besides its age and the beginning of its key.
    pub fn is_for(&self, size: u64, tags: &Tags) -> bool {
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        self.larger_than.is_none_or(|least| size > least)
            && self.smaller_than.is_none_or(|most| size < most)
            && self
                .tags
                .iter()
                .all(|(name, value)| tags.get(name) == Some(value))
    }
}

/// What was put before the answer and lives so many days, until the next midnight, is over at `now`.
fn put_before(now: i64, days: i32) -> i64 {
    let midnight = now.div_euclid(DAY) * DAY;
    // Put at a midnight itself, it is over at a midnight: that one is in.
    midnight - i64::from(days) * DAY + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(days: i32) -> LifecycleRule {
        LifecycleRule {
            is_enabled: true,
            days: Some(days),
            ..LifecycleRule::default()
        }
    }

    #[test]
    fn an_object_lives_its_days_and_until_midnight() {
        let (put, rule) = (10 * DAY + 5, rule(2));
        let is_over = |now| put < rule.expires_before(now).unwrap();
        assert!(!is_over(12 * DAY + 5) && !is_over(13 * DAY - 1));
        assert!(is_over(13 * DAY));
        let at_midnight = 10 * DAY;
        assert!(at_midnight < rule.expires_before(12 * DAY).unwrap());
    }

    #[test]
    fn a_date_takes_all_and_what_is_off_nothing() {
        let date = LifecycleRule {
            days: None,
            date: Some(7 * DAY),
            ..rule(0)
        };
        assert_eq!(date.expires_before(7 * DAY - 1), None);
        assert_eq!(date.expires_before(7 * DAY), Some(i64::MAX));
        let off = LifecycleRule {
            is_enabled: false,
            abort_days: Some(1),
            ..rule(1)
        };
        assert_eq!(
            (off.expires_before(9 * DAY), off.aborts_before(9 * DAY)),
            (None, None)
        );
    }

    #[test]
    fn a_filter_asks_for_sizes_and_tags() {
        let tags = Tags::from([("kind".to_owned(), "log".to_owned())]);
        let filter = LifecycleRule {
            larger_than: Some(9),
            smaller_than: Some(11),
            tags: tags.clone(),
            ..rule(1)
        };
        assert!(filter.is_for(10, &tags));
        assert!(!filter.is_for(10, &Tags::new()));
        assert!(
            !LifecycleRule {
                larger_than: Some(10),
                ..rule(1)
            }
            .is_for(10, &tags)
        );
        assert!(
            !LifecycleRule {
                smaller_than: Some(10),
                ..rule(1)
            }
            .is_for(10, &tags)
        );
    }
}
