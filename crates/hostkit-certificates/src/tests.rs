//! What is taken from disk and from people, and what is shown.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hostkit_core::certificate::{AcmeSettings, CertificateSource, CertificateState, CertificateStatus};
use hostkit_core::kind::Kind;
use jiff::{SignedDuration, Timestamp};
use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair};

use crate::disk::Disk;
use crate::pair::Pair;
use crate::record::Record;
use crate::{Certificates, Settings};

/// An authority with one between it and its certificates, as public ones are.
struct Authority {
    root: String,
    between: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let named = |name: &str| {
            let mut params = CertificateParams::default();
            params.distinguished_name = DistinguishedName::new();
            params.distinguished_name.push(DnType::CommonName, name);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.use_authority_key_identifier_extension = true;
            params
        };
        let (root_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let (root, between) = (named("Root"), named("Between"));
        let root_text = root.self_signed(&root_key).unwrap().pem();
        let between_text = between
            .signed_by(&key, &Issuer::new(root, root_key))
            .unwrap()
            .pem();
        Authority {
            root: root_text,
            between: between_text,
            issuer: Issuer::new(between, key),
        }
    }

    /// A certificate and its key, valid from so many hours before now to so many after.
    fn issue(&self, names: &[&str], from: i64, to: i64) -> (String, String) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        let moment = |hours| {
            let time = Timestamp::now()
                .checked_add(SignedDuration::from_hours(hours))
                .unwrap();
            time::OffsetDateTime::from_unix_timestamp(time.as_second()).unwrap()
        };
        (params.not_before, params.not_after) = (moment(from), moment(to));
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

fn open(folder: &Path) -> Arc<Certificates> {
    Certificates::open(Settings::new(folder)).unwrap()
}

fn status(certificates: &Certificates, name: &str) -> Option<CertificateStatus> {
    let all = certificates.status();
    all.into_iter().find(|status| status.name.to_string() == name)
}

/// What is shown for a name, if it is not the one for all.
fn shown(certificates: &Certificates, name: &str) -> Option<Vec<u8>> {
    let table = certificates.book().table(Timestamp::now());
    table.find(name).map(|shown| shown.cert[0].to_vec())
}

#[test]
fn what_is_brought_is_shown_again_after_a_start_until_it_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let (certificate, key) = authority.issue(&["example.com", "*.example.com"], -1, 100);
    // In no order, with a root that is of no use.
    let chain = format!("{}{}{certificate}", authority.root, authority.between);
    let certificates = open(folder.path());
    assert_eq!(shown(&certificates, "example.com"), None);
    let names = certificates.import(chain.as_bytes(), key.as_bytes()).unwrap();
    assert_eq!(
        names.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["example.com", "*.example.com"]
    );

    let again = open(folder.path());
    for certificates in [&certificates, &again] {
        let own = shown(certificates, "example.com").unwrap();
        assert_eq!(shown(certificates, "shop.example.com"), Some(own));
        for other in [
            "a.b.example.com",
            "example.org",
            "com",
            "",
            ".example.com.",
            "*",
            "..",
            "a\0.b",
        ] {
            assert_eq!(shown(certificates, other), None, "{other}");
        }
        let status = status(certificates, "*.example.com").unwrap();
        assert_eq!(
            (status.source, status.state),
            (CertificateSource::Imported, CertificateState::Served)
        );
        assert_eq!(status.issuer.as_deref(), Some("Between"));
    }
    let kept = std::fs::read_to_string(folder.path().join("imported/_.example.com/chain.pem")).unwrap();
    assert_eq!(
        kept.matches("BEGIN").count(),
        2,
        "the certificate first, then the one between"
    );
    again.remove(&"*.example.com".parse().unwrap()).unwrap();
    assert_eq!(shown(&again, "shop.example.com"), None);
    assert!(shown(&again, "example.com").is_some());
    let failure = again.remove(&"*.example.com".parse().unwrap()).unwrap_err();
    assert_eq!(failure.kind, Kind::NotFound);
    assert_eq!(shown(&open(folder.path()), "shop.example.com"), None);
}

#[test]
fn what_is_wrong_with_something_brought_is_said_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let certificates = open(folder.path());
    let authority = Authority::new();
    let (certificate, key) = authority.issue(&["example.com"], -1, 100);
    let (over, over_key) = authority.issue(&["example.com"], -100, -1);
    let (early, early_key) = authority.issue(&["example.com"], 1, 100);
    let (nameless, nameless_key) = authority.issue(&["10.0.0.1"], -1, 100);
    let between = &authority.between;
    let chain = |certificate: &str| format!("{certificate}{between}");
    let other_key = KeyPair::generate().unwrap().serialize_pem();
    let locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let strange = "-----BEGIN PRIVATE KEY-----\nMAUCAQAwAA==\n-----END PRIVATE KEY-----\n";
    let cases: Vec<(String, String, &str)> = vec![
        (
            chain(&certificate),
            other_key,
            "the key belongs to none of its certificates",
        ),
        (
            certificate.clone(),
            key.clone(),
            "the certificate of `Between`, which issued it, is missing",
        ),
        (chain(&over), over_key, "it is over since"),
        (chain(&early), early_key, "it is valid from"),
        (chain(&nameless), nameless_key, "it is for no host name"),
        (
            chain(&certificate),
            locked.to_owned(),
            "the key is locked with a password",
        ),
        (
            chain(&certificate),
            strange.to_owned(),
            "a key of this kind cannot be used",
        ),
        (chain(&certificate), String::new(), "there is no key in it"),
        (key.clone(), key.clone(), "there is no certificate in it"),
        (
            "garbage\u{1b}[31m".to_owned(),
            key.clone(),
            "there is no certificate in it",
        ),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned(),
            key.clone(),
            "a certificate cannot be read",
        ),
        (
            "-----BEGIN CERTIFICATE-----\n!!\n".to_owned(),
            key.clone(),
            "it is no PEM file",
        ),
        (
            certificate.repeat(21),
            key.clone(),
            "there are more than 20 certificates in it",
        ),
        ("x".repeat(300 << 10), key.clone(), "it is longer than 256 KB"),
        (
            chain(&certificate),
            "x".repeat(100 << 10),
            "the key is longer than 64 KB",
        ),
    ];
    for (chain, key, expected) in cases {
        let failure = certificates.import(chain.as_bytes(), key.as_bytes()).unwrap_err();
        assert!(
            failure
                .message
                .starts_with(&format!("cannot import the certificate: {expected}")),
            "{expected}: {failure}"
        );
        assert!(failure.kind == Kind::Invalid && failure.hint.is_some());
        assert!(!failure.message.contains('\u{1b}'));
    }
    assert!(certificates.status().is_empty());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn one_certificate_that_cannot_be_read_affects_its_own_host() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let place = |name: &str| folder.path().join("imported").join(name);
    let certificates = open(folder.path());
    let names = [
        "good.com",
        "key.com",
        "garbage.com",
        "half.com",
        "other.com",
        "huge.com",
        "link.com",
        "pipe.com",
    ];
    for name in names {
        let (certificate, key) = authority.issue(&[name], -1, 100);
        let chain = format!("{certificate}{}", authority.between);
        certificates.import(chain.as_bytes(), key.as_bytes()).unwrap();
    }
    std::fs::copy(
        place("good.com").join("key.pem"),
        place("key.com").join("key.pem"),
    )
    .unwrap();
    std::fs::write(place("garbage.com").join("chain.pem"), [0xff; 99]).unwrap();
    std::fs::remove_file(place("half.com").join("key.pem")).unwrap();
    for file in ["chain.pem", "key.pem"] {
        std::fs::copy(place("good.com").join(file), place("other.com").join(file)).unwrap();
    }
    std::fs::write(place("huge.com").join("chain.pem"), vec![b'x'; 1 << 20]).unwrap();
    let linked = place("link.com").join("key.pem");
    std::fs::remove_file(&linked).unwrap();
    std::os::unix::fs::symlink(place("good.com").join("key.pem"), &linked).unwrap();
    let pipe = place("pipe.com").join("chain.pem");
    std::fs::remove_file(&pipe).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    // Neither is a folder of ours.
    std::os::unix::fs::symlink(place("good.com"), place("folder-link.com")).unwrap();
    std::fs::create_dir(place("A_b")).unwrap();
    std::fs::create_dir(place(".new-xyz")).unwrap();
    std::fs::write(place("good.com").join("meta.json"), "garbage").unwrap();

    let again = open(folder.path());
    assert!(shown(&again, "good.com").is_some());
    for name in &names[1..] {
        assert_eq!(shown(&again, name), None, "{name}");
        let status = status(&again, name).unwrap();
        assert_eq!(status.state, CertificateState::Failed, "{name}");
        assert!(status.trouble.unwrap().why.contains(name), "{name}");
    }
    assert_eq!(again.status().len(), names.len());
    assert!(!place(".new-xyz").exists());
    // A good one takes the place of what is wrong.
    let (certificate, key) = authority.issue(&["link.com"], -1, 100);
    again
        .import(
            format!("{certificate}{}", authority.between).as_bytes(),
            key.as_bytes(),
        )
        .unwrap();
    assert!(shown(&open(folder.path()), "link.com").is_some());
}

#[test]
fn nothing_can_be_kept_and_there_is_still_something_to_show() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let certificates = open(&file.join("below"));
    assert!(certificates.status().is_empty());
    drop(certificates.resolver());
    let authority = Authority::new();
    let (certificate, key) = authority.issue(&["example.com"], -1, 100);
    let chain = format!("{certificate}{}", authority.between);
    let failure = certificates.import(chain.as_bytes(), key.as_bytes()).unwrap_err();
    assert!(
        failure
            .message
            .starts_with("cannot keep the certificate of `example.com`"),
        "{failure}"
    );
    assert_eq!(shown(&certificates, "example.com"), None);
}

#[test]
fn a_token_is_looked_up_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let certificates = open(folder.path());
    for token in [
        "",
        "x",
        "../meta.json",
        "a/b",
        "%2e%2e",
        "\0",
        &"x".repeat(1 << 20),
    ] {
        assert_eq!(certificates.http_challenge(token), None);
    }
}

#[tokio::test]
async fn an_authority_of_our_own_issues_for_its_names_alone() {
    let folder = tempfile::tempdir().unwrap();
    let settings = || Settings {
        local: vec!["localhost".parse().unwrap()],
        ..Settings::new(folder.path())
    };
    let certificates = Certificates::open(settings()).unwrap();
    let tending = tokio::spawn(Arc::clone(&certificates).tend());
    certificates.want(&["shop.localhost".parse().unwrap(), "example.com".parse().unwrap()]);
    let begun = Instant::now();
    while status(&certificates, "shop.localhost")
        .is_none_or(|status| status.state != CertificateState::Served)
    {
        assert!(begun.elapsed() < Duration::from_secs(60));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(status(&certificates, "example.com").is_none());
    assert!(certificates.local_authority().unwrap().exists());
    let first = shown(&certificates, "shop.localhost").unwrap();
    // Any name of one label has the wildcard.
    assert!(shown(&certificates, "other.localhost").is_some_and(|other| other != first));
    tending.abort();
    let again = Certificates::open(settings()).unwrap();
    assert_eq!(shown(&again, "shop.localhost"), Some(first));
}

/// Keeps a certificate as one that was ordered.
fn keep_ordered(folder: &Path, authority: &Authority, name: &str, from: i64, to: i64) {
    let (certificate, key) = authority.issue(&[name], from, to);
    let pair = Pair::parse(certificate.as_bytes(), key.as_bytes()).unwrap();
    let disk = Disk::new(folder.to_owned());
    disk.save(
        CertificateSource::Acme,
        &name.parse().unwrap(),
        &pair,
        &Record::default(),
    )
    .unwrap();
}

#[tokio::test]
async fn what_is_over_goes_when_nobody_wants_it_and_not_before_somebody_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    keep_ordered(folder.path(), &authority, "over.com", -100, -1);
    keep_ordered(folder.path(), &authority, "wanted.com", -100, -1);
    keep_ordered(folder.path(), &authority, "valid.com", -100, 100);
    let there = |name: &str| folder.path().join("acme").join(name).exists();
    // An authority that is not there.
    let settings = Settings {
        acme: Some(AcmeSettings {
            directory: "https://127.0.0.1:1/".to_owned(),
            ..AcmeSettings::default()
        }),
        ..Settings::new(folder.path())
    };
    let certificates = Certificates::open(settings).unwrap();
    let tending = tokio::spawn(Arc::clone(&certificates).tend());
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(there("over.com") && there("wanted.com") && there("valid.com"));
    certificates.want(&["wanted.com".parse().unwrap()]);
    let begun = Instant::now();
    while there("over.com") {
        assert!(begun.elapsed() < Duration::from_secs(60));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(there("wanted.com") && there("valid.com"));
    tending.abort();
    assert!(shown(&certificates, "valid.com").is_some());
    // It tells a visitor more than one that is signed by nobody.
    assert!(shown(&certificates, "wanted.com").is_some());
    assert_eq!(
        status(&certificates, "wanted.com").unwrap().state,
        CertificateState::Failed
    );
}

#[test]
fn a_wildcard_that_is_valid_is_shown_before_what_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    keep_ordered(folder.path(), &authority, "shop.example.com", -100, -1);
    let certificates = open(folder.path());
    let over = shown(&certificates, "shop.example.com").unwrap();
    let (certificate, key) = authority.issue(&["*.example.com"], -1, 100);
    let chain = format!("{certificate}{}", authority.between);
    certificates.import(chain.as_bytes(), key.as_bytes()).unwrap();
    assert_ne!(shown(&certificates, "shop.example.com").unwrap(), over);
}
