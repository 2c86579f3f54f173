use super::*;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY=";

fn with_endpoint(endpoint: &str) -> Result<S3Settings, Failure> {
    S3Settings::new(
        endpoint,
        "backups",
        None,
        "eu-central-1",
        "AKIA1",
        Secret::new(SECRET),
    )
}

fn whole() -> TargetSettings {
    TargetSettings::S3(
        S3Settings::new(
            "https://s3.example.com/",
            "backups",
            Some(BackupPath::parse("host/one").unwrap()),
            "auto",
            "AKIA1",
            Secret::new(SECRET),
        )
        .unwrap(),
    )
}

#[test]
fn an_endpoint_is_a_place_and_no_more() {
    for good in [
        "https://s3.example.com",
        "https://s3.example.com:9000",
        "https://10.0.0.1",
        "https://[2001:db8::1]:9000",
        "http://127.0.0.1:9000",
        "http://localhost:9000/",
        "http://[::1]:9000",
    ] {
        assert_eq!(
            with_endpoint(good).unwrap().endpoint(),
            good.trim_end_matches('/')
        );
    }
    for bad in [
        "",
        "s3.example.com",
        "ftp://s3.example.com",
        "https://",
        "https://key:secret@s3.example.com",
        "https://s3.example.com/bucket",
        "https://s3.example.com?x=1",
        "https://s3.example.com:0",
        "https://s3.example.com:http",
        "https://S3.example.com",
        "https://[::1",
        "https://[10.0.0.1]",
        "https://::1",
        "https://s3.example.com\r\nx: y",
        "http://s3.example.com",
        "http://10.0.0.1",
        "http://localhost.example.com",
        "http://[2001:db8::1]",
    ] {
        let why = with_endpoint(bad).unwrap_err();
        assert_eq!(why.kind, Kind::Invalid, "{bad}");
        assert!(why.hint.is_some() && !why.message.contains("secret@"), "{why:?}");
    }
}

#[test]
fn what_becomes_part_of_a_request_is_plain() {
    let with = |bucket: &str, region: &str, key: &str, secret: &str| {
        S3Settings::new(
            "https://s3.example.com",
            bucket,
            None,
            region,
            key,
            Secret::new(secret),
        )
    };
    assert!(with("backups", "auto", "AKIA1", SECRET).is_ok());
    for (bucket, region, key, secret) in [
        ("../x", "auto", "AKIA1", SECRET),
        ("Backups", "auto", "AKIA1", SECRET),
        ("backups", "eu central", "AKIA1", SECRET),
        ("backups", "", "AKIA1", SECRET),
        ("backups", "auto", "AKIA/1", SECRET),
        ("backups", "auto", "", SECRET),
        ("backups", "auto", "AKIA1", ""),
        ("backups", "auto", "AKIA1", "two words"),
    ] {
        let why = with(bucket, region, key, secret).unwrap_err();
        assert_eq!(why.kind, Kind::Invalid);
        assert!(!why.message.contains("two words"), "{why}");
    }
    assert!(TargetSettings::folder(Path::new("backups")).is_err());
}

#[test]
fn settings_are_written_and_read_again_and_show_no_secret() {
    for settings in [
        whole(),
        TargetSettings::folder(Path::new("/mnt/backups")).unwrap(),
    ] {
        assert_eq!(TargetSettings::parse(&settings.text()).unwrap(), settings);
        assert!(!format!("{settings:?}").contains("wJalr"));
    }
    let TargetSettings::S3(s3) = whole() else {
        unreachable!()
    };
    assert_eq!(s3.place(), "https://s3.example.com/backups/host/one");
}

#[test]
fn a_text_that_cannot_be_read_is_not_quoted() {
    for text in [
        format!("{{\"s3\":{{\"secret_access_key\":\"{SECRET}\"}}}}"),
        format!("\"{SECRET}\""),
        whole().text().reveal().replace("https", "http"),
    ] {
        let why = TargetSettings::parse(&Secret::new(text)).unwrap_err();
        assert!(!format!("{why:?}").contains("wJalr"), "{why:?}");
    }
}
