use proptest::prelude::*;

use super::*;

#[test]
fn project_names_follow_the_rule() {
    for good in ["my-app", "api-service", "web-app-v2", "abc", &"a".repeat(32)] {
        assert!(ProjectName::parse(good).is_ok(), "{good}");
    }
    let long = "a".repeat(33);
    for bad in [
        "My_App", "MYAPP", "my_app", "my--app", "ab", "", "1app", "-app", "app-", "my app", "my.app",
        "my/app", "..", "a\0b", "app\n", "äpp", "hostkit", "www", "x;rm -rf", "$(id)", "--help", &long,
    ] {
        assert!(ProjectName::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_label_of_a_database_is_nothing_that_could_be_mistaken() {
    for good in ["db", "tenant_a", "a", "a1", "abcdefghijklmnopqrstuvwx"] {
        assert!(DatabaseLabel::parse(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        "A",
        "1a",
        "_a",
        "a-b",
        "a.1",
        "a b",
        "a\"; drop database x; --",
        "a'b",
        "a\0",
        "ä",
        "../x",
        "abcdefghijklmnopqrstuvwxy",
    ] {
        assert!(DatabaseLabel::parse(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn a_refusal_shows_no_control_characters() {
    let error = ProjectName::parse("a\u{1b}[31m").unwrap_err();
    assert!(!error.to_string().contains('\u{1b}'));
}

#[test]
fn relative_paths_stay_inside() {
    for good in [".", "a", "a/b.txt", "a/..b", ".env", "ä/ü"] {
        assert!(RelativePath::parse(good).is_ok(), "{good}");
    }
    for bad in [
        "", "/", "/a", "a//b", "a/", "..", "a/../b", "./a", "a/.", "a\0", "a\nb", "a\\b",
    ] {
        assert!(RelativePath::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn host_names_have_no_scheme_port_or_path() {
    for good in [
        "localhost",
        "shop.localhost",
        "a-b.example.com",
        "xn--bcher-kva.example",
        "1.2.3.4",
    ] {
        assert!(HostName::parse(good).is_ok(), "{good}");
    }
    for bad in [
        "", "http://a", "a:80", "a/b", "A.com", "a..b", ".a", "a.", "-a.com", "a_b.com", "a b",
    ] {
        assert!(HostName::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn release_names_come_from_the_time() {
    let time: jiff::Timestamp = "2025-02-15T12:00:00Z".parse().unwrap();
    assert_eq!(ReleaseName::at(time, 1).as_str(), "20250215-120000");
    assert_eq!(ReleaseName::at(time, 2).as_str(), "20250215-120000-2");
    assert!(ReleaseName::parse("20250215-120000-2").is_ok());
    for bad in [
        "20250215",
        "20250215-12000",
        "20250215-120000-",
        "20250215-120000-1-1",
        "../20250215-120000",
        "current",
    ] {
        assert!(ReleaseName::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn names_are_checked_when_they_come_as_json() {
    assert!(serde_json::from_str::<ProjectName>("\"shop\"").is_ok());
    assert!(serde_json::from_str::<ProjectName>("\"../shop\"").is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn whatever_passes_is_safe_in_paths_hosts_and_command_lines(text in hostile()) {
        let plain = |t: &str| t.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.'));
        for name in [
            ProjectName::parse(&text).map(String::from),
            EnvironmentName::parse(&text).map(String::from),
            ProcessName::parse(&text).map(String::from),
            TokenName::parse(&text).map(String::from),
            HostName::parse(&text).map(String::from),
            ReleaseName::parse(&text).map(String::from),
        ]
        .into_iter()
        .flatten()
        {
            prop_assert_eq!(&name, &text);
            prop_assert!(plain(&name) && !name.starts_with(['-', '.']) && !name.contains(".."), "{}", name);
        }
        if let Ok(name) = VariableName::parse(&text) {
            prop_assert!(name.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
        }
        if let Ok(path) = RelativePath::parse(&text) {
            let below = path.under(std::path::Path::new("/base"));
            prop_assert!(below.starts_with("/base"));
            prop_assert!(below.components().all(|c| c != std::path::Component::ParentDir));
        }
        if let Err(error) = ProjectName::parse(&text) {
            prop_assert!(!error.to_string().contains(char::is_control));
        }
    }

    #[test]
    fn names_of_instances_read_back_or_are_refused(text in hostile()) {
        if let Ok(id) = crate::workload::InstanceId::try_from(text.clone()) {
            let again = crate::workload::InstanceId::try_from(id.to_string()).unwrap();
            prop_assert_eq!(again, id);
        }
    }

    #[test]
    fn quantities_are_read_or_refused(text in "[0-9.eE+_-]{0,24} ?[a-zA-Zµ]{0,4}|\\PC{0,20}") {
        if let Ok(size) = crate::size::ByteSize::parse(&text) {
            prop_assert!(!text.trim_start().starts_with('-') || size.0 == 0, "{}", text);
        }
        drop(crate::size::Span::parse(&text));
    }
}

/// Texts that are nearly names.
fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-z0-9.-]{0,40}",
        "[a-z]{1,5}(\\.[a-z0-9-]{1,9}){1,5}",
        "[a-z]{3,6}\\.[a-z]{1,6}\\.[a-z]{1,6}\\.[0-9+]{1,22}\\.[0-9+]{1,7}",
        "(\\.\\.?/|/|//|a|\\\\|\\n|\\x00|%2e){0,12}",
        "[0-9]{8}-[0-9]{6}(-[0-9]{1,4})?",
        "[A-Z_][A-Z0-9_=;$]{0,20}",
    ]
}
