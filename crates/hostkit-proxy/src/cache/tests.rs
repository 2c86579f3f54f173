use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue, StatusCode};

use super::directives::Directives;
use super::rules::{self, Usable};

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

#[test]
fn lists_of_words_are_read_as_the_standard_writes_them() {
    let read = |text: &str| Directives::of_answer(&headers(&[("cache-control", text)]));
    for (text, most) in [
        ("max-age=60", Some(60)),
        ("MaX-AgE=60", Some(60)),
        (" max-age=60 ,public", Some(60)),
        ("max-age=\"60\"", Some(60)),
        ("max-age='60'", Some(0)),
        ("max-age=060", Some(60)),
        ("max-age=-60", Some(0)),
        ("max-age=60.5", Some(0)),
        ("max-age=60a", Some(0)),
        ("max-age", Some(0)),
        ("max-age= 60", Some(0)),
        ("max-age =60", None),
        ("x-max-age=60", None),
        ("max-age=99999999999999999999999", Some(1 << 31)),
        ("x=\"max-age=1\", max-age=60", Some(60)),
        ("x=\"a\\\", max-age=1\", max-age=60", Some(60)),
        ("max-age=60, max-age=30", Some(30)),
        ("", None),
    ] {
        assert_eq!(read(text).max_age, most, "{text}");
    }
    assert!(read("private=\"x-a, x-b\"").private);
    assert!(read("no-cache=\"set-cookie\"").no_cache);
    let unreadable = Directives::of_answer(&headers(&[("cache-control", "max-age=60, \u{e4}")]));
    assert!(unreadable.no_store);
    let own = headers(&[("cache-control", "no-store"), ("cdn-cache-control", "max-age=5")]);
    assert_eq!(Directives::of_answer(&own).max_age, Some(5));
    assert!(!Directives::of_answer(&own).no_store);
}

#[test]
fn nothing_is_kept_without_a_word() {
    let now = Instant::now();
    let kept = |lines: &[(&'static str, &str)], authorized| {
        rules::freshness(StatusCode::OK, &headers(lines), authorized, now, now).is_some()
    };
    assert!(!kept(&[], false));
    assert!(!kept(
        &[
            ("last-modified", "Thu, 01 Jan 1998 00:00:00 GMT"),
            ("etag", "\"a\"")
        ],
        false
    ));
    assert!(!kept(&[("cache-control", "public")], false));
    assert!(kept(&[("cache-control", "max-age=60")], false));
    assert!(!kept(&[("cache-control", "max-age=60")], true));
    assert!(!kept(
        &[("cache-control", "max-age=60"), ("set-cookie", "a=b")],
        false
    ));
    assert!(!kept(&[("cache-control", "max-age=60"), ("vary", "a, *")], false));
}

#[test]
fn time_makes_it_stale() {
    let now = Instant::now();
    let of = |text: &str| {
        let said = headers(&[("cache-control", text)]);
        rules::freshness(StatusCode::OK, &said, false, now, now).unwrap()
    };
    let request = |text: &str| Directives::of_request(&headers(&[("cache-control", text)]));
    let after = |seconds| now + Duration::from_secs(seconds);
    for (answer, asked, seconds, expected) in [
        ("max-age=60", "", 59, Usable::Fresh),
        ("max-age=60", "", 60, Usable::No),
        (
            "max-age=60, stale-while-revalidate=10",
            "",
            65,
            Usable::WhileRevalidating,
        ),
        ("max-age=60, stale-while-revalidate=10", "", 70, Usable::No),
        (
            "max-age=60, stale-while-revalidate=10, must-revalidate",
            "",
            65,
            Usable::No,
        ),
        (
            "s-maxage=60, stale-while-revalidate=10",
            "",
            65,
            Usable::WhileRevalidating,
        ),
        ("max-age=60", "max-stale", 900, Usable::Stale),
        ("max-age=60", "max-stale=10", 70, Usable::Stale),
        ("max-age=60", "max-stale=10", 71, Usable::No),
        ("s-maxage=60", "max-stale", 61, Usable::No),
        ("max-age=60, proxy-revalidate", "max-stale", 61, Usable::No),
        ("max-age=60", "min-fresh=10", 49, Usable::Fresh),
        ("max-age=60", "min-fresh=10", 50, Usable::No),
        ("max-age=60", "max-age=10", 10, Usable::Fresh),
        ("max-age=60", "max-age=10", 11, Usable::No),
        ("max-age=60", "no-cache", 0, Usable::No),
    ] {
        let found = of(answer).usable(&request(asked), false, after(seconds));
        assert_eq!(found, expected, "{answer} / {asked} / {seconds}");
    }
    assert!(of("max-age=60, stale-if-error=10").usable_instead_of_error(after(69)));
    assert!(!of("max-age=60, stale-if-error=10").usable_instead_of_error(after(70)));
    assert!(!of("max-age=60, stale-if-error=10, must-revalidate").usable_instead_of_error(after(61)));
}
