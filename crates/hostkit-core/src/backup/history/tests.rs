use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::backup::part::FileFigures;

fn at(hour: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_hours(500_000 + hour)
}

fn piece(number: u64) -> LogPiece {
    LogPiece::parse(&format!("0000000100000000{number:08X}")).unwrap()
}

/// Bases by number, first piece and hour; pieces by number, filed at the hour of the same number.
fn kept(bases: &[(u64, u64, i64)], pieces: impl IntoIterator<Item = u64>) -> Kept {
    let mut kept = Kept::default();
    for &(number, first, hour) in bases {
        kept.add_base(Base {
            number,
            first: piece(first),
            from: at(hour),
            figures: FileFigures {
                bytes: 100,
                hash: String::new(),
                plain_bytes: 0,
                plain_hash: String::new(),
            },
        });
    }
    for number in pieces {
        kept.add_piece(KeptPiece {
            piece: piece(number),
            filed_at: at(number as i64),
            bytes: 1,
        });
    }
    kept
}

fn window(from: i64, to: i64) -> Window {
    Window {
        from: at(from),
        to: at(to),
    }
}

#[test]
fn pieces_follow_each_other_over_the_end_of_a_number() {
    let next = |text: &str| LogPiece::parse(text).unwrap().next().unwrap().to_string();
    assert_eq!(next("000000010000000000000003"), "000000010000000000000004");
    assert_eq!(next("00000001000000000000007F"), "000000010000000000000080");
    assert_eq!(next("0000000100000009000000FF"), "000000010000000A00000000");
    assert_eq!(LogPiece::parse("00000001FFFFFFFF000000FF").unwrap().next(), None);
    for bad in [
        "",
        "00000001000000000000000",
        "00000001000000000000000g",
        "00000001000000000000000a",
        "../0000010000000000000000",
    ] {
        assert!(LogPiece::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn what_lies_at_a_target_is_read_back_and_is_no_projects() {
    let all = [
        paths::Part::Files(3),
        paths::Part::Manifest(3),
        paths::Part::Piece(LogPiece::parse("0000000100000009000000FF").unwrap(), at(1)),
    ];
    for part in all {
        let path = paths::of("7312345678901234567", &part).unwrap();
        assert!(path.is_below(&paths::folder("7312345678901234567").unwrap()));
        assert_eq!(paths::read(&path), Some(part));
        assert_eq!(crate::backup::manifest::read_path(&path), None);
    }
    for other in [
        "shop/production/3/postgres",
        "cluster.postgres/1/log/x.1",
        "cluster.postgres/1/base/x/files",
    ] {
        assert_eq!(paths::read(&other.parse().unwrap()), None, "{other}");
    }
}

#[test]
fn windows_go_from_a_base_as_far_as_nothing_is_missing() {
    assert_eq!(kept(&[], [1, 2]).windows(), []);
    assert_eq!(kept(&[(1, 3, 2)], [1, 2]).windows(), []);
    assert_eq!(kept(&[(1, 2, 2)], 1..=5).windows(), [window(2, 5)]);
    assert_eq!(kept(&[(1, 2, 2), (2, 4, 4)], 1..=9).windows(), [window(2, 9)]);
    let broken = kept(&[(1, 2, 2), (2, 7, 7)], [2, 3, 4, 7, 8]);
    assert_eq!(broken.windows(), [window(2, 4), window(7, 8)]);
    assert_eq!(broken.bytes(), 205);
}

#[test]
fn a_moment_is_reached_by_the_last_base_before_it_and_no_more_log_than_that_takes() {
    let kept = kept(&[(1, 2, 2), (2, 10, 10)], (2..=20).filter(|number| *number != 8));
    let reaching = |hour| kept.reaching(at(hour));
    assert_eq!(reaching(1), Err(Unreached::Before));
    assert_eq!(reaching(8), Err(Unreached::Gap));
    assert_eq!(reaching(21), Err(Unreached::After));
    assert_eq!(super::Kept::default().reaching(at(1)), Err(Unreached::Nothing));
    let (base, tries) = reaching(12).unwrap();
    let lengths: Vec<usize> = tries.iter().map(Vec::len).collect();
    assert_eq!((base.number, lengths), (2, vec![6, 11]));
    assert_eq!(tries[0][0].piece, piece(10));
    let (base, tries) = reaching(7).unwrap();
    assert_eq!((base.number, tries.len(), tries[0].len()), (1, 1, 6));
}

#[test]
fn a_base_is_due_once_a_week_and_after_a_gap() {
    let week = 7 * 24;
    assert!(kept(&[], [1]).is_base_due(at(0)));
    assert!(!kept(&[(1, 2, 2)], []).is_base_due(at(3)));
    assert!(!kept(&[(1, 2, 2)], 1..=4).is_base_due(at(5)));
    assert!(!kept(&[(1, 2, 2)], 1..=4).is_base_due(at(-900)));
    assert!(kept(&[(1, 2, 2)], 1..=4).is_base_due(at(2 + week)));
    assert!(kept(&[(1, 2, 2)], [2, 3, 5]).is_base_due(at(5)));
    assert!(kept(&[(1, 2, 2)], [3]).is_base_due(at(5)));
}

#[test]
fn what_is_too_old_goes_and_no_log_is_left_without_its_base() {
    let gone = |kept: &Kept, now: i64, on| {
        let useless = kept.useless(at(now), 1, on);
        let pieces: Vec<LogPiece> = useless.pieces.iter().map(|piece| piece.piece.clone()).collect();
        (useless.bases, pieces)
    };
    let pieces = |numbers: std::ops::RangeInclusive<u64>| numbers.map(piece).collect::<Vec<_>>();
    let whole = kept(&[(1, 2, 2), (2, 10, 10), (3, 20, 20)], 1..=30);
    // Before the first base nothing is of use; the base before the horizon stays with all its log.
    assert_eq!(gone(&whole, 30, true), (vec![], pieces(1..=1)));
    assert_eq!(gone(&whole, 10 + 24, true), (vec![1], pieces(1..=9)));
    assert_eq!(gone(&whole, 1000, true), (vec![1, 2], pieces(1..=19)));
    assert_eq!(gone(&whole, 1000, false), (vec![1, 2, 3], pieces(1..=30)));
    // What a gap left behind the last moment that it is good for.
    let broken = kept(&[(1, 2, 2), (2, 10, 10)], [2, 3, 6, 7, 10, 11]);
    assert_eq!(gone(&broken, 11, true), (vec![], vec![piece(6), piece(7)]));
    assert_eq!(
        gone(&broken, 4 + 24, true),
        (vec![1], [2, 3, 6, 7].map(piece).to_vec())
    );
    // While the first base is made its log is none's yet.
    assert_eq!(gone(&kept(&[], 1..=3), 1000, true), (vec![], vec![]));
    assert_eq!(gone(&kept(&[], 1..=3), 1000, false), (vec![], pieces(1..=3)));
}

#[test]
fn a_window_is_told_to_the_second_and_never_wider_than_it_is() {
    let told = Window {
        from: "2026-11-22T02:10:00.5Z".parse().unwrap(),
        to: "2026-11-29T12:00:00.9Z".parse().unwrap(),
    };
    assert_eq!(
        told.to_string(),
        "from 2026-11-22T02:10:01Z to 2026-11-29T12:00:00Z"
    );
    let just_begun = Window {
        to: told.from,
        ..told
    };
    assert_eq!(just_begun.to_string(), "from 2026-11-22T02:10:01Z");
}
