use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::*;

const DAY: i64 = 86_400;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn good(number: u64, at: Timestamp) -> Taken {
    Taken {
        number,
        run: 0,
        at,
        condition: Condition::Proven,
        held: false,
    }
}

fn every_day(from: &str, days: i64) -> impl Iterator<Item = Timestamp> {
    let from = at(from);
    (0..days).map(move |day| from + SignedDuration::from_secs(day * DAY))
}

fn kept_days(simulation: &Simulation) -> Vec<String> {
    let day = |backup: &Taken| date(backup).to_string();
    simulation.kept.iter().map(day).collect()
}

#[test]
fn seven_days_four_weeks_three_months() {
    let simulation = Retention::default().simulate(every_day("2025-11-01T02:00:00Z", 400));

    // The last day is Saturday, 5 December 2026. Sundays stand for the weeks before, month ends for the months.
    assert_eq!(
        kept_days(&simulation),
        [
            "2026-12-05",
            "2026-12-04",
            "2026-12-03",
            "2026-12-02",
            "2026-12-01",
            "2026-11-30",
            "2026-11-29",
            "2026-11-22",
            "2026-11-15",
            "2026-10-31",
        ]
    );
    assert_eq!(simulation.taken, 400);
    assert!(simulation.most <= 7 + 4 + 3 + 1);
}

#[test]
fn the_reasons_say_all_that_a_backup_stands_for() {
    let verdict = Retention::default().judge(&[good(1, at("2026-11-01T02:00:00Z"))]);

    assert_eq!(
        verdict.keep[0].reasons,
        [Reason::NewestGood, Reason::Daily, Reason::Weekly, Reason::Monthly]
    );
}

#[test]
fn a_machine_that_was_off_loses_nothing() {
    let before = every_day("2026-01-01T02:00:00Z", 10);
    let after = every_day("2026-09-01T02:00:00Z", 1);

    let simulation = Retention::default().simulate(before.chain(after));

    // Six days of January and the one day of September, not one of the last seven days.
    assert!(simulation.kept.len() >= 7, "{simulation:?}");
}

#[test]
fn the_last_days_of_december_and_the_first_of_january_are_one_week() {
    let weekly = Retention {
        daily: 0,
        monthly: 0,
        weekly: 2,
        ..Retention::default()
    };

    let simulation = weekly.simulate(every_day("2026-12-28T02:00:00Z", 7));

    assert_eq!(kept_days(&simulation), ["2027-01-03"]);
}

#[test]
fn the_only_good_one_stays_whatever_the_rules_say_and_however_many_fail_after_it() {
    let nothing = Retention {
        daily: 0,
        weekly: 0,
        monthly: 0,
        ..Retention::default()
    };
    let mut backups = vec![good(1, at("2020-01-01T02:00:00Z"))];
    for (number, at) in (2..100).zip(every_day("2020-01-02T02:00:00Z", 98)) {
        backups.push(Taken {
            condition: Condition::Damaged,
            ..good(number, at)
        });
    }

    let verdict = nothing.judge(&backups);

    assert_eq!(verdict.keep.last().unwrap().number, 1);
    assert_eq!(verdict.remove, Vec::<u64>::new());
}

#[test]
fn what_nobody_tried_takes_no_place_from_what_is_good() {
    let one = Retention {
        daily: 1,
        weekly: 0,
        monthly: 0,
        ..Retention::default()
    };
    let days: Vec<Timestamp> = every_day("2026-01-01T02:00:00Z", 3).collect();
    let untried = |number, at| Taken {
        condition: Condition::Unproven,
        ..good(number, at)
    };

    let newest_is_untried = one.judge(&[good(1, days[0]), good(2, days[1]), untried(3, days[2])]);
    assert_eq!(newest_is_untried.remove, [1]);
    let then_proven = one.judge(&[good(2, days[1]), good(3, days[2])]);
    assert_eq!(then_proven.remove, [2]);
}

#[test]
fn a_damaged_one_goes_once_a_later_one_is_good() {
    let backups = [
        good(1, at("2026-01-01T02:00:00Z")),
        Taken {
            condition: Condition::Damaged,
            ..good(2, at("2026-01-02T02:00:00Z"))
        },
        good(3, at("2026-01-03T02:00:00Z")),
    ];

    assert_eq!(Retention::default().judge(&backups).remove, [2]);
    assert_eq!(
        Retention::default().judge(&backups[..2]).remove,
        Vec::<u64>::new()
    );
}

#[test]
fn held_ones_stay() {
    let mut first = good(1, at("2020-01-01T02:00:00Z"));
    first.held = true;
    let mut backups = vec![first];
    backups.extend(
        (2..500)
            .zip(every_day("2021-01-01T02:00:00Z", 498))
            .map(|(number, at)| good(number, at)),
    );

    let verdict = Retention::default().judge(&backups);

    assert_eq!(verdict.keep.last().unwrap().reasons, [Reason::Held]);
}

#[test]
fn a_clock_that_was_wrong_for_a_day_costs_no_other_day_its_backup() {
    let before: Vec<Timestamp> = every_day("2026-03-01T02:00:00Z", 7).collect();
    let wrong = at("2099-01-01T00:00:00Z");
    let after: Vec<Timestamp> = every_day("2026-03-08T02:00:00Z", 3).collect();

    let times = before.into_iter().chain([wrong]).chain(after);
    let simulation = Retention::default().simulate(times);

    // The wrong one has a place like any other, and the days before it are still told apart.
    let daily = |kept: &&Kept| kept.reasons.contains(&Reason::Daily);
    assert_eq!(simulation.verdict.keep.iter().filter(daily).count(), 7);
    assert_eq!(simulation.kept[0].run, 1);
}

#[test]
fn setting_the_clock_right_by_minutes_begins_no_new_run() {
    let first = Taken::after(None, at("2026-03-01T02:00:00Z"));
    let second = Taken::after(Some(&first), at("2026-03-01T01:30:00Z"));
    let third = Taken::after(Some(&second), at("2026-02-01T00:00:00Z"));

    assert_eq!((first.number, second.number, third.number), (1, 2, 3));
    assert_eq!((first.run, second.run, third.run), (0, 0, 1));
}

/// Ten years: pauses between backups, mostly about a day, and what the clock is set to in between, mostly nothing.
fn ten_years() -> impl Strategy<Value = Vec<Timestamp>> {
    let pause = prop_oneof![
        8 => 20 * 3600..28 * 3600i64,
        2 => 60..6 * 3600i64,
        1 => 2 * DAY..90 * DAY,
    ];
    let step = prop_oneof![
        40 => Just(0i64),
        1 => -3600..3600i64,
        1 => -400 * DAY..400 * DAY,
        1 => -30 * 365 * DAY..30 * 365 * DAY,
    ];
    prop::collection::vec((pause, step), 1..1500).prop_map(|steps| {
        let (mut passed, mut wrong) = (0, 0);
        let mut times = Vec::new();
        for (pause, step) in steps {
            passed += pause;
            wrong += step;
            if passed > 10 * 365 * DAY {
                break;
            }
            let begin = 1_800_000_000;
            times.push(Timestamp::from_second((begin + passed + wrong).clamp(0, 200_000_000_000)).unwrap());
        }
        times
    })
}

fn rules() -> impl Strategy<Value = Retention> {
    (0..4u32, 0..30u32, 0..15u32, 0..9u32, 0..14u32, 0..5u32).prop_map(
        |(last, hourly, daily, weekly, monthly, yearly)| Retention {
            last,
            hourly,
            daily,
            weekly,
            monthly,
            yearly,
        },
    )
}

/// What is promised, said in another way: of all backups that ever were, the last of each period, the last so many.
fn promised(all: &[Taken], places: u32, period: fn(&Taken) -> Period) -> Vec<u64> {
    let mut last_of: BTreeMap<Period, u64> = BTreeMap::new();
    for backup in all {
        last_of.insert(period(backup), backup.number);
    }
    let mut numbers: Vec<u64> = last_of.into_values().collect();
    numbers.sort_unstable_by_key(|number| std::cmp::Reverse(*number));
    numbers.truncate(places as usize);
    numbers
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Removing day by day leaves just what was promised of the whole history: no backup was removed too early, and
    /// none stays for nothing.
    #[test]
    fn ten_years_of_removing_leave_what_is_promised_of_all_that_there_ever_was(times in ten_years(), rules in rules()) {
        let mut all: Vec<Taken> = Vec::new();
        for at in &times {
            let mut taken = Taken::after(all.last(), *at);
            taken.condition = Condition::Proven;
            all.push(taken);
        }
        let mut expected: Vec<u64> = [
            promised(&all, rules.hourly, hour),
            promised(&all, rules.daily, day),
            promised(&all, rules.weekly, week),
            promised(&all, rules.monthly, month),
            promised(&all, rules.yearly, year),
            all.iter().rev().map(|backup| backup.number).take(rules.last.max(1) as usize).collect(),
        ]
        .concat();
        expected.sort_unstable_by_key(|number| std::cmp::Reverse(*number));
        expected.dedup();

        let simulation = rules.simulate(times);

        let kept: Vec<u64> = simulation.kept.iter().map(|backup| backup.number).collect();
        prop_assert_eq!(kept, expected);
    }

    /// Whatever is found out about backups, and whenever: the newest good one stays, so does all that is newer, and
    /// each rule has as many good ones as there are periods to fill.
    #[test]
    fn never_fewer_than_promised_and_never_the_only_good_one(
        times in ten_years(),
        rules in rules(),
        findings in prop::collection::vec((any::<prop::sample::Index>(), 0..10u8), 1..400),
    ) {
        let mut there: Vec<Taken> = Vec::new();
        for (at, (which, finding)) in times.iter().zip(findings.iter().cycle()) {
            there.push(Taken::after(there.last(), *at));
            let which = which.index(there.len());
            let found = &mut there[which];
            match finding {
                0 => found.condition = Condition::Damaged,
                1 => found.held = !found.held,
                2 => {}
                _ if found.condition == Condition::Unproven => found.condition = Condition::Proven,
                _ => {}
            }
            let good: Vec<Taken> = there.iter().filter(|b| b.condition == Condition::Proven).cloned().collect();

            let verdict = rules.judge(&there);

            let keeps = |number: u64| verdict.keep.iter().any(|kept| kept.number == number);
            if let Some(newest) = good.last() {
                prop_assert!(keeps(newest.number));
            }
            for backup in &there {
                if backup.held || Some(backup.number) > good.last().map(|good| good.number) {
                    prop_assert!(keeps(backup.number));
                }
            }
            for number in [
                promised(&good, rules.hourly, hour),
                promised(&good, rules.daily, day),
                promised(&good, rules.weekly, week),
                promised(&good, rules.monthly, month),
                promised(&good, rules.yearly, year),
            ].concat() {
                prop_assert!(keeps(number));
            }
            prop_assert_eq!(verdict.keep.len() + verdict.remove.len(), there.len());
            there.retain(|backup| keeps(backup.number));
        }
    }
}
