//! Which backups stay: the newest of each of the last so many hours, days, weeks, months and years that have any. Periods
//! without a backup do not count, so a machine that was off for a month loses nothing when it comes back.

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Condition, Taken};

#[cfg(test)]
mod tests;

/// How many backups stay. Each rule counts by itself; a backup that several of them name is one backup. Periods are
/// those of UTC, weeks begin on Monday.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// The newest so many, whenever they were made.
    pub last: u32,
    /// The newest of so many hours.
    pub hourly: u32,
    /// The newest of so many days.
    pub daily: u32,
    /// The newest of so many weeks.
    pub weekly: u32,
    /// The newest of so many months.
    pub monthly: u32,
    /// The newest of so many years.
    pub yearly: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Retention {
            last: 0,
            hourly: 0,
            daily: 7,
            weekly: 4,
            monthly: 3,
            yearly: 0,
        }
    }
}

/// Why a backup stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It is the newest that is known to be good.
    NewestGood,
    /// It came after the newest that is known to be good.
    Newer,
    /// Somebody asked for it to stay.
    Held,
    /// It is one of the last.
    Last,
    /// It stands for an hour.
    Hourly,
    /// It stands for a day.
    Daily,
    /// It stands for a week.
    Weekly,
    /// It stands for a month.
    Monthly,
    /// It stands for a year.
    Yearly,
}

/// A backup that stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Kept {
    /// Its number.
    pub number: u64,
    /// Why; never empty, in the order of [`Reason`].
    pub reasons: Vec<Reason>,
}

/// What becomes of backups.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// Those that stay, newest first.
    pub keep: Vec<Kept>,
    /// The numbers of those that go, newest first.
    pub remove: Vec<u64>,
}

/// A stretch of time that one backup stands for.
type Period = (u32, Date, i8);

/// A rule: how many it keeps, and what they stand for; nothing where each stands for itself.
type Rule = (Reason, u32, fn(&Taken) -> Option<Period>);

impl Retention {
    /// Judges backups, in whatever order they are given.
    ///
    /// Promises are kept with backups that are proven: one that nobody tried takes no place from one that is known to be
    /// good. The newest proven one stays whatever the rules say, and so does everything that came after it, since
    /// nobody knows yet whether there is anything better. A damaged one goes once a later one is proven.
    pub fn judge(&self, backups: &[Taken]) -> Verdict {
        let mut backups: Vec<&Taken> = backups.iter().collect();
        backups.sort_unstable_by_key(|backup| std::cmp::Reverse(backup.number));
        let newest_good = backups
            .iter()
            .find(|backup| backup.condition == Condition::Proven)
            .map(|backup| backup.number);
        let proven = self.chosen(&backups, |backup| backup.condition == Condition::Proven);
        let usable = self.chosen(&backups, |backup| {
            backup.condition != Condition::Damaged && Some(backup.number) <= newest_good
        });
        let mut verdict = Verdict::default();
        for (index, backup) in backups.iter().enumerate() {
            let mut reasons: Vec<Reason> = [&proven[index], &usable[index]]
                .into_iter()
                .flatten()
                .copied()
                .collect();
            match Some(backup.number).cmp(&newest_good) {
                std::cmp::Ordering::Equal => reasons.push(Reason::NewestGood),
                std::cmp::Ordering::Greater => reasons.push(Reason::Newer),
                std::cmp::Ordering::Less => {}
            }
            if backup.held {
                reasons.push(Reason::Held);
            }
            reasons.sort_unstable();
            reasons.dedup();
            match reasons.is_empty() {
                true => verdict.remove.push(backup.number),
                false => verdict.keep.push(Kept {
                    number: backup.number,
                    reasons,
                }),
            }
        }
        verdict
    }

    /// What would be kept, had backups been made at these times, one after the other, each of them proven and the
    /// others judged right after it; and the most that there ever were at once.
    pub fn simulate(&self, times: impl IntoIterator<Item = jiff::Timestamp>) -> Simulation {
        let mut simulation = Simulation::default();
        let mut there: Vec<Taken> = Vec::new();
        for at in times {
            let mut taken = Taken::after(there.first(), at);
            taken.condition = Condition::Proven;
            there.insert(0, taken);
            simulation.taken += 1;
            simulation.most = simulation.most.max(there.len());
            simulation.verdict = self.judge(&there);
            there.retain(|backup| !simulation.verdict.remove.contains(&backup.number));
        }
        simulation.kept = there;
        simulation
    }

    /// Why each backup is chosen, of those that `eligible` admits. The list is in order, newest first.
    fn chosen(&self, backups: &[&Taken], eligible: impl Fn(&Taken) -> bool) -> Vec<Vec<Reason>> {
        let mut reasons = vec![Vec::new(); backups.len()];
        let rules: [Rule; 6] = [
            (Reason::Last, self.last, |_| None),
            (Reason::Hourly, self.hourly, |backup| Some(hour(backup))),
            (Reason::Daily, self.daily, |backup| Some(day(backup))),
            (Reason::Weekly, self.weekly, |backup| Some(week(backup))),
            (Reason::Monthly, self.monthly, |backup| Some(month(backup))),
            (Reason::Yearly, self.yearly, |backup| Some(year(backup))),
        ];
        for (reason, mut places, period) in rules {
            let mut periods = BTreeSet::new();
            for (index, backup) in backups.iter().enumerate().filter(|(_, backup)| eligible(backup)) {
                let period = period(backup);
                if period.is_some_and(|period| periods.contains(&period)) {
                    continue;
                }
                if places == 0 {
                    break;
                }
                places -= 1;
                periods.extend(period);
                reasons[index].push(reason);
            }
        }
        reasons
    }
}

/// What would become of backups in the course of time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Simulation {
    /// How many were made.
    pub taken: usize,
    /// The most that there were at once.
    pub most: usize,
    /// Those that are there in the end, newest first.
    pub kept: Vec<Taken>,
    /// What was decided last, with the reasons.
    pub verdict: Verdict,
}

fn date(backup: &Taken) -> Date {
    backup.at.to_zoned(TimeZone::UTC).date()
}

fn hour(backup: &Taken) -> Period {
    let at = backup.at.to_zoned(TimeZone::UTC);
    (backup.run, at.date(), at.hour())
}

fn day(backup: &Taken) -> Period {
    (backup.run, date(backup), 0)
}

fn week(backup: &Taken) -> Period {
    let date = date(backup);
    // Monday by Monday: a week has one year, whichever its days are in.
    let back = i64::from(date.weekday().to_monday_zero_offset());
    let monday = date.checked_sub(jiff::Span::new().days(back)).unwrap_or(date);
    (backup.run, monday, 0)
}

fn month(backup: &Taken) -> Period {
    (backup.run, date(backup).first_of_month(), 0)
}

fn year(backup: &Taken) -> Period {
    (backup.run, date(backup).first_of_year(), 0)
}
