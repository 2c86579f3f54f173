//! The public test cases for HTTP caches (https://github.com/http-tests/cache-tests, by their names), told to a real
//! front door with a scripted backend. The table in `docs/caching.md` is made from the rows here.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use crate::support::*;

const BODY: &str = "0123456789A";

/// What becomes of the last request.
#[derive(Clone, Copy, PartialEq)]
enum Want {
    /// It is answered from memory, with this status.
    Kept(u16),
    /// It goes to the backend.
    Asked,
    /// The backend is asked whether what is kept has changed.
    Confirmed,
    /// It fails with this status, and the backend is not asked.
    Refused(u16),
}
use Want::{Asked, Confirmed, Kept, Refused};

struct Case {
    group: &'static str,
    name: String,
    what: String,
    /// Headers of the first request, and its answer: a status, then headers.
    send: String,
    answer: String,
    /// A request between: method and answer.
    between: Option<(&'static str, String)>,
    again: String,
    answer_again: String,
    want: Want,
    /// Where the suite would like something else: why.
    why: &'static str,
}

fn case(
    group: &'static str,
    name: impl Into<String>,
    what: impl Into<String>,
    answer: &str,
    want: Want,
) -> Case {
    Case {
        group,
        name: name.into(),
        what: what.into(),
        send: String::new(),
        answer: answer.into(),
        between: None,
        again: String::new(),
        answer_again: if want == Confirmed {
            "304".into()
        } else {
            "200".into()
        },
        want,
        why: "",
    }
}

impl Case {
    fn send(mut self, send: &str) -> Case {
        self.send = send.into();
        self
    }

    fn again(mut self, again: &str) -> Case {
        self.again = again.into();
        self
    }

    fn answer_again(mut self, answer: &str) -> Case {
        self.answer_again = answer.into();
        self
    }

    fn between(mut self, method: &'static str, answer: &str) -> Case {
        self.between = Some((method, answer.into()));
        self
    }

    fn otherwise(mut self, why: &'static str) -> Case {
        self.why = why;
        self
    }
}

fn freshness() -> Vec<Case> {
    let group = "freshness";
    let row =
        |name: &str, what: &str, answer: &str, want| case(group, name, what, &format!("200\n{answer}"), want);
    let cc =
        |name: &str, what: &str, value: &str, want| row(name, what, &format!("Cache-Control: {value}"), want);
    vec![
        row("freshness-none", "nothing is said", "", Asked),
        row(
            "heuristic-200-cached",
            "only a Last-Modified",
            "Last-Modified: {-100000}",
            Asked,
        )
        .otherwise("nothing is kept by a guess"),
        cc("freshness-max-age", "max-age", "max-age=3600", Kept(200)),
        cc("freshness-max-age-0", "max-age=0", "max-age=0", Asked),
        cc(
            "freshness-max-age-quoted",
            "a quoted number",
            "max-age=\"3600\"",
            Kept(200),
        ),
        cc(
            "freshness-max-age-single-quoted",
            "a number in single quotes",
            "max-age='3600'",
            Asked,
        ),
        cc(
            "freshness-max-age-ignore-quoted",
            "max-age in a quoted text",
            "extension=\"max-age=100\", max-age=0",
            Asked,
        ),
        cc(
            "freshness-max-age-ignore-quoted-rev",
            "the same, behind",
            "max-age=0, extension=\"max-age=100\"",
            Asked,
        ),
        cc(
            "freshness-max-age-ignore-quoted-all",
            "both quoted",
            "extension=\"max-age=100\", max-age=\"0\"",
            Asked,
        ),
        cc(
            "freshness-max-age-space-before-equals",
            "a space before `=`",
            "max-age =100",
            Asked,
        ),
        cc(
            "freshness-max-age-space-after-equals",
            "a space behind `=`",
            "max-age= 100",
            Asked,
        ),
        cc(
            "freshness-max-age-a100",
            "a letter before the number",
            "max-age=a100",
            Asked,
        ),
        cc(
            "freshness-max-age-100a",
            "a letter behind it",
            "max-age=100a",
            Asked,
        ),
        cc(
            "freshness-max-age-negative",
            "a negative number",
            "max-age=-3600",
            Asked,
        ),
        cc(
            "freshness-max-age-decimal-five",
            "a fraction",
            "max-age=3600.5",
            Asked,
        ),
        cc(
            "freshness-max-age-leading-zero",
            "a zero in front",
            "max-age=03600",
            Kept(200),
        ),
        cc(
            "freshness-max-age-max",
            "2147483648",
            "max-age=2147483648",
            Kept(200),
        ),
        cc(
            "freshness-max-age-max-plus",
            "more than that",
            "max-age=99999999999",
            Kept(200),
        ),
        cc(
            "freshness-max-age-two-fresh-stale-sameline",
            "two numbers",
            "max-age=3600, max-age=0",
            Asked,
        ),
        cc(
            "freshness-max-age-extension",
            "an unknown word",
            "foobar, max-age=3600",
            Kept(200),
        ),
        cc(
            "freshness-max-age-case-insenstive",
            "mixed case",
            "MaX-aGe=3600",
            Kept(200),
        ),
        row(
            "freshness-max-age-two-fresh-stale-sepline",
            "two lines",
            "Cache-Control: max-age=3600\nCache-Control: max-age=0",
            Asked,
        ),
        row(
            "freshness-max-age-expires",
            "max-age and a past Expires",
            "Cache-Control: max-age=3600\nExpires: {-10000}\nDate: {0}",
            Kept(200),
        ),
        row(
            "freshness-max-age-expires-invalid",
            "max-age and a broken Expires",
            "Cache-Control: max-age=3600\nExpires: 0\nDate: {0}",
            Kept(200),
        ),
        row(
            "freshness-max-age-0-expires",
            "max-age=0 and a future Expires",
            "Cache-Control: max-age=0\nExpires: {10000}\nDate: {0}",
            Asked,
        ),
        row(
            "freshness-max-age-date",
            "max-age and an old Date",
            "Cache-Control: max-age=3600\nDate: {-7200}",
            Asked,
        ),
    ]
}

fn age() -> Vec<Case> {
    let group = "age";
    let row = |name: &str, what: &str, age: &str, want| {
        case(
            group,
            name,
            what,
            &format!("200\nDate: {{0}}\nCache-Control: max-age=3600\n{age}"),
            want,
        )
    };
    vec![
        row(
            "freshness-max-age-age",
            "older than its lifetime",
            "Age: 7200",
            Asked,
        ),
        row(
            "other-age-update-max-age",
            "an age that grows",
            "Age: 30",
            Kept(200),
        ),
        row("age-parse-nonnumeric", "no number", "Age: abc", Kept(200)),
        row("age-parse-negative", "a negative number", "Age: -7200", Kept(200)),
        row("age-parse-float", "a fraction", "Age: 7200.0", Kept(200)),
        row("age-parse-large", "2147483648", "Age: 2147483648", Asked),
        row("age-parse-larger", "more than that", "Age: 99999999999", Asked),
        row("age-parse-suffix", "`,0` behind", "Age: 7200,0", Asked)
            .otherwise("the first value counts, as the standard says"),
        row(
            "age-parse-suffix-twoline",
            "a second line with 0",
            "Age: 7200\nAge: 0",
            Asked,
        )
        .otherwise("the first line counts"),
        row("age-parse-prefix", "`0,` in front", "Age: 0,7200", Kept(200)),
        row(
            "age-parse-prefix-twoline",
            "a first line with 0",
            "Age: 0\nAge: 7200",
            Kept(200),
        ),
        row("age-parse-dup-0", "twice 0", "Age: 0, 0", Kept(200)),
        row("age-parse-dup-old", "twice an old one", "Age: 7200, 7200", Asked).otherwise("it is old"),
        row(
            "age-parse-parameter",
            "a parameter",
            "Age: 7200;foo=bar",
            Kept(200),
        ),
    ]
}

fn expires() -> Vec<Case> {
    let group = "expires";
    let row =
        |name: &str, what: &str, answer: &str, want| case(group, name, what, &format!("200\n{answer}"), want);
    vec![
        row(
            "freshness-expires-future",
            "in a month",
            "Expires: {2592000}\nDate: {0}",
            Kept(200),
        ),
        row(
            "freshness-expires-past",
            "a month ago",
            "Expires: {-2592000}\nDate: {0}",
            Asked,
        ),
        row(
            "freshness-expires-present",
            "now",
            "Expires: {0}\nDate: {0}",
            Asked,
        ),
        row(
            "freshness-expires-old-date",
            "before Date",
            "Expires: {300}\nDate: {400}",
            Asked,
        ),
        row("freshness-expires-invalid", "`0`", "Expires: 0\nDate: {0}", Asked),
        row(
            "freshness-expires-invalid-multiple-lines",
            "two lines, one broken",
            "Expires: {2592000}\nExpires: 0\nDate: {0}",
            Asked,
        ),
        row(
            "freshness-expires-age-slow-date",
            "older than it lasts",
            "Expires: {10}\nDate: {0}\nAge: 25",
            Asked,
        ),
        row(
            "freshness-expires-age-fast-date",
            "younger than it lasts",
            "Expires: {1000}\nDate: {0}\nAge: 25",
            Kept(200),
        ),
        row(
            "freshness-expires-rfc850",
            "an old form of dates",
            "Expires: Thursday, 18-Aug-50 02:01:18 GMT\nDate: {0}",
            Kept(200),
        ),
        row(
            "freshness-expires-ansi-c",
            "another old form",
            "Expires: Thu Aug 18 02:01:18 2050\nDate: {0}",
            Kept(200),
        ),
        row(
            "freshness-expires-wrong-tz",
            "a zone that is not GMT",
            "Expires: Thu, 18 Aug 2050 02:01:18 AEST\nDate: {0}",
            Asked,
        ),
    ]
}

fn s_maxage() -> Vec<Case> {
    let group = "s-maxage";
    let row =
        |name: &str, what: &str, answer: &str, want| case(group, name, what, &format!("200\n{answer}"), want);
    let cc =
        |name: &str, what: &str, value: &str, want| row(name, what, &format!("Cache-Control: {value}"), want);
    vec![
        cc("freshness-s-maxage-shared", "alone", "s-maxage=3600", Kept(200)),
        cc(
            "freshness-max-age-s-maxage-shared-longer",
            "shorter than max-age",
            "max-age=3600, s-maxage=0",
            Asked,
        ),
        cc(
            "freshness-max-age-s-maxage-shared-longer-reversed",
            "the same, in front",
            "s-maxage=0, max-age=3600",
            Asked,
        ),
        row(
            "freshness-max-age-s-maxage-shared-longer-multiple",
            "the same in two lines",
            "Cache-Control: max-age=3600\nCache-Control: s-maxage=0",
            Asked,
        ),
        cc(
            "freshness-max-age-s-maxage-shared-shorter",
            "longer than max-age",
            "max-age=0, s-maxage=3600",
            Kept(200),
        ),
        row(
            "freshness-max-age-s-maxage-shared-shorter-expires",
            "and an Expires of the past",
            "Cache-Control: s-maxage=3600\nExpires: {-10}\nDate: {0}",
            Kept(200),
        ),
        row(
            "cdn-max-age",
            "CDN-Cache-Control: max-age",
            "CDN-Cache-Control: max-age=3600",
            Kept(200),
        ),
        row(
            "cdn-max-age-0",
            "CDN-Cache-Control: max-age=0",
            "CDN-Cache-Control: max-age=0",
            Asked,
        ),
        row(
            "cdn-max-age-age",
            "CDN-Cache-Control and an older Age",
            "CDN-Cache-Control: max-age=3600\nDate: {0}\nAge: 7200",
            Asked,
        ),
        row(
            "cdn-max-age-short-cc-max-age",
            "a longer one for caches like this",
            "Cache-Control: max-age=0\nCDN-Cache-Control: max-age=3600",
            Kept(200),
        ),
        row(
            "cdn-max-age-long-cc-max-age",
            "a shorter one",
            "Cache-Control: max-age=3600\nCDN-Cache-Control: max-age=0",
            Asked,
        ),
        row(
            "cdn-max-age-expires",
            "and an Expires of the past",
            "CDN-Cache-Control: max-age=3600\nExpires: {-10000}\nDate: {0}",
            Kept(200),
        ),
        row(
            "cdn-max-age-0-expires",
            "max-age=0 and a future Expires",
            "CDN-Cache-Control: max-age=0\nExpires: {10000}\nDate: {0}",
            Asked,
        ),
        row(
            "cdn-private",
            "CDN-Cache-Control: private",
            "CDN-Cache-Control: private\nCache-Control: max-age=10000",
            Asked,
        ),
        row(
            "cdn-no-cache",
            "CDN-Cache-Control: no-cache",
            "CDN-Cache-Control: no-cache\nCache-Control: max-age=10000",
            Asked,
        ),
        row(
            "cdn-no-store-cc-fresh",
            "CDN-Cache-Control: no-store",
            "CDN-Cache-Control: no-store\nCache-Control: max-age=10000",
            Asked,
        ),
        row(
            "cdn-fresh-cc-nostore",
            "no-store for the others",
            "CDN-Cache-Control: max-age=10000\nCache-Control: no-store",
            Kept(200),
        ),
        row(
            "cdn-cc-invalid-sh-type-unknown",
            "one that cannot be read",
            "CDN-Cache-Control: max-age=10000, &&&&&\nCache-Control: no-store",
            Asked,
        ),
        row(
            "cdn-cc-invalid-sh-type-wrong",
            "a time that is a text",
            "CDN-Cache-Control: max-age=\"10000\"\nCache-Control: no-store",
            Asked,
        ),
    ]
}

fn requests() -> Vec<Case> {
    let group = "cc-request";
    let row = |name: &str, what: &str, answer: &str, again: &str, want| {
        case(group, name, what, &format!("200\nCache-Control: {answer}"), want)
            .again(&format!("Cache-Control: {again}"))
    };
    vec![
        row(
            "ccreq-ma0",
            "max-age=0",
            "max-age=3600\nAge: 1",
            "max-age=0",
            Asked,
        ),
        row(
            "ccreq-ma1",
            "max-age=1",
            "max-age=3600\nAge: 2",
            "max-age=1",
            Asked,
        ),
        row(
            "ccreq-magreaterage",
            "a max-age that it is too old for",
            "max-age=3600\nAge: 1800",
            "max-age=600",
            Asked,
        ),
        row(
            "ccreq-max-stale",
            "max-stale",
            "max-age=1\nAge: 2\nETag: \"a\"",
            "max-stale=1000",
            Kept(200),
        ),
        row(
            "ccreq-max-stale-age",
            "max-stale and Age",
            "max-age=1500\nAge: 2000\nETag: \"a\"",
            "max-stale=1000",
            Kept(200),
        ),
        row(
            "ccreq-min-fresh",
            "min-fresh",
            "max-age=1500",
            "min-fresh=2000",
            Asked,
        ),
        row(
            "ccreq-min-fresh-age",
            "min-fresh and Age",
            "max-age=1500\nAge: 1000",
            "min-fresh=1000",
            Asked,
        ),
        row("ccreq-no-cache", "no-cache", "max-age=3600", "no-cache", Asked),
        row(
            "ccreq-no-cache-lm",
            "no-cache and a Last-Modified",
            "max-age=3600\nLast-Modified: {-10000}\nDate: {0}",
            "no-cache",
            Confirmed,
        ),
        row(
            "ccreq-no-cache-etag",
            "no-cache and an ETag",
            "max-age=3600\nETag: \"abc\"",
            "no-cache",
            Confirmed,
        ),
        row("ccreq-no-store", "no-store", "max-age=3600", "no-store", Asked),
        row(
            "ccreq-oic",
            "only-if-cached, and nothing there",
            "no-store",
            "only-if-cached",
            Refused(504),
        ),
        row(
            "ccreq-oic-fresh",
            "only-if-cached, and it is there (ours)",
            "max-age=60",
            "only-if-cached",
            Kept(200),
        ),
    ]
}

fn answers() -> Vec<Case> {
    let group = "cc-response";
    let row =
        |name: &str, what: &str, answer: &str, want| case(group, name, what, &format!("200\n{answer}"), want);
    let cc =
        |name: &str, what: &str, value: &str, want| row(name, what, &format!("Cache-Control: {value}"), want);
    vec![
        cc(
            "cc-resp-private-shared",
            "private",
            "private, max-age=3600",
            Asked,
        ),
        cc(
            "cc-resp-private-fields",
            "private for one header (ours)",
            "private=\"x-a\", max-age=3600",
            Asked,
        ),
        cc("cc-resp-no-store", "no-store", "no-store", Asked),
        cc(
            "cc-resp-no-store-case-insensitive",
            "mixed case",
            "No-StOrE",
            Asked,
        ),
        row(
            "cc-resp-no-store-fresh",
            "no-store beside max-age and Expires",
            "Cache-Control: max-age=10000, no-store\nExpires: {10000}\nDate: {0}",
            Asked,
        ),
        row(
            "cc-resp-no-cache",
            "no-cache beside max-age and Expires",
            "Cache-Control: max-age=10000, no-cache\nExpires: {10000}\nDate: {0}",
            Asked,
        ),
        cc(
            "cc-resp-no-cache-case-insensitive",
            "mixed case",
            "max-age=10000, No-CaChE",
            Asked,
        ),
        row(
            "cc-resp-no-cache-revalidate",
            "no-cache and an ETag",
            "Cache-Control: no-cache\nETag: \"abcd\"",
            Confirmed,
        ),
        row(
            "cc-resp-no-cache-revalidate-fresh",
            "no-cache, max-age and an ETag",
            "Cache-Control: max-age=10000, no-cache\nETag: \"abcd\"",
            Confirmed,
        ),
        row(
            "cc-resp-must-revalidate-fresh",
            "must-revalidate, fresh",
            "Cache-Control: max-age=10000, must-revalidate\nETag: \"abcd\"",
            Kept(200),
        ),
        row(
            "cc-resp-must-revalidate-stale",
            "must-revalidate, stale",
            "Cache-Control: max-age=2, must-revalidate\nETag: \"abcd\"\nAge: 3",
            Confirmed,
        ),
        row(
            "headers-omit-headers-listed-in-Cache-Control-no-cache-single",
            "no-cache for one header",
            "Cache-Control: no-cache=\"a\"\na: 1\nCache-Control: max-age=3600\nDate: {0}",
            Asked,
        )
        .otherwise("it counts as no-cache: the backend is asked for all of it"),
        cc(
            "cc-resp-must-understand",
            "must-understand beside no-store (RFC 9111, 5.2.2.3; ours)",
            "max-age=60, no-store, must-understand",
            Kept(200),
        ),
        case(
            group,
            "cc-resp-must-understand-unknown",
            "the same, and a status that is not known (ours)",
            "299\nCache-Control: max-age=60, must-understand",
            Asked,
        ),
        row(
            "headers-store-Set-Cookie",
            "a Set-Cookie",
            "Cache-Control: max-age=3600\nSet-Cookie: a=b",
            Asked,
        )
        .otherwise("an answer with a cookie is somebody's own and never kept"),
        row(
            "surrogate-max-age",
            "Surrogate-Control",
            "Surrogate-Control: max-age=3600",
            Asked,
        )
        .otherwise("not standardised; CDN-Cache-Control is read"),
    ]
}

fn vary() -> Vec<Case> {
    let group = "vary";
    let row = |name: &str, what: &str, names: &str, send: &str, again: &str, want| {
        case(
            group,
            name,
            what,
            &format!("200\nExpires: {{5000}}\nDate: {{0}}\nLast-Modified: {{-3000}}\n{names}"),
            want,
        )
        .send(send)
        .again(again)
    };
    vec![
        row(
            "vary-match",
            "the same value",
            "Vary: Foo",
            "Foo: 1",
            "Foo: 1",
            Kept(200),
        ),
        row(
            "vary-no-match",
            "another value",
            "Vary: Foo",
            "Foo: 1",
            "Foo: 2",
            Asked,
        ),
        row(
            "vary-omit-stored",
            "none the first time",
            "Vary: Foo",
            "",
            "Foo: 1",
            Asked,
        ),
        row(
            "vary-omit",
            "none the second time",
            "Vary: Foo",
            "Foo: 1",
            "",
            Asked,
        ),
        row(
            "vary-cache-key",
            "a header that is not named",
            "Vary: Foo",
            "Foo: 1\nOther: 2",
            "Foo: 1\nOther: 3",
            Kept(200),
        ),
        row(
            "vary-2-match",
            "two headers",
            "Vary: Foo, Bar",
            "Foo: 1\nBar: abc",
            "Foo: 1\nBar: abc",
            Kept(200),
        ),
        row(
            "vary-2-no-match",
            "two headers, one differs",
            "Vary: Foo, Bar",
            "Foo: 1\nBar: abc",
            "Foo: 2\nBar: abc",
            Asked,
        ),
        row(
            "vary-2-match-omit",
            "two headers, none the second time",
            "Vary: Foo, Bar",
            "Foo: 1",
            "",
            Asked,
        ),
        row(
            "vary-3-match",
            "three headers",
            "Vary: Foo, Bar, Baz",
            "Foo: 1\nBar: 2\nBaz: 3",
            "Foo: 1\nBar: 2\nBaz: 3",
            Kept(200),
        ),
        row(
            "vary-3-no-match",
            "three headers, one differs",
            "Vary: Foo, Bar, Baz",
            "Foo: 1\nBar: 2\nBaz: 3",
            "Foo: 2\nBar: 2\nBaz: 3",
            Asked,
        ),
        row(
            "vary-3-omit",
            "three headers, one is never there",
            "Vary: Foo, Bar, Baz",
            "Foo: 1\nBaz: 3",
            "Foo: 1\nBaz: 3",
            Kept(200),
        ),
        row(
            "vary-3-order",
            "another order",
            "Vary: Foo, Bar, Baz",
            "Foo: 1\nBar: 2\nBaz: 3",
            "Baz: 3\nBar: 2\nFoo: 1",
            Kept(200),
        ),
        row("vary-star", "`*`", "Vary: *", "Foo: 1", "Foo: 1", Asked),
        row(
            "vary-syntax-star-foo",
            "`*` and a header",
            "Vary: *, Foo",
            "Foo: 1",
            "Foo: 1",
            Asked,
        ),
        row(
            "vary-syntax-empty-star-lines",
            "`*` in a line of its own",
            "Vary: Foo\nVary: *",
            "Foo: 1",
            "Foo: 1",
            Asked,
        ),
        row(
            "vary-normalise-space",
            "white space",
            "Vary: Foo",
            "Foo: 1,2",
            "Foo:  1, 2 ",
            Kept(200),
        ),
        row(
            "vary-normalise-combine",
            "two lines for one",
            "Vary: Foo",
            "Foo: 1, 2",
            "Foo: 1\nFoo: 2",
            Kept(200),
        ),
        row(
            "vary-normalise-lang-order",
            "languages in another order",
            "Vary: Accept-Language",
            "Accept-Language: en, de",
            "Accept-Language: de, en",
            Asked,
        )
        .otherwise("the order may matter to the application"),
        row(
            "vary-normalise-lang-case",
            "languages in another case",
            "Vary: Accept-Language",
            "Accept-Language: en",
            "Accept-Language: EN",
            Asked,
        )
        .otherwise("values are compared as they are"),
        row(
            "vary-codings",
            "codings written in another way (ours)",
            "Vary: Accept-Encoding",
            "Accept-Encoding: gzip, br",
            "Accept-Encoding: br , gzip;q=1.0",
            Kept(200),
        ),
    ]
}

fn conditional() -> Vec<Case> {
    let group = "conditional";
    let fresh = |name: &str, what: &str, tag: &str, again: &str, want| {
        case(
            group,
            name,
            what,
            &format!("200\nCache-Control: max-age=3600\n{tag}"),
            want,
        )
        .again(again)
    };
    let stale = |name: &str, what: &str, answer: &str, want| {
        case(
            group,
            name,
            what,
            &format!("200\nCache-Control: max-age=2\nAge: 5\n{answer}"),
            want,
        )
    };
    vec![
        fresh(
            "conditional-etag-strong-respond",
            "If-None-Match with the tag",
            "ETag: \"abcdef\"",
            "If-None-Match: \"abcdef\"",
            Kept(304),
        ),
        fresh(
            "conditional-etag-strong-respond-no-match",
            "with another one (ours)",
            "ETag: \"abcdef\"",
            "If-None-Match: \"xyz\"",
            Kept(200),
        ),
        fresh(
            "conditional-etag-precedence",
            "it comes before If-Modified-Since",
            "ETag: \"abcdef\"\nLast-Modified: {-5000}",
            "If-None-Match: \"abcdef\"\nIf-Modified-Since: {-9000}",
            Kept(304),
        ),
        fresh(
            "conditional-etag-weak-respond",
            "a weak tag",
            "ETag: W/\"abcdef\"",
            "If-None-Match: W/\"abcdef\"",
            Kept(304),
        ),
        fresh(
            "conditional-etag-strong-respond-multiple-first",
            "the first of several",
            "ETag: \"abcdef\"",
            "If-None-Match: \"abcdef\", \"1\", \"2\"",
            Kept(304),
        ),
        fresh(
            "conditional-etag-strong-respond-multiple-second",
            "the second",
            "ETag: \"abcdef\"",
            "If-None-Match: \"1\", \"abcdef\", \"2\"",
            Kept(304),
        ),
        fresh(
            "conditional-etag-strong-respond-multiple-last",
            "the last",
            "ETag: \"abcdef\"",
            "If-None-Match: \"1\", \"2\", \"abcdef\"",
            Kept(304),
        ),
        fresh(
            "conditional-etag-quoted-respond-unquoted",
            "a tag without quotes",
            "ETag: \"abcdef\"",
            "If-None-Match: abcdef",
            Kept(200),
        )
        .otherwise("it is another tag"),
        fresh(
            "conditional-lm-fresh",
            "If-Modified-Since, not changed",
            "Last-Modified: {-3000}\nDate: {0}",
            "If-Modified-Since: {-3000}",
            Kept(304),
        ),
        fresh(
            "conditional-lm-fresh-earlier",
            "If-Modified-Since, changed after",
            "Last-Modified: {-3000}\nDate: {0}",
            "If-Modified-Since: {-4000}",
            Kept(200),
        ),
        stale(
            "conditional-etag-strong-generate",
            "stale, with a tag",
            "ETag: \"abcdef\"",
            Confirmed,
        ),
        stale(
            "conditional-etag-weak-generate-weak",
            "stale, with a weak tag",
            "ETag: W/\"abcdef\"",
            Confirmed,
        ),
        stale(
            "conditional-lm-stale",
            "stale, with a Last-Modified",
            "Last-Modified: {-3000}",
            Confirmed,
        ),
        stale(
            "conditional-etag-changed",
            "stale, and it has changed (ours)",
            "ETag: \"abcdef\"",
            Asked,
        ),
        stale(
            "conditional-etag-vary-headers",
            "stale, one of several forms",
            "Vary: Abc\nETag: \"abcdef\"",
            Confirmed,
        )
        .send("Abc: 1")
        .again("Abc: 1"),
        stale(
            "304-etag-update-response-Cache-Control",
            "the 304 makes it fresh (see the next one)",
            "ETag: \"abcdef\"",
            Confirmed,
        )
        .answer_again("304\nCache-Control: max-age=3600\nETag: \"abcdef\""),
    ]
}

fn invalidation() -> Vec<Case> {
    let group = "invalidation";
    let mut all = Vec::new();
    for method in ["POST", "PUT", "DELETE", "M-SEARCH"] {
        let row = |name: String, what: String, answer: &str, want| {
            case(group, name, what, "200\nCache-Control: max-age=3600", want).between(method, answer)
        };
        all.extend([
            row(
                format!("invalidate-{method}"),
                format!("after a {method} that worked"),
                "200",
                Asked,
            ),
            row(
                format!("invalidate-{method}-failed"),
                format!("after a {method} that failed"),
                "500",
                Kept(200),
            ),
            row(
                format!("invalidate-{method}-location"),
                format!("named by Location of a {method}"),
                "200\nLocation: {elsewhere}",
                Asked,
            ),
            row(
                format!("invalidate-{method}-cl"),
                format!("named by Content-Location of a {method}"),
                "200\nContent-Location: {elsewhere}",
                Asked,
            ),
        ]);
    }
    all.push(
        case(
            group,
            "invalidate-other-host",
            "named on another host (ours)",
            "200\nCache-Control: max-age=3600",
            Kept(200),
        )
        .between("POST", "200\nLocation: http://other.localhost{elsewhere}"),
    );
    all
}

fn partial() -> Vec<Case> {
    let group = "partial";
    let whole = |name: &str, what: &str, again: &str, want| {
        case(
            group,
            name,
            what,
            "200\nCache-Control: max-age=3600\nETag: \"a\"",
            want,
        )
        .again(again)
    };
    let part = |name: &str, what: &str, again: &str, want| {
        case(
            group,
            name,
            what,
            "206\nCache-Control: max-age=3600\nContent-Range: bytes 4-14/15",
            want,
        )
        .send("Range: bytes=4-")
        .again(again)
    };
    vec![
        whole(
            "partial-store-complete-reuse-partial",
            "the beginning of what is whole",
            "Range: bytes=0-1",
            Kept(206),
        ),
        whole(
            "partial-store-complete-reuse-partial-no-last",
            "its rest",
            "Range: bytes=1-",
            Kept(206),
        ),
        whole(
            "partial-store-complete-reuse-partial-suffix",
            "its end",
            "Range: bytes=-1",
            Kept(206),
        ),
        whole(
            "partial-use-headers",
            "behind its end (ours)",
            "Range: bytes=99-",
            Kept(416),
        ),
        whole(
            "partial-if-range-match",
            "If-Range with the tag (ours)",
            "Range: bytes=0-1\nIf-Range: \"a\"",
            Kept(206),
        ),
        whole(
            "partial-if-range-other",
            "If-Range with another one (ours)",
            "Range: bytes=0-1\nIf-Range: \"b\"",
            Kept(200),
        ),
        part(
            "partial-store-partial-reuse-partial",
            "a part is asked for again",
            "Range: bytes=4-",
            Asked,
        )
        .otherwise("parts are not kept: the backend is asked"),
        part(
            "partial-store-partial-reuse-partial-byterange",
            "a part of the part",
            "Range: bytes=6-8",
            Asked,
        )
        .otherwise("parts are not kept"),
        part(
            "partial-store-partial-complete",
            "the whole after a part",
            "",
            Asked,
        ),
    ]
}

fn stale() -> Vec<Case> {
    let group = "stale";
    let row = |name: &str, what: &str, value: &str, answer: &str, want| {
        case(
            group,
            name,
            what,
            &format!("200\nCache-Control: {value}\nAge: 5\nETag: \"a\""),
            want,
        )
        .answer_again(answer)
    };
    vec![
        row(
            "stale-close",
            "the backend closes, and nothing is said of that",
            "max-age=2",
            "close",
            Refused(502),
        )
        .otherwise("only what the application allows is given stale"),
        row(
            "stale-503",
            "it answers 503, and nothing is said",
            "max-age=2",
            "503",
            Asked,
        )
        .otherwise("only what the application allows is given stale"),
        row(
            "stale-sie-close",
            "stale-if-error, it closes",
            "max-age=2, stale-if-error=60",
            "close",
            Kept(200),
        ),
        row(
            "stale-sie-503",
            "stale-if-error, it answers 503",
            "max-age=2, stale-if-error=60",
            "503",
            Kept(200),
        ),
        row(
            "stale-sie-404",
            "stale-if-error, it answers 404 (ours)",
            "max-age=2, stale-if-error=60",
            "404",
            Asked,
        ),
        row(
            "stale-sie-over",
            "stale-if-error, and that time is over (ours)",
            "max-age=2, stale-if-error=1",
            "503",
            Asked,
        ),
        row(
            "stale-close-must-revalidate",
            "must-revalidate",
            "max-age=2, stale-if-error=60, must-revalidate",
            "close",
            Refused(502),
        ),
        row(
            "stale-close-proxy-revalidate",
            "proxy-revalidate",
            "max-age=2, stale-if-error=60, proxy-revalidate",
            "close",
            Refused(502),
        ),
        row(
            "stale-close-no-cache",
            "no-cache",
            "max-age=2, stale-if-error=60, no-cache",
            "close",
            Refused(502),
        ),
        row(
            "stale-close-s-maxage=2",
            "s-maxage",
            "max-age=2, s-maxage=2",
            "close",
            Refused(502),
        ),
        row(
            "stale-while-revalidate",
            "stale-while-revalidate",
            "max-age=2, stale-while-revalidate=60",
            "304",
            Kept(200),
        ),
        row(
            "stale-while-revalidate-window",
            "and that time is over",
            "max-age=2, stale-while-revalidate=1",
            "200",
            Asked,
        ),
    ]
}

fn status() -> Vec<Case> {
    let group = "status codes";
    let mut all = Vec::new();
    for status in [
        200, 203, 204, 299, 301, 302, 303, 307, 308, 400, 404, 410, 499, 500, 502, 503, 504, 599,
    ] {
        all.push(case(
            group,
            format!("status-{status}-fresh"),
            format!("{status}, fresh"),
            &format!("{status}\nCache-Control: max-age=3600\nLocation: /x"),
            Kept(status),
        ));
    }
    for status in [200, 204, 301, 404, 503] {
        all.push(case(
            group,
            format!("status-{status}-stale"),
            format!("{status}, stale"),
            &format!("{status}\nCache-Control: max-age=2\nAge: 5\nLocation: /x"),
            Asked,
        ));
    }
    all
}

fn rest() -> Vec<Case> {
    let fresh = "200\nCache-Control: max-age=3600";
    let authorized = |name: &str, what: &str, value: &str, want| {
        case(
            "authorization",
            name,
            what,
            &format!("200\nCache-Control: {value}"),
            want,
        )
        .send("Authorization: FOO")
    };
    vec![
        case(
            "pragma",
            "pragma-request-no-cache",
            "Pragma: no-cache of a request",
            fresh,
            Asked,
        )
        .again("Pragma: no-cache"),
        case(
            "pragma",
            "pragma-request-extension",
            "another Pragma",
            fresh,
            Kept(200),
        )
        .again("Pragma: foo"),
        case(
            "pragma",
            "pragma-request-cache-control",
            "beside Cache-Control (ours)",
            fresh,
            Kept(200),
        )
        .again("Pragma: no-cache\nCache-Control: max-age=600"),
        case(
            "pragma",
            "pragma-response-no-cache",
            "Pragma: no-cache of an answer",
            "200\nCache-Control: max-age=3600\nPragma: no-cache",
            Kept(200),
        ),
        authorized(
            "other-authorization",
            "a request with Authorization",
            "max-age=3600",
            Asked,
        ),
        authorized(
            "other-authorization-public",
            "and public",
            "max-age=3600, public",
            Kept(200),
        ),
        authorized(
            "other-authorization-must-revalidate",
            "and must-revalidate",
            "max-age=3600, must-revalidate",
            Kept(200),
        ),
        authorized(
            "other-authorization-smaxage",
            "and s-maxage",
            "s-maxage=3600",
            Kept(200),
        ),
        case(
            "authorization",
            "other-authorization-later",
            "kept for all, asked for with Authorization (ours)",
            fresh,
            Asked,
        )
        .again("Authorization: FOO"),
    ]
}

fn cases() -> Vec<Case> {
    [
        freshness(),
        age(),
        expires(),
        s_maxage(),
        requests(),
        answers(),
        vary(),
        conditional(),
        invalidation(),
        partial(),
        stale(),
        status(),
        rest(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Lines with dates and places put in.
fn lines(text: &str, elsewhere: &str) -> Vec<String> {
    text.split('\n')
        .filter(|line| !line.is_empty())
        .map(|line| {
            let mut line = line.replace("{elsewhere}", elsewhere);
            if let Some((before, rest)) = line.clone().split_once('{') {
                let (seconds, after) = rest.split_once('}').unwrap();
                let seconds: i64 = seconds.parse().unwrap();
                let now = SystemTime::now();
                let span = Duration::from_secs(seconds.unsigned_abs());
                let then = if seconds < 0 { now - span } else { now + span };
                line = format!("{before}{}{after}", httpdate::fmt_http_date(then));
            }
            line
        })
        .collect()
}

type Script = Arc<Mutex<HashMap<String, (String, Vec<Seen>)>>>;

/// A backend that answers each path as it was told to.
fn scripted() -> (Upstream, Script) {
    let script = Script::default();
    let told = Arc::clone(&script);
    let upstream = Upstream::start(move |seen, stream| {
        let path = seen.line().split(' ').nth(1).unwrap().to_owned();
        let answer = match told.lock().unwrap().get_mut(&path) {
            Some((answer, all)) => {
                all.push(seen.clone());
                answer.clone()
            }
            None => "200\nCache-Control: max-age=3600".into(),
        };
        if answer == "close" {
            return false;
        }
        let lines = lines(&answer, &format!("{path}-elsewhere"));
        let bodiless = matches!(lines[0].as_str(), "204" | "304");
        let mut head = format!("HTTP/1.1 {} Said\r\n", lines[0]);
        for line in &lines[1..] {
            head.push_str(&format!("{line}\r\n"));
        }
        if !bodiless {
            head.push_str(&format!("Content-Length: {}\r\n", BODY.len()));
        }
        let body = if bodiless { "" } else { BODY };
        stream.write_all(format!("{head}\r\n{body}").as_bytes()).is_ok()
    });
    (upstream, script)
}

fn run(door: &Door, script: &Script, at: usize, case: &Case) -> Result<(), String> {
    let path = format!("/{at}");
    let first = match &case.between {
        Some((_, answer)) if answer.contains("elsewhere") => format!("{path}-elsewhere"),
        _ => path.clone(),
    };
    let ask = |method: &str, path: &str, send: &str, answer: &str| {
        let before = {
            let mut script = script.lock().unwrap();
            let told = script.entry(path.to_owned()).or_default();
            told.0 = answer.to_owned();
            told.1.len()
        };
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: shop.localhost\r\n");
        for line in lines(send, "") {
            request.push_str(&format!("{line}\r\n"));
        }
        if method != "GET" {
            request.push_str("Content-Length: 0\r\n");
        }
        let answer = door.send(format!("{request}\r\n"));
        let seen = script.lock().unwrap()[path].1[before..].to_vec();
        (answer, seen)
    };
    ask("GET", &first, &case.send, &case.answer);
    if let Some((method, answer)) = &case.between {
        ask(method, &path, "", answer);
    }
    let (answer, seen) = ask("GET", &first, &case.again, &case.answer_again);
    let told = format!(
        "{} {:?} after {} questions to the backend: {seen:?}",
        answer.status,
        answer.header("x-hostkit-cache"),
        seen.len()
    );
    let conditions =
        |seen: &Seen| seen.header("if-none-match").is_some() || seen.header("if-modified-since").is_some();
    let may_ask = case.name.starts_with("stale-");
    let fine = match case.want {
        Kept(status) => {
            answer.status == status
                && (seen.is_empty() || may_ask)
                && matches!(answer.header("x-hostkit-cache"), Some("HIT" | "STALE"))
                && (!matches!(status, 200 | 404) || answer.text() == BODY)
                && answer.header("age").is_some()
        }
        Asked => seen.len() == 1 && answer.header("x-hostkit-cache").is_some(),
        Confirmed => {
            seen.len() == 1
                && conditions(&seen[0])
                && answer.status == 200
                && answer.header("x-hostkit-cache") == Some("REVALIDATED")
                && answer.text() == BODY
        }
        Refused(status) => answer.status == status && (seen.is_empty() || may_ask),
    };
    fine.then_some(()).ok_or(told)
}

#[test]
fn the_cases_of_the_public_suite() {
    let (upstream, script) = scripted();
    let door = Door::start();
    door.apply(vec![to("shop", &[upstream.address])]);
    door.get("shop.localhost", "/warm");
    let cases = cases();
    assert!(cases.len() >= 80);
    let mut failed = String::new();
    for (at, case) in cases.iter().enumerate() {
        if let Err(told) = run(&door, &script, at, case) {
            failed.push_str(&format!("{}: {told}\n", case.name));
        }
    }
    assert!(failed.is_empty(), "{failed}");
}

#[test]
fn the_table_in_the_docs_is_this_one() {
    let cases = cases();
    let differs = cases.iter().filter(|case| !case.why.is_empty()).count();
    let mut table = format!(
        "{} cases, of which {differs} differ from what the suite would like; why stands in the last column.\n\n| group | case | what it looks at | here | differs, because |\n|---|---|---|---|---|\n",
        cases.len()
    );
    for case in &cases {
        let here = match case.want {
            Kept(status) => format!("from memory, {status}"),
            Asked => "the backend is asked".into(),
            Confirmed => "the backend confirms it".into(),
            Refused(status) => format!("{status}"),
        };
        table.push_str(&format!(
            "| {} | {} | {} | {here} | {} |\n",
            case.group, case.name, case.what, case.why
        ));
    }
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/caching.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (begin, end) = ("<!-- cases -->\n", "<!-- end of cases -->");
    let (before, rest) = text.split_once(begin).unwrap();
    let (_, after) = rest.split_once(end).unwrap();
    let wanted = format!("{before}{begin}{table}{end}{after}");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, wanted).unwrap();
    } else {
        assert!(text == wanted, "run this test with UPDATE=1 and read the change");
    }
}
