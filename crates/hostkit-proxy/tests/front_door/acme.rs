//! Certificates from a real authority, which looks for its proofs at the front door's own listeners.

use std::io::Write;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use hostkit_core::certificate::{AcmeSettings, ChallengeKind};
use hostkit_core::names::HostName;
use hostkit_core::route::{Https, Route};
use hostkit_proxy::{ProxyConfig, bind_public};
use hostkit_testkit::acme::{Pebble, PebbleAccounts, PebbleSettings};
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::secure::connect_tls;
use crate::support::*;

const HOST: &str = "shop.hostkit.test";

/// An authority that looks at the listeners of `config`, which orders from it by one kind of proof.
fn authority(config: &mut ProxyConfig, challenge: ChallengeKind) -> Pebble {
    let port = |listeners: &[std::net::TcpListener]| listeners[0].local_addr().unwrap().port();
    let pebble = Pebble::start(PebbleSettings {
        http_port: port(&config.listeners),
        tls_port: port(&config.tls_listeners),
        lifetime: Duration::from_secs(90 * 24 * 3600),
        refused_nonces: 5,
        accounts: PebbleAccounts::All,
    });
    config.certificates.not_public.clear();
    config.certificates.pace.first_pause = Duration::from_millis(200);
    config.certificates.pace.longest_pause = Duration::from_secs(2);
    config.certificates.acme = Some(AcmeSettings {
        directory: pebble.directory(),
        ca_root: Some(pebble.root_file()),
        challenges: vec![challenge],
        ..AcmeSettings::default()
    });
    pebble
}

/// A browser that trusts what is issued below a root, and nothing else.
fn browser(root: &str) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(root.as_bytes()).unwrap())
        .unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

fn shop(upstream: &Upstream) -> Route {
    let mut route = to("shop", &[upstream.address]);
    route.hosts = vec![HostName::parse(HOST).unwrap()];
    route.https = Https::Required;
    route
}

fn is_issued_and_used(challenge: ChallengeKind) {
    let upstream = Upstream::named("app");
    let mut pebble = None;
    let door = Door::secure(|config| pebble = Some(authority(config, challenge)));
    let pebble = pebble.unwrap();
    let browser = browser(&pebble.issuing_root());
    let answers = || {
        let mut stream = connect_tls(door.tls_address(), &browser, HOST);
        let asked = stream.write_all(format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n").as_bytes());
        asked.is_ok().then(|| read_answer(&mut stream, false))
    };
    assert!(answers().is_none(), "there is no certificate yet");
    door.apply(vec![shop(&upstream)]);
    until("there is a certificate that browsers trust", || {
        answers().is_some()
    });
    assert_eq!(answers().unwrap().text(), "app");
    assert_eq!(door.get(HOST, "/").status, 301);
    // The next front door has it from the disk, and asks nobody.
    let folder = Arc::clone(&door.folder);
    drop((door, pebble));
    let door = Door::start_in(folder, |config| {
        config.tls_listeners = bind_public((Ipv4Addr::LOCALHOST, 0).into(), 2).unwrap();
    });
    let mut stream = connect_tls(door.tls_address(), &browser, HOST);
    stream
        .write_all(format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n").as_bytes())
        .unwrap();
    assert_eq!(read_answer(&mut stream, false).text(), "app");
}

#[test]
fn a_host_is_proved_over_http() {
    is_issued_and_used(ChallengeKind::Http);
}

#[test]
fn a_host_is_proved_over_tls() {
    is_issued_and_used(ChallengeKind::TlsAlpn);
}
