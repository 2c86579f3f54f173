use super::*;

fn rule(format: Option<ValueFormat>, min_length: Option<u32>, pattern: Option<&str>) -> VariableRule {
    VariableRule {
        min_length,
        format,
        pattern: pattern.map(str::to_owned),
    }
}

#[test]
fn lengths_are_counted_in_characters() {
    let rule = rule(None, Some(4), None);
    assert_eq!(rule.refusal("äöüß"), None);
    assert_eq!(
        rule.refusal("abc").unwrap(),
        "has 3 characters, at least 4 are needed"
    );
}

#[test]
fn formats() {
    for (format, good, bad) in [
        (
            ValueFormat::Url,
            &[
                "https://example.com",
                "postgres://u:p@h:5/x?y",
                "redis://127.0.0.1:1/0",
                "http://[::1]:80/",
            ][..],
            &[
                "example.com",
                "://x",
                "http://",
                "http:///x",
                "http://a b",
                "1http://x",
                "http://:80",
                "https://u@",
            ][..],
        ),
        (
            ValueFormat::Integer,
            &["0", "-3", "9223372036854775807"][..],
            &["secret", "", "1.5", "x", "9223372036854775808"][..],
        ),
        (
            ValueFormat::Boolean,
            &["true", "false"][..],
            &["", "yes", "True", "1"][..],
        ),
    ] {
        for value in good {
            assert_eq!(rule(Some(format), None, None).refusal(value), None, "{value}");
        }
        for value in bad {
            let why = rule(Some(format), None, None).refusal(value).unwrap();
            assert!(!why.contains("secret"), "{why}");
        }
        assert_eq!(format.as_str().parse(), Ok(format));
    }
}

#[test]
fn a_pattern_is_for_the_whole_value() {
    let key = rule(None, None, Some("sk_live_.+|sk_test_.+"));
    assert_eq!(key.refusal("sk_test_1"), None);
    for value in ["xsk_test_1", "sk_live_", "sk_test_1\n"] {
        assert!(key.refusal(value).is_some(), "{value:?}");
    }
}

#[test]
fn patterns_that_are_none_or_too_large_are_refused() {
    assert_eq!(check_pattern("[a-z]{2,5}"), Ok(()));
    for pattern in ["[", "(", "a)", "a{1000}{1000}", &"x".repeat(1025)] {
        assert!(check_pattern(pattern).is_err(), "{pattern}");
    }
}

#[test]
fn no_pattern_takes_long() {
    let slow = rule(None, None, Some("(a|a)*(a|aa)*b"));
    assert!(slow.refusal(&"a".repeat(50_000)).is_some());
}
