use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hostkit_core::kind::Kind;
use nix::unistd::{getegid, geteuid};

use super::file::authorized;
use super::*;
use crate::accounts::Account;

// Made for these tests; nobody has their private halves any more.
const ED25519: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJS3IChs7Kwjetynufvr/HsQmoaNC3z6QdvitXVWLem+";
const P256: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBKNbaFE7fYKEf2nv04CKWFpLTjPNsBJrHaJDSc66eFo5vKDOnXjome2iP1+clzDp3Twu4reQ7Q3VDX1rBv1IqzY=";
const P384: &str = "ecdsa-sha2-nistp384 AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBFHyi3xs1zywUJeolv+woR5bYnTicNaY276w4MU3zqGQF80CjDcy9EFhnZX0xn1fSc5O9B27kQqKa3/Gwe5gM+c+eo5PWhaKlw9PMj0n8wr0BudqtaCFplpeSXhg/UXr3A==";
const P521: &str = "ecdsa-sha2-nistp521 AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAAAIbmlzdHA1MjEAAACFBAE5K3dkStSDgEWWwFFb6Otxzd550rxqi+RiOBA8U+UJtIqra9SUyWBFwz1Z11bXls1hVFQ8QmW9n8sh0rdluo1IaQEoU8ty3l6D+Qkug5c6Pk3ZEFaXZOHxdRz9SS7UpflhoIXskzNiIphbqSMwRqkVXufGME1JTWHgVhjsFXYirwQa3Q==";
const RSA: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQC9/QWkTdIQYU3jpX+TYu8ObrOzBcHt6DpgO7wwQkAYuyakg/lLNzKCK0kHr4mKe4ud8eb2Pcn1lIDP0aNwP4wPnxAoCl+Pk9lMZKG5ZHB0A6SRq8WzfUbKGsUuQMkvzheHLXLn3j5gLDiz5budH71kyrP7UrpMIM2FGVm5GUPxzsQwmanomkYoIC4qmfF/iHXsDKkrj4A+Be6t7w3/rB4oApwD5UulIr9+ImWaKXBWidRYnG25lI/dz1qjQd2mQFPmJ8jqupC7gGJ8D9noqfIVHManrlgBKzhq0xUuSzqsLy7dLg7uJN5ZDWmYRk1oFn9HzCHmnLxt1CjkTVvHky8H";
const SHORT_RSA: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQDAPBEW2hQWE7m0ET7CeF+ZyZIvUDwHXP2yOeZhfeaZbZ0+1z4Ar2Fh+cf5OJ0ZvGRXSvgS92qhIQoKSOHs02DRTCVMuCy/tJNzCD2PSEDmCrMRlXJQH3Am9pquTASFqAeg7ascxH+ymg3GbG5QdKRVGqZg4geO/l/B2DFI3OiJsw==";

fn key(text: &str) -> PublicKey {
    PublicKey::parse(text).unwrap()
}

#[test]
fn fingerprints_are_those_of_ssh_keygen() {
    let known = [
        (ED25519, "SHA256:1MDXw/oNYEd2oJ0W4mcnqd9eKxjXfbik6+lpGYoS3us"),
        (P256, "SHA256:pxEO6O+Lx+/AkSr6oreLHDRexycJ3O7AOLEUYZuaUsA"),
        (P384, "SHA256:m7GXY9sj4XiJ+d4Dh5w6aXlROHIHdyevqs7N8RmGByM"),
        (P521, "SHA256:6P9i31jisQ8rN6Rsxfb1bMqzGikSkil9sqaG9zNvv+c"),
        (RSA, "SHA256:Vc74fM5SHfJS8gudgHFSW3sPm6BcgBEX2erpBSgr5oA"),
    ];
    for (text, fingerprint) in known {
        let key = key(&format!("{text} name@laptop\n"));
        assert_eq!(key.fingerprint().as_str(), fingerprint);
        assert_eq!(key.line(), format!("{text} name@laptop"));
        assert_eq!(Fingerprint::parse(fingerprint).unwrap(), key.fingerprint());
        assert_eq!(Fingerprint::parse(&fingerprint[7..]).unwrap(), key.fingerprint());
    }
}

fn string(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_be_bytes(), bytes].concat()
}

fn line_of(kind: &str, parts: &[&[u8]]) -> String {
    let bytes: Vec<u8> = parts.iter().flat_map(|part| string(part)).collect();
    format!("{kind} {}", STANDARD.encode(bytes))
}

#[test]
fn keys_in_hardware_are_taken() {
    let point = [&[4][..], &[7; 64]].concat();
    let ed25519 = "sk-ssh-ed25519@openssh.com";
    let ecdsa = "sk-ecdsa-sha2-nistp256@openssh.com";
    assert!(PublicKey::parse(&line_of(ed25519, &[ed25519.as_bytes(), &[1; 32], b"ssh:"])).is_ok());
    assert!(
        PublicKey::parse(&line_of(
            ecdsa,
            &[ecdsa.as_bytes(), b"nistp256", &point, b"ssh:work"]
        ))
        .is_ok()
    );
    for application in [&b""[..], b"https://example.com", b"ssh:a b", b"ssh:\0"] {
        assert!(PublicKey::parse(&line_of(ed25519, &[ed25519.as_bytes(), &[1; 32], application])).is_err());
    }
}

#[test]
fn what_is_more_or_less_than_a_key_is_refused() {
    let ed25519 = "ssh-ed25519";
    let whole = STANDARD.decode(ED25519.split(' ').nth(1).unwrap()).unwrap();
    let encoded = |bytes: &[u8]| format!("{ed25519} {}", STANDARD.encode(bytes));
    let longer = [&whole[..], b"x"].concat();
    let huge_length = [&u32::MAX.to_be_bytes()[..], &whole[4..]].concat();
    let rsa_even = line_of(
        "ssh-rsa",
        &[b"ssh-rsa", &[1, 0, 1], &[&[0x40][..], &[0; 256]].concat()],
    );
    let rsa_padded = line_of("ssh-rsa", &[b"ssh-rsa", &[0, 1, 0, 1], &[0x7f; 256]]);
    let rsa_huge = line_of("ssh-rsa", &[b"ssh-rsa", &[1, 0, 1], &[0x7f; 2100]]);
    let rsa_one = line_of("ssh-rsa", &[b"ssh-rsa", &[1], &[0x7f; 257]]);
    let off_curve = line_of(
        "ecdsa-sha2-nistp256",
        &[b"ecdsa-sha2-nistp256", b"nistp384", &[4; 65]],
    );
    let compressed = line_of(
        "ecdsa-sha2-nistp256",
        &[b"ecdsa-sha2-nistp256", b"nistp256", &[2; 33]],
    );
    let empty_point = line_of("ecdsa-sha2-nistp256", &[b"ecdsa-sha2-nistp256", b"nistp256", b""]);
    let refused = [
        "".to_owned(),
        " ".to_owned(),
        ed25519.to_owned(),
        format!("{ed25519} "),
        format!("{ed25519} AAAA"),
        format!("{ed25519} not*base64"),
        encoded(&whole[..whole.len() - 1]),
        encoded(&longer),
        encoded(&huge_length),
        // Bits behind the end that mean nothing, and padding left out.
        format!("{ed25519} {}", &STANDARD.encode(&whole[..50])[..67]),
        // The kind outside is not the kind inside.
        ED25519.replacen(ed25519, "ssh-rsa", 1),
        P256.replacen("nistp256", "nistp384", 1),
        SHORT_RSA.to_owned(),
        rsa_even,
        rsa_padded,
        rsa_huge,
        rsa_one,
        off_curve,
        compressed,
        empty_point,
        line_of(
            "ssh-dss",
            &[b"ssh-dss", &[1; 128], &[1; 20], &[1; 128], &[1; 128]],
        ),
        line_of(
            "ssh-ed25519-cert-v01@openssh.com",
            &[b"ssh-ed25519-cert-v01@openssh.com", &[1; 32], &[1; 32]],
        ),
        "-----BEGIN OPENSSH PRIVATE KEY-----".to_owned(),
        // Options, other lines, and what looks like the end of one.
        format!("command=\"/bin/sh\" {ED25519}"),
        format!("restrict,pty {ED25519}"),
        format!("cert-authority {ED25519}"),
        format!("{ED25519} me\n{P256}"),
        format!("{ED25519} me\r{P256}"),
        format!("{ED25519}\n\n"),
        format!("\n{ED25519}"),
        format!("# {ED25519}"),
        format!("{ED25519} me\0"),
        format!("{ED25519} \u{1b}[2J"),
        format!("{ED25519} \u{202e}toor"),
        format!("{ED25519} {}", "c".repeat(201)),
        format!("{ED25519} {}", " ".repeat(10_000)),
        format!("{ed25519}\u{a0}AAAA"),
        format!("\u{feff}{ED25519}"),
    ];
    for text in refused {
        let failure = PublicKey::parse(&text).expect_err(&text);
        assert_eq!(failure.kind, Kind::Invalid);
        assert!(
            failure.message.starts_with("cannot use this public key: "),
            "{failure}"
        );
        assert!(failure.hint.is_some());
    }
    for text in ["", "SHA256:", "SHA256:AAAA", "MD5:00:11", "../../etc/passwd"] {
        assert!(Fingerprint::parse(text).is_err(), "{text}");
    }
}

#[test]
fn blanks_around_are_no_part_of_a_key() {
    let text = format!("  {}  a name with  blanks \r\n", ED25519.replace(' ', " \t "));
    assert_eq!(key(&text).line(), format!("{ED25519} a name with  blanks"));
}

#[test]
fn every_line_that_lets_a_key_in_is_seen() {
    for (line, has_options) in [
        (ED25519.to_owned(), false),
        (format!("{ED25519} c"), false),
        (format!("{ED25519} \u{202e}c"), false),
        (format!("restrict {ED25519}"), true),
        (
            format!("command=\"echo \\\"a b\\\" ssh-rsa\",no-pty \t {ED25519} c"),
            true,
        ),
    ] {
        let found = authorized(&line).expect(&line);
        assert_eq!(found.has_options, has_options, "{line}");
        assert_eq!(found.key.fingerprint(), key(ED25519).fingerprint(), "{line}");
    }
    for line in [
        "",
        "# ",
        "words",
        &format!("# {ED25519}"),
        &format!("command=\"{ED25519}\""),
    ] {
        assert_eq!(authorized(line), None, "{line}");
    }
}

struct Home {
    kept: tempfile::TempDir,
    keys: AuthorizedKeys,
}

fn home() -> Home {
    let kept = tempfile::tempdir().unwrap();
    fs::create_dir_all(kept.path().join("shop/.ssh")).unwrap();
    let root = Account {
        uid: geteuid().as_raw(),
        gid: getegid().as_raw(),
    };
    let keys = AuthorizedKeys::below(kept.path(), root);
    Home { kept, keys }
}

impl Home {
    fn file(&self) -> PathBuf {
        self.kept.path().join("shop/.ssh/authorized_keys")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.file()).unwrap()
    }
}

fn shop() -> ProjectName {
    ProjectName::parse("shop").unwrap()
}

#[tokio::test]
async fn lines_of_others_stay_as_they_are() {
    let home = home();
    let theirs = format!("# kept by hand\n\nrestrict {P256} robot\n  # and this");
    fs::write(home.file(), &theirs).unwrap();
    assert_eq!(home.keys.add(&shop(), &key(ED25519)).await.unwrap(), Change::Made);
    assert_eq!(home.text(), format!("{theirs}\n{ED25519}\n"));
    assert_eq!(fs::metadata(home.file()).unwrap().mode() & 0o7777, 0o644);
    let listed = home.keys.list(&shop()).await.unwrap();
    assert_eq!(
        listed.iter().map(|found| found.has_options).collect::<Vec<_>>(),
        [true, false]
    );
    let fingerprint = key(P256).fingerprint();
    assert_eq!(
        home.keys.remove(&shop(), &fingerprint).await.unwrap(),
        Change::Made
    );
    assert_eq!(
        home.text(),
        format!("# kept by hand\n\n  # and this\n{ED25519}\n")
    );
}

#[tokio::test]
async fn a_key_behind_options_is_not_let_in_wholly_until_it_is_added() {
    let home = home();
    fs::write(home.file(), format!("restrict {P256}\n")).unwrap();
    assert_eq!(home.keys.add(&shop(), &key(P256)).await.unwrap(), Change::Made);
    assert_eq!(
        home.keys.add(&shop(), &key(P256)).await.unwrap(),
        Change::Unneeded
    );
    let fingerprint = key(P256).fingerprint();
    assert_eq!(
        home.keys.remove(&shop(), &fingerprint).await.unwrap(),
        Change::Made
    );
    assert_eq!(home.keys.list(&shop()).await.unwrap(), []);
}

#[tokio::test]
async fn a_link_in_the_place_of_the_file_or_its_folder_is_not_followed() {
    let home = home();
    let outside = home.kept.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("authorized_keys"), "theirs\n").unwrap();
    symlink(outside.join("authorized_keys"), home.file()).unwrap();
    assert_eq!(
        home.keys.add(&shop(), &key(RSA)).await.unwrap_err().kind,
        Kind::Conflict
    );
    fs::remove_dir_all(home.kept.path().join("shop/.ssh")).unwrap();
    symlink(&outside, home.kept.path().join("shop/.ssh")).unwrap();
    assert_eq!(
        home.keys.add(&shop(), &key(RSA)).await.unwrap_err().kind,
        Kind::Conflict
    );
    assert_eq!(
        fs::read_to_string(outside.join("authorized_keys")).unwrap(),
        "theirs\n"
    );
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
}

#[tokio::test]
async fn without_a_home_there_is_nothing_to_let_in_to() {
    let home = home();
    let other = ProjectName::parse("other").unwrap();
    let failure = home.keys.add(&other, &key(P384)).await.unwrap_err();
    assert_eq!(
        (failure.kind, failure.hint.as_deref()),
        (Kind::NotFound, Some("hostkit project create other"))
    );
}

#[tokio::test]
async fn many_at_once_lose_no_key() {
    let home = home();
    let all = [ED25519, P256, P384, P521, RSA];
    let mut adding = tokio::task::JoinSet::new();
    for text in all {
        let keys = home.keys.clone();
        adding.spawn(async move { keys.add(&shop(), &key(text)).await });
    }
    for added in adding.join_all().await {
        assert_eq!(added.unwrap(), Change::Made);
    }
    assert_eq!(home.keys.list(&shop()).await.unwrap().len(), all.len());
}
