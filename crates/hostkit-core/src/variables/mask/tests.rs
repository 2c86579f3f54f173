//! Masking: every form of a value is hidden, and nothing else.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use proptest::prelude::*;

use super::*;

const SECRET: &str = "s3cr3t?/>~ü &\"'$x";

fn masked(secret: &str, line: &str) -> String {
    Masker::new([secret]).mask(line).into_owned()
}

#[test]
fn a_value_is_hidden_as_it_is() {
    assert_eq!(masked("hunter2", "pass=hunter2;"), "pass=[masked];");
    assert_eq!(masked("hunter2", "hunter2hunter2 hunter2"), "[masked] [masked]");
    assert_eq!(masked("hunter2", "hunter"), "hunter");
}

#[test]
fn values_that_overlap_leave_nothing() {
    let masker = Masker::new(["abcdef", "defghi", "abcdefghi-long"]);
    assert_eq!(masker.mask("xabcdefghiy"), "x[masked]y");
    assert_eq!(masker.mask("xabcdefghi-longy"), "x[masked]y");
}

#[test]
fn every_encoding_is_hidden() {
    let json = serde_json::to_string(SECRET).unwrap();
    let forms = [
        json[1..json.len() - 1].to_owned(),
        "s3cr3t?\\/>~ü &\\\"'$x".into(),
        "s3cr3t?/>~\\u00fc &\\\"'$x".into(),
        "s3cr3t?/\\u003e~ü \\u0026\\\"'$x".into(),
        "s3cr3t%3F%2F%3E~%C3%BC%20%26%22%27%24x".into(),
        "s3cr3t%3f%2f%3e~%c3%bc%20%26%22%27%24x".into(),
        "s3cr3t%3F%2F%3E~%C3%BC%20%26%22'%24x".into(),
        "s3cr3t%3F/%3E~%C3%BC%20%26%22%27%24x".into(),
        "s3cr3t?/%3E~%C3%BC%20&%22'$x".into(),
        "s3cr3t%3F%2F%3E%7E%C3%BC+%26%22%27%24x".into(),
        "s3cr3t?/>~ü &\\\"'\\$x".into(),
        "s3cr3t?/>~ü &\"'\\''$x".into(),
        STANDARD.encode(SECRET),
        STANDARD_NO_PAD.encode(SECRET),
        URL_SAFE.encode(SECRET),
        URL_SAFE_NO_PAD.encode(SECRET),
    ];
    for form in forms {
        assert_eq!(masked(SECRET, &format!("a {form} b")), "a [masked] b", "{form}");
    }
}

#[test]
fn base64_of_a_longer_text_does_not_show_it() {
    for (before, after) in [
        ("", ""),
        ("u:", ""),
        ("us:", ":x"),
        ("use:", "::"),
        ("user:", "a"),
        ("longer:", "\n"),
    ] {
        for engine in [STANDARD, URL_SAFE] {
            let encoded = engine.encode(format!("{before}{SECRET}{after}"));
            let line = masked(SECRET, &format!("Authorization: Basic {encoded}"));
            assert!(line.contains(MASK), "{before:?} {after:?}: {line}");
            // What stays are the neighbours and at most one shared character at each end.
            let left = line.replace(MASK, "").len() - "Authorization: Basic ".len();
            assert!(
                left <= (before.len() + after.len()) * 4 / 3 + 6,
                "{before:?} {after:?}: {line}"
            );
        }
    }
}

#[test]
fn each_line_of_a_value_is_hidden_but_not_its_frame() {
    let pem = "-----BEGIN KEY-----\nMIIEvQIBADANBg\r\n  kqhkiG9w0BAQEF  \n-----END KEY-----\n";
    let masker = Masker::new([pem]);
    assert_eq!(masker.mask("MIIEvQIBADANBg"), MASK);
    assert_eq!(masker.mask("x kqhkiG9w0BAQEF"), "x [masked]");
    assert_eq!(masker.mask("-----BEGIN KEY-----"), "-----BEGIN KEY-----");
}

#[test]
fn the_password_of_a_url_is_hidden_alone_too() {
    let masker = Masker::new(["postgres://shop:p%40ssw0rd@db:5432/shop"]);
    assert_eq!(
        masker.mask("user shop, password p@ssw0rd or p%40ssw0rd"),
        "user shop, password [masked] or [masked]"
    );
    assert_eq!(
        masker.mask("to postgres://shop:p%40ssw0rd@db:5432/shop now"),
        "to [masked] now"
    );
}

#[test]
fn what_is_no_secret_stays() {
    let values = [
        "",
        "a",
        "true",
        "false",
        "production",
        "Localhost",
        "3000",
        "1234567",
        "postgres",
        "      ",
    ];
    let masker = Masker::new(values);
    for value in values {
        let line = format!("<{value}>");
        assert_eq!(masker.mask(&line), line);
    }
    assert_eq!(masked("12345678", "12345678"), MASK);
}

#[test]
fn a_line_without_a_value_is_not_copied() {
    let masker = Masker::new(["hunter2"]);
    assert!(matches!(
        masker.mask("nothing here"),
        Cow::Borrowed("nothing here")
    ));
    assert!(matches!(
        Masker::new::<&str>([]).mask("nothing"),
        Cow::Borrowed("nothing")
    ));
    assert_eq!(format!("{masker:?}"), "Masker");
}

#[test]
fn many_and_long_values_are_taken() {
    let values: Vec<String> = (0..500).map(|n| format!("value-{n}-{}", "x".repeat(n))).collect();
    let long = "y".repeat(128 * 1024);
    let masker = Masker::new(values.iter().chain([&long]));
    assert_eq!(masker.mask(&format!("a {} b", values[499])), "a [masked] b");
    assert_eq!(masker.mask(&format!("a {long} b")), "a [masked] b");
}

#[test]
fn values_that_repeat_in_themselves_cost_little() {
    let long = "x'\"$y\n".repeat(21_000);
    let masker = Masker::new([&long]);
    assert_eq!(masker.mask("x'\"$y"), "x'\"$y");
    let nested: String = (6..100).map(|n| format!("{}\n", "a".repeat(n))).collect();
    let masker = Masker::new([&nested]);
    assert_eq!(masker.mask(&"a".repeat(5_000)), MASK);
    assert_eq!(masker.mask("b aaaaaa b aaaaa b"), "b [masked] b aaaaa b");
}

proptest! {
    #[test]
    fn a_secret_never_shows(secret in "[^0-9\\s]\\PC{6,30}", before in "\\PC{0,9}", after in "\\PC{0,9}") {
        let masker = Masker::new([&secret]);
        let json = serde_json::to_string(&format!("{before}{secret}{after}")).unwrap();
        for line in [format!("{before}{secret}{after}"), json] {
            let hidden = masker.mask(&line);
            prop_assert!(hidden.contains(MASK), "{}", hidden);
            prop_assert!(!hidden.replace(MASK, "").contains(&secret) || before.contains(&secret));
        }
    }
}

#[test]
fn hex_is_hidden_too() {
    for upper in [false, true] {
        let digits: String = SECRET
            .bytes()
            .map(|byte| match upper {
                true => format!("{byte:02X}"),
                false => format!("{byte:02x}"),
            })
            .collect();
        assert_eq!(masked(SECRET, &format!("00{digits}ff")), format!("00{MASK}ff"));
    }
}

#[test]
fn without_knowing_the_values_nothing_is_shown() {
    assert_eq!(Masker::of_everything().mask("harmless"), MASK);
}
