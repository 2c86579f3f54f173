use super::*;

#[test]
fn sizes_are_read_and_shown() {
    for (text, bytes) in [
        ("512", 512),
        ("64KB", 65536),
        ("1.5 GiB", 1_610_612_736),
        ("512MB", 512 << 20),
        ("2g", 2 << 30),
    ] {
        assert_eq!(ByteSize::parse(text), Ok(ByteSize(bytes)), "{text}");
    }
    for bad in ["", "MB", "1 XB", "-1MB", "1e3", "9999999TB", "1..2MB"] {
        assert!(ByteSize::parse(bad).is_err(), "{bad}");
    }
    assert_eq!(ByteSize(1_610_612_736).to_string(), "1.5GB");
    assert_eq!(ByteSize(100).to_string(), "100B");
}

#[test]
fn spans_are_read_and_shown() {
    for (text, shown) in [
        ("500ms", "500ms"),
        ("30s", "30s"),
        ("90s", "90s"),
        ("15m", "15m"),
        ("2h", "2h"),
        ("1.5s", "1500ms"),
        ("0s", "0s"),
    ] {
        assert_eq!(Span::parse(text).map(|s| s.to_string()), Ok(shown.to_owned()));
    }
    for bad in ["", "30", "s", "-1s", "1 fortnight", "1e10h"] {
        assert!(Span::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn processors_are_read_and_shown() {
    for (text, shown) in [
        ("2", "2"),
        ("0.5", "0.5"),
        ("1.25", "1.25"),
        ("0.05", "0.05"),
        ("2.0", "2"),
    ] {
        let found = Processors::parse(text).unwrap();
        assert_eq!(found.to_string(), shown);
        assert_eq!(Processors::parse(&found.to_string()), Ok(found));
    }
    for bad in [
        "",
        "0",
        "0.001",
        "-1",
        "2 processors",
        "1e3",
        "nan",
        "inf",
        "99999999999",
    ] {
        assert!(Processors::parse(bad).is_err(), "{bad}");
    }
}
