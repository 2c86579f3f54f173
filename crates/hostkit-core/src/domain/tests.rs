//! What is a domain and what is none.

use super::*;

#[test]
fn names_are_taken_as_people_write_them() {
    for (written, name) in [
        ("shop.example.com", "shop.example.com"),
        ("Shop.Example.COM.", "shop.example.com"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("4711.example.com", "4711.example.com"),
        ("*.Shop.Example.com.", "*.shop.example.com"),
        ("*.example.com", "*.example.com"),
    ] {
        assert_eq!(parse(written).unwrap().to_string(), name);
    }
}

#[test]
fn what_is_no_name_of_its_own_is_refused_with_a_reason() {
    for (written, why) in [
        ("*.com", "needs a dot, as in `*.shop"),
        ("*.localhost", "needs a dot, as in `*.shop"),
        ("*.*.example.com", "is not a valid host name"),
        ("**.example.com", "is not a valid host name"),
        ("x*.example.com", "is not a valid host name"),
        ("*.203.0.113.7", "ends with a number"),
        ("*", "is not a valid host name"),
        ("a.*.example.com", "is not a valid host name"),
        ("*.", "is not a valid host name"),
        ("localhost", "needs a dot"),
        ("127.0.0.1", "ends with a number"),
        ("203.0.113.7.", "ends with a number"),
        ("::1", "is not a valid host name"),
        ("", "is not a valid host name"),
        (".", "is not a valid host name"),
        ("a..b", "is not a valid host name"),
        ("http://a.example", "is not a valid host name"),
        ("a.example:80", "is not a valid host name"),
        ("a.example/../b", "is not a valid host name"),
        ("a.example\r\nx: y", "is not a valid host name"),
        ("a.example\0", "is not a valid host name"),
        ("-a.example", "is not a valid host name"),
        ("bücher.example", "is not a valid host name"),
        ("$(id).example", "is not a valid host name"),
    ] {
        let refused = parse(written).unwrap_err();
        assert!(refused.contains(why), "{written}: {refused}");
        assert!(!refused.contains(char::is_control), "{refused:?}");
    }
    assert!(parse(&format!("{}.com", "a.".repeat(130))).is_err());
    let longest = format!("{}com", "a.".repeat(124));
    assert!(parse(&format!("*.{longest}")).is_ok());
    let refused = parse(&format!("*.{longest}m")).unwrap_err();
    assert!(refused.contains("too long"), "{refused}");
}
