//! Certificates of a packaged server from a real authority that looks at it from outside: proved over HTTP and over TLS,
//! renewed before their end, and obtained anew after the authority took one back, while control and the front door are
//! started again.

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use hostkit_testkit::acme::{Pebble, PebbleAccounts, PebbleSettings};
use hostkit_testkit::http::Place;
use hostkit_testkit::load::Load;
use hostkit_testkit::machine::{Flavour, Machine, World, wait_until};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::apps::{deploy, write_app};
use crate::installed::{all_answered, said, server, until_healthy};

const OVER_HTTP: &str = "www.example.org";
const OVER_TLS: &str = "blog.example.org";
/// Renewed when a third of it is left.
const SHORT: Duration = Duration::from_secs(45);
const LONG: Duration = Duration::from_secs(90 * 24 * 3600);

/// An authority that looks at ports of the machine, and the settings that lead to it.
fn authority(machine: &Machine, http_port: u16, lifetime: Duration) -> Pebble {
    let pebble = Pebble::start_beside(
        machine,
        PebbleSettings {
            http_port,
            tls_port: 443,
            lifetime,
            refused_nonces: 5,
            accounts: PebbleAccounts::All,
        },
    );
    machine.put(&pebble.root_file(), "/etc/hostkit/authority.pem", 0o644);
    let settings = format!(
        "base_domain = \"apps.example.com\"\n[tls]\nacme = \"{}\"\nca_root = \"/etc/hostkit/authority.pem\"\n\
         email = \"ops@example.com\"\n",
        pebble.directory()
    );
    machine.write(settings, "/etc/hostkit/server.toml", 0o644);
    restart(machine);
    pebble
}

fn restart(machine: &Machine) {
    for unit in ["hostkit-control", "hostkit-proxy"] {
        machine.exec(&["systemctl", "restart", unit]).ok();
    }
    until_healthy(machine);
}

/// The certificate that a browser is shown for a host, if it trusts it: it is for the host, by that authority, and its time
/// is now.
fn trusted(machine: &Machine, host: &str, root: &str) -> Option<Vec<u8>> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(root.as_bytes()).unwrap())
        .unwrap();
    let browser = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let session = ClientConnection::new(Arc::new(browser), name).unwrap();
    let place = Place::on(machine, 443);
    let stream = machine.network().connect(place.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut stream = StreamOwned::new(session, stream);
    write!(
        stream,
        "GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )
    .ok()?;
    let mut answer = String::new();
    // Not everybody says that a connection ends before it does.
    drop(stream.read_to_string(&mut answer));
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    Some(stream.conn.peer_certificates().unwrap()[0].to_vec())
}

/// What `hostkit cert list` says of a host: where its certificate is from, and how it is.
fn listed(machine: &Machine, host: &str) -> (String, String) {
    let all = machine.exec(&["hostkit", "cert", "list", "--json"]).ok().json();
    let all = all.as_array().unwrap().iter();
    let one = all.clone().find(|one| one["name"] == host);
    let word = |key: &str| one.map(|one| one[key].as_str().unwrap_or_default().to_owned());
    (
        word("source").unwrap_or_default(),
        word("state").unwrap_or_default(),
    )
}

/// A file of a certificate that the front door keeps.
fn kept(host: &str, file: &str) -> String {
    format!("/var/lib/hostkit/proxy/certificates/acme/{host}/{file}")
}

fn serial(machine: &Machine, host: &str) -> String {
    let chain = kept(host, "chain.pem");
    let line = ["openssl", "x509", "-noout", "-serial", "-in", &chain];
    let serial = said(machine, &line);
    serial.trim_start_matches("serial=").to_ascii_lowercase()
}

#[test]
#[ignore = "lane host: boots a machine"]
fn certificates_are_issued_renewed_and_obtained_anew_after_they_were_taken_back() {
    let world = World::new();
    let (machine, _folder) = server(&world, Flavour::Ready);
    machine.exec(&["hostkit", "project", "create", "shop"]).ok();
    write_app(&machine, "shop", &[("index.html", "shop 1")]);
    deploy(&machine, "shop").ok();
    let add = |host: &str| {
        // That the DNS of the world does not lead here is said, and no failure.
        machine.exec(&["hostkit", "domain", "add", host, "--project", "shop"]);
    };

    let first = authority(&machine, 80, SHORT);
    let root = first.issuing_root();
    add(OVER_HTTP);
    wait_until("a certificate that browsers trust", || {
        trusted(&machine, OVER_HTTP, &root).is_some()
    });
    assert_eq!(listed(&machine, OVER_HTTP), ("acme".into(), "served".into()));
    let load = Load::start_tls(Place::on(&machine, 443), OVER_HTTP, "/", 20);
    let before = trusted(&machine, OVER_HTTP, &root).unwrap();
    restart(&machine);
    assert_eq!(
        trusted(&machine, OVER_HTTP, &root).as_ref(),
        Some(&before),
        "the next front door shows what the one before it had"
    );
    // At no moment is it over.
    wait_until("it is renewed", || {
        let now = trusted(&machine, OVER_HTTP, &root).expect("what is shown is trusted");
        now != before
    });
    all_answered("short certificates", &load.finish(), 100);
    let log = first.log();
    assert!(log.contains(&format!("http://{OVER_HTTP}")), "{log}");

    // Nothing answers where this one looks over HTTP.
    let second = authority(&machine, 81, LONG);
    drop(first);
    let root = second.issuing_root();
    add(OVER_TLS);
    wait_until("a certificate that browsers trust", || {
        trusted(&machine, OVER_TLS, &root).is_some()
    });
    wait_until("the other one is renewed by this authority, too", || {
        trusted(&machine, OVER_HTTP, &root).is_some()
    });

    let load = Load::start_tls(Place::on(&machine, 443), OVER_TLS, "/", 20);
    let (old, shown) = (serial(&machine, OVER_TLS), trusted(&machine, OVER_TLS, &root));
    assert_eq!(second.standing(&old), "Valid");
    let accounts = said(&machine, &["ls", "/var/lib/hostkit/proxy/certificates/accounts"]);
    let account = accounts.lines().find_map(|file| {
        let kept = machine.read(&format!("/var/lib/hostkit/proxy/certificates/accounts/{file}"));
        kept.contains(&second.directory()).then_some(kept)
    });
    second.revoke(
        &account.expect("the account is kept"),
        &machine.read(&kept(OVER_TLS, "chain.pem")),
    );
    assert_eq!(second.standing(&old), "Revoked");
    restart(&machine);
    machine.exec(&["hostkit", "cert", "renew", OVER_TLS]).ok();
    wait_until("another certificate", || {
        let now = trusted(&machine, OVER_TLS, &root);
        now.is_some() && now != shown
    });
    wait_until("it is kept", || serial(&machine, OVER_TLS) != old);
    assert_eq!(second.standing(&serial(&machine, OVER_TLS)), "Valid");
    assert_eq!(listed(&machine, OVER_TLS), ("acme".into(), "served".into()));
    all_answered("taken back", &load.finish(), 20);
}
