//! An authority that issues certificates by ACME, for tests: Debian's `pebble`, strict and forgetful, with a DNS of its own
//! in which every name is this machine.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::json;
use tempfile::TempDir;

use crate::http;
use crate::machine::held::Held;

/// The name and the key of an account that the authority knows beforehand.
pub const KNOWN_ACCOUNT: (&str, &str) = (
    "kid-1",
    "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W",
);

/// How an authority is.
#[derive(Debug, Clone)]
pub struct PebbleSettings {
    /// Where it looks for answers over HTTP.
    pub http_port: u16,
    /// Where it looks for certificates.
    pub tls_port: u16,
    /// How long its certificates live.
    pub lifetime: Duration,
    /// Of a hundred requests, this many are refused because of their nonce.
    pub refused_nonces: u8,
    /// Who may have an account.
    pub accounts: PebbleAccounts,
}

/// Who may have an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PebbleAccounts {
    /// Everybody.
    All,
    /// [`KNOWN_ACCOUNT`] alone.
    Known,
}

/// A running authority. Dropping it ends it.
pub struct Pebble {
    folder: TempDir,
    settings: PebbleSettings,
    ports: Ports,
    roots: Arc<RootCertStore>,
    _dns: Held,
    server: Option<Held>,
}

struct Ports {
    server: u16,
    management: u16,
    dns: u16,
    dns_management: u16,
}

impl Pebble {
    /// Starts one.
    pub fn start(settings: PebbleSettings) -> Self {
        let mut pebble = Self::prepare(settings);
        pebble.start_again();
        pebble
    }

    /// Makes one that is not started yet.
    pub fn prepare(settings: PebbleSettings) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the authority");
        let roots = Arc::new(write_certificates(&folder));
        let [server, management, dns, dns_management] = free_ports();
        let place = |port: u16| format!("127.0.0.1:{port}");
        let known = json!({ KNOWN_ACCOUNT.0: KNOWN_ACCOUNT.1 });
        let config = json!({ "pebble": {
            "listenAddress": place(server),
            "managementListenAddress": place(management),
            "certificate": folder.path().join("server.pem"),
            "privateKey": folder.path().join("server.key"),
            "httpPort": settings.http_port,
            "tlsPort": settings.tls_port,
            "ocspResponderURL": "",
            "certificateValidityPeriod": settings.lifetime.as_secs(),
            "externalAccountBindingRequired": settings.accounts == PebbleAccounts::Known,
            "externalAccountMACKeys": known,
        }});
        std::fs::write(folder.path().join("pebble.json"), config.to_string())
            .expect("its settings are written");
        let dns_process = Held::start(None, "pebble-challtestsrv", |command| {
            command.args(["-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""]);
            command.args(["-http01", "", "-https01", "", "-tlsalpn01", ""]);
            command.args(["-dns01", &place(dns), "-management", &place(dns_management)]);
            command
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null());
        });
        wait_for_port(dns_management);
        Pebble {
            folder,
            settings,
            roots,
            _dns: dns_process,
            server: None,
            ports: Ports {
                server,
                management,
                dns,
                dns_management,
            },
        }
    }

    /// Ends it. It keeps nothing: what it knew of accounts and orders is gone, and so is the root it issues below.
    pub fn stop(&mut self) {
        self.server = None;
    }

    /// Starts it where it was.
    pub fn start_again(&mut self) {
        let server = Held::start(None, "pebble", |command| {
            command
                .arg("-strict")
                .arg("-config")
                .arg(self.folder.path().join("pebble.json"));
            command
                .arg("-dnsserver")
                .arg(format!("127.0.0.1:{}", self.ports.dns));
            command.env("PEBBLE_VA_NOSLEEP", "1");
            command.env("PEBBLE_WFE_NONCEREJECT", self.settings.refused_nonces.to_string());
            let log = std::fs::File::create(self.folder.path().join("log")).expect("a file for its log");
            command
                .stdout(log.try_clone().expect("a file can be opened twice"))
                .stderr(log);
        });
        self.server = Some(server);
        wait_for_port(self.ports.server);
        wait_for_port(self.ports.management);
    }

    /// Where it says what it offers.
    pub fn directory(&self) -> String {
        format!("https://127.0.0.1:{}/dir", self.ports.server)
    }

    /// The port of its API.
    pub fn port(&self) -> u16 {
        self.ports.server
    }

    /// What its server is trusted by.
    pub fn root_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// The root that it issues below, as text. Another after each start.
    pub fn issuing_root(&self) -> String {
        self.management("/roots/0")
    }

    /// What it says about its work, to be shown when a test fails.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Adds a text entry to its DNS.
    pub fn set_text(&self, name: &str, value: &str) {
        self.dns("/set-txt", &json!({ "host": format!("{name}."), "value": value }));
    }

    /// Removes the text entries of a name.
    pub fn clear_text(&self, name: &str) {
        self.dns("/clear-txt", &json!({ "host": format!("{name}.") }));
    }

    fn dns(&self, path: &str, body: &serde_json::Value) {
        let body = body.to_string();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: dns\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = http::raw(self.ports.dns_management, request.as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.body);
    }

    fn management(&self, path: &str) -> String {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("a provider knows its versions")
            .with_root_certificates(Arc::clone(&self.roots))
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").expect("a host name");
        let connection = ClientConnection::new(Arc::new(config), name).expect("a connection can be prepared");
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.ports.management)).expect("it listens");
        let mut stream = StreamOwned::new(connection, stream);
        let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        // Not everybody says that a connection ends before it does.
        drop(stream.read_to_string(&mut answer));
        let (_, body) = answer.split_once("\r\n\r\n").expect("it answers");
        body.to_owned()
    }
}

/// The certificate of its server, and what that is trusted by.
fn write_certificates(folder: &TempDir) -> RootCertStore {
    let authority_key = KeyPair::generate().expect("a key");
    let mut authority = CertificateParams::new(Vec::new()).expect("no names");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = authority.self_signed(&authority_key).expect("a certificate");
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().expect("a key");
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let params = CertificateParams::new(names).expect("names");
    let certificate = params.signed_by(&key, &issuer).expect("a certificate");
    for (name, content) in [
        ("ca.pem", root.pem()),
        ("server.pem", certificate.pem()),
        ("server.key", key.serialize_pem()),
    ] {
        std::fs::write(folder.path().join(name), content).expect("it is written");
    }
    let mut roots = RootCertStore::empty();
    roots.add(root.der().clone()).expect("a root");
    roots
}

/// Ports that are free now. Both programs take no sockets that are open already.
fn free_ports<const N: usize>() -> [u16; N] {
    let listeners: [TcpListener; N] =
        std::array::from_fn(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port"));
    listeners.map(|listener| listener.local_addr().expect("it has an address").port())
}

fn wait_for_port(port: u16) {
    let begun = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "nothing listens on port {port}; is `pebble` installed?"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}
