//! Authorities that are down, slow, wrong, forgetful or strict: what is there goes on being shown, and the state says why.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hostkit_core::certificate::CertificateState;
use hostkit_testkit::acme::Pebble;
use serde_json::json;

use crate::fake::{Answers, Fake, OWN, http};
use crate::site::{LONG, Ports, Site, begin, connect, settings, until};

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_down_at_first_is_asked_again() {
    let folder = tempfile::tempdir().unwrap();
    let ports = Ports::open().await;
    let mut pebble = Pebble::prepare(ports.pebble(LONG));
    let site = Site::start(settings(&folder, &pebble.directory(), &pebble.root_file()), ports);
    let names = [
        "a.hostkit.test",
        "b.hostkit.test",
        "c.hostkit.test",
        "d.hostkit.test",
        "e.hostkit.test",
    ];
    site.want(&names);
    until("a reason for each", None, async || {
        names.iter().all(|name| !site.trouble(name).is_empty())
    })
    .await;
    assert!(
        site.trouble("a.hostkit.test").contains("cannot be reached"),
        "{}",
        site.trouble("a.hostkit.test")
    );
    pebble.start_again();
    until("certificates", Some(&pebble), async || {
        names.iter().all(|name| site.is_served(name))
    })
    .await;
    assert_eq!(site.trouble("a.hostkit.test"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_forgot_the_account_is_registered_with_again() {
    let (_folder, mut pebble, site) = begin(LONG, |_| ()).await;
    site.want(&["a.hostkit.test"]);
    until("a certificate", Some(&pebble), async || {
        site.is_served("a.hostkit.test")
    })
    .await;
    let root = pebble.issuing_root();
    pebble.stop();
    pebble.start_again();
    site.want(&["a.hostkit.test", "b.hostkit.test"]);
    until("a certificate", Some(&pebble), async || {
        site.is_served("b.hostkit.test")
    })
    .await;
    connect(site.tls, "b.hostkit.test", &pebble.issuing_root())
        .await
        .unwrap();
    connect(site.tls, "a.hostkit.test", &root).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_is_shown_while_it_cannot_be_renewed() {
    let (_folder, mut pebble, site) = begin(LONG, |_| ()).await;
    site.want(&["a.hostkit.test"]);
    until("a certificate", Some(&pebble), async || {
        site.is_served("a.hostkit.test")
    })
    .await;
    let root = pebble.issuing_root();
    pebble.stop();
    let name = "a.hostkit.test".parse().unwrap();
    // Somebody asks for a new one.
    site.certificates.renew(&name).unwrap();
    until("a reason", None, async || {
        !site.trouble("a.hostkit.test").is_empty()
    })
    .await;
    assert_eq!(
        site.status("a.hostkit.test").unwrap().state,
        CertificateState::Served
    );
    connect(site.tls, "a.hostkit.test", &root).await.unwrap();
    assert!(
        site.certificates
            .renew(&"b.hostkit.test".parse().unwrap())
            .is_err()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_none_of_an_authority_are_said_in_words() {
    let long = "x".repeat(4 << 20);
    let cases: Vec<(Answers, &str)> = vec![
        (
            Arc::new(|_| Some(http("200 OK", "", "<html>"))),
            "does not answer as an authority does",
        ),
        (
            Arc::new(|_| Some(http("200 OK", "", "{}"))),
            "does not answer as an authority does",
        ),
        (
            Arc::new(|_| Some(http("500 Oops", "", "<html>"))),
            "answers with 500",
        ),
        (
            Arc::new(|_| Some(http("302 Found", "Location: https://127.0.0.1:1/\r\n", ""))),
            "leads elsewhere",
        ),
        (Arc::new(move |_| Some(http("200 OK", "", &long))), "breaks off"),
        (
            Arc::new(|_| Some("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{".to_owned())),
            "breaks off",
        ),
        (Arc::new(|_| Some("garbage".to_owned())), "cannot be reached"),
        (Arc::new(|_| None), "does not answer within"),
    ];
    for (answers, expected) in cases {
        let fake = Fake::start(answers).await;
        let folder = tempfile::tempdir().unwrap();
        let mut settings = settings(&folder, &fake.directory, &fake.root_file());
        settings.pace.answer = Duration::from_secs(2);
        let site = Site::start(settings, Ports::open().await);
        site.want(&["a.hostkit.test"]);
        until(expected, None, async || {
            !site.trouble("a.hostkit.test").is_empty()
        })
        .await;
        let why = site.trouble("a.hostkit.test");
        assert!(why.contains(expected), "{why}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_not_trusted_is_not_spoken_to() {
    let fake = Fake::start(Arc::new(|_| Some(http("200 OK", "", "{}")))).await;
    let other = Fake::start(Arc::new(|_| None)).await;
    let folder = tempfile::tempdir().unwrap();
    let site = Site::start(
        settings(&folder, &fake.directory, &other.root_file()),
        Ports::open().await,
    );
    site.want(&["a.hostkit.test"]);
    until("a reason", None, async || {
        !site.trouble("a.hostkit.test").is_empty()
    })
    .await;
    assert!(
        site.trouble("a.hostkit.test").contains("certificate"),
        "{}",
        site.trouble("a.hostkit.test")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_wants_fewer_orders_is_left_alone_with_all_names() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let problem = json!({"type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many new orders"});
    let limited: Answers = Arc::new(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        Some(http(
            "429 Too Many Requests",
            "Retry-After: 3600\r\n",
            &problem.to_string(),
        ))
    });
    let fake = Fake::start(limited).await;
    let folder = tempfile::tempdir().unwrap();
    let site = Site::start(
        settings(&folder, &fake.directory, &fake.root_file()),
        Ports::open().await,
    );
    site.want(&[
        "a.hostkit.test",
        "b.hostkit.test",
        "c.hostkit.test",
        "d.hostkit.test",
        "e.hostkit.test",
    ]);
    until("a reason", None, async || {
        !site.trouble("e.hostkit.test").is_empty()
    })
    .await;
    let trouble = site.status("e.hostkit.test").unwrap().trouble.unwrap();
    assert!(
        trouble
            .next
            .unwrap()
            .duration_since(jiff::Timestamp::now())
            .as_secs()
            > 3000,
        "{trouble:?}"
    );
    let before = asked.load(Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(asked.load(Ordering::SeqCst), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_the_authority_wants_renewed_is() {
    let folder = tempfile::tempdir().unwrap();
    let ports = Ports::open().await;
    let pebble = Pebble::start(ports.pebble(LONG));
    let fake = Fake::start(with_wish(pebble.port())).await;
    // Two servers, each with a root of its own.
    let roots = [pebble.root_file(), fake.root_file()].map(|file| std::fs::read_to_string(file).unwrap());
    let root_file = folder.path().join("roots.pem");
    std::fs::write(&root_file, roots.concat()).unwrap();
    let site = Site::start(settings(&folder, &fake.directory, &root_file), ports);
    site.want(&["a.hostkit.test"]);
    until("a certificate", Some(&pebble), async || {
        site.is_served("a.hostkit.test")
    })
    .await;
    let root = pebble.issuing_root();
    let first = connect(site.tls, "a.hostkit.test", &root).await.unwrap();
    // Each is said to be wanted renewed long ago, as one is that was revoked.
    until("another certificate", Some(&pebble), async || {
        connect(site.tls, "a.hostkit.test", &root).await.unwrap() != first
    })
    .await;
}

/// What `pebble` offers, with a wish for renewal that it has none of.
fn with_wish(port: u16) -> Answers {
    Arc::new(move |path| {
        let pebble = |path: &str| format!("https://127.0.0.1:{port}{path}");
        let wish =
            json!({"suggestedWindow": {"start": "2020-01-01T00:00:00Z", "end": "2020-01-02T00:00:00Z"}});
        Some(match path.strip_prefix("/dir") {
            // The client adds which certificate it asks about to the place, which is this one again.
            Some("") => {
                let directory = json!({
                    "newNonce": pebble("/nonce-plz"),
                    "newAccount": pebble("/sign-me-up"),
                    "newOrder": pebble("/order-plz"),
                    "renewalInfo": format!("{OWN}/dir/wish"),
                });
                http("200 OK", "", &directory.to_string())
            }
            _ => http("200 OK", "Retry-After: 21600\r\n", &wish.to_string()),
        })
    })
}
