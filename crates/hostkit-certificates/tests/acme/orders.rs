//! Orders at an authority as it should be: every way to show a name, renewal, many names, wildcards.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use hostkit_certificates::Settings;
use hostkit_core::certificate::{ChallengeKind, ExternalAccount};
use hostkit_core::kind::Failure;
use hostkit_core::traits::DnsHook;
use hostkit_testkit::acme::{KNOWN_ACCOUNT, Pebble, PebbleAccounts};

use crate::site::{LONG, Ports, Site, acme, begin, connect, settings, until};

#[tokio::test(flavor = "multi_thread")]
async fn each_way_to_show_a_name_leads_to_a_certificate_that_is_trusted() {
    for way in [ChallengeKind::Http, ChallengeKind::TlsAlpn] {
        let (folder, pebble, site) = begin(LONG, |settings| acme(settings).challenges = vec![way]).await;
        assert!(
            connect(site.tls, "shop.hostkit.test", &pebble.issuing_root())
                .await
                .is_err()
        );
        site.want(&["shop.hostkit.test", "a.internal", "localhost", "10.0.0.1"]);
        until("a certificate", Some(&pebble), async || {
            site.is_served("shop.hostkit.test")
        })
        .await;
        connect(site.tls, "shop.hostkit.test", &pebble.issuing_root())
            .await
            .unwrap();
        assert_eq!(site.certificates.status().len(), 1, "nothing else is ordered");
        assert_eq!(site.trouble("shop.hostkit.test"), "");

        // It is there after a start, without the authority.
        let root = pebble.issuing_root();
        drop((site, pebble));
        let again = Site::start(Settings::new(folder.path()), Ports::open().await);
        connect(again.tls, "shop.hostkit.test", &root).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_that_fails_is_followed_by_the_next() {
    let ports = Ports::open().await;
    let folder = tempfile::tempdir().unwrap();
    let mut pebble = ports.pebble(LONG);
    // Nobody answers there.
    pebble.http_port = 1;
    let pebble = Pebble::start(pebble);
    let site = Site::start(settings(&folder, &pebble.directory(), &pebble.root_file()), ports);
    site.want(&["shop.hostkit.test"]);
    until("a certificate", Some(&pebble), async || {
        site.is_served("shop.hostkit.test")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_cannot_be_shown_says_why_and_is_in_nobodys_way() {
    let (_folder, pebble, site) = begin(LONG, |settings| {
        acme(settings).challenges = vec![ChallengeKind::Dns]
    })
    .await;
    // A wildcard can be shown in no other way.
    let names = ["shop.hostkit.test", "*.shop.hostkit.test"];
    site.want(&names);
    for name in names {
        until("a reason", Some(&pebble), async || !site.trouble(name).is_empty()).await;
        assert!(site.trouble(name).contains("dns_hook"));
    }
    let next = site.status("shop.hostkit.test").unwrap().trouble.unwrap().next;
    assert!(next.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_renewed_while_clients_connect() {
    let (_folder, pebble, site) = begin(Duration::from_secs(30), |_| ()).await;
    site.want(&["shop.hostkit.test"]);
    until("a certificate", Some(&pebble), async || {
        site.is_served("shop.hostkit.test")
    })
    .await;
    let root = pebble.issuing_root();
    let mut seen = Vec::new();
    let begun = Instant::now();
    // Three that are renewed, none that is over: a client that trusts the authority alone would see that.
    while seen.len() < 3 {
        assert!(
            begun.elapsed() < Duration::from_secs(300),
            "{}",
            site.trouble("shop.hostkit.test")
        );
        let certificate = connect(site.tls, "shop.hostkit.test", &root).await.unwrap();
        if !seen.contains(&certificate) {
            seen.push(certificate);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_names_are_ordered() {
    let (_folder, pebble, site) = begin(LONG, |_| ()).await;
    let names: Vec<String> = (0..100).map(|n| format!("shop-{n}.hostkit.test")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    site.want(&names);
    until("a hundred certificates", Some(&pebble), async || {
        names.iter().all(|name| site.is_served(name))
    })
    .await;
    let root = pebble.issuing_root();
    for name in names {
        connect(site.tls, name, &root).await.unwrap();
    }
}

/// Entries in the authority's own DNS.
struct Entries {
    pebble: Arc<Pebble>,
    there: AtomicUsize,
}

#[async_trait]
impl DnsHook for Entries {
    async fn set(&self, name: &str, value: &str) -> Result<(), Failure> {
        self.there.fetch_add(1, Ordering::SeqCst);
        self.pebble.set_text(name, value);
        Ok(())
    }

    async fn clear(&self, name: &str, _value: &str) -> Result<(), Failure> {
        self.there.fetch_sub(1, Ordering::SeqCst);
        self.pebble.clear_text(name);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wildcard_is_shown_by_the_dns_and_serves_the_names_below_it() {
    let folder = tempfile::tempdir().unwrap();
    let ports = Ports::open().await;
    let pebble = Arc::new(Pebble::start(ports.pebble(LONG)));
    let entries = Arc::new(Entries {
        pebble: Arc::clone(&pebble),
        there: AtomicUsize::new(0),
    });
    let mut settings = settings(&folder, &pebble.directory(), &pebble.root_file());
    acme(&mut settings).wildcards = vec!["hostkit.test".parse().unwrap()];
    settings.dns_hook = Some(Arc::clone(&entries) as Arc<dyn DnsHook>);
    let site = Site::start(settings, ports);
    site.want(&["shop.hostkit.test", "blog.hostkit.test", "a.b.hostkit.test"]);
    until("certificates", Some(&pebble), async || {
        site.is_served("*.hostkit.test") && site.is_served("a.b.hostkit.test")
    })
    .await;
    let root = pebble.issuing_root();
    for name in ["shop.hostkit.test", "blog.hostkit.test", "any.hostkit.test"] {
        connect(site.tls, name, &root).await.unwrap();
        assert!(site.status(name).is_none(), "`{name}` needs none of its own");
    }
    assert_eq!(
        entries.there.load(Ordering::SeqCst),
        0,
        "nothing stays in the DNS"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_can_be_bound_to_a_customer_of_the_authority() {
    let folder = tempfile::tempdir().unwrap();
    let ports = Ports::open().await;
    let mut pebble = ports.pebble(LONG);
    pebble.accounts = PebbleAccounts::Known;
    let pebble = Pebble::start(pebble);
    let key_file = folder.path().join("customer.key");
    std::fs::write(&key_file, format!("{}\n", KNOWN_ACCOUNT.1)).unwrap();
    let mut settings = settings(&folder, &pebble.directory(), &pebble.root_file());
    acme(&mut settings).external_account = Some(ExternalAccount {
        id: KNOWN_ACCOUNT.0.to_owned(),
        key_file,
    });
    let site = Site::start(settings, ports);
    site.want(&["shop.hostkit.test"]);
    until("a certificate", Some(&pebble), async || {
        site.is_served("shop.hostkit.test")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shown_is_looked_at_over_the_wire() {
    let folder = tempfile::tempdir().unwrap();
    let (ports, other) = (Ports::open().await, Ports::open().await);
    let pebble = Pebble::start(ports.pebble(LONG));
    let mut settings = settings(&folder, &pebble.directory(), &pebble.root_file());
    // Another front door than the one that has the certificate.
    settings.looked_at = Some(other.tls());
    settings.pace.look = Duration::from_millis(100);
    let elsewhere = tempfile::tempdir().unwrap();
    let other = Site::start(Settings::new(elsewhere.path()), other);
    let site = Site::start(settings, ports);
    site.want(&["shop.hostkit.test"]);
    let shown_instead = || {
        let status = site
            .status("shop.hostkit.test")
            .filter(|_| site.is_served("shop.hostkit.test"));
        status.map(|status| status.shown_instead)
    };
    until(
        "a difference",
        Some(&pebble),
        async || matches!(shown_instead(), Some(Some(seen)) if seen.contains("valid until")),
    )
    .await;
    let kept = folder.path().join("acme/shop.hostkit.test");
    let [chain, key] = ["chain.pem", "key.pem"].map(|file| std::fs::read(kept.join(file)).unwrap());
    other.certificates.import(&chain, &key).unwrap();
    until("no difference", Some(&pebble), async || {
        shown_instead() == Some(None)
    })
    .await;
}
