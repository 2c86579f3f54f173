//! An authority that issues certificates by ACME, for tests: Debian's `pebble`, strict and forgetful, with a DNS of its own
//! in which every name is this machine.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use instant_acme::{Account, AccountCredentials, RevocationReason, RevocationRequest};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::json;
use tempfile::TempDir;

use crate::http::{self, Place};
use crate::machine::held::Held;
use crate::machine::{HERE, Machine, Network};

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

/// Where an authority is, and what it looks at.
#[derive(Debug, Clone)]
struct Home {
    /// The network it is in, if it is another than the test's.
    network: Option<Network>,
    /// Its address.
    address: Ipv4Addr,
    /// The address of every name.
    named: IpAddr,
}

impl Home {
    fn run<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        match &self.network {
            Some(network) => network.run(act),
            None => act(),
        }
    }

    fn place(&self, port: u16) -> Place {
        Place {
            address: (self.address, port).into(),
            network: self.network.clone(),
        }
    }
}

/// A running authority. Dropping it ends it.
pub struct Pebble {
    folder: TempDir,
    settings: PebbleSettings,
    home: Home,
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

    /// Starts one beside a machine, which every name leads to.
    pub fn start_beside(machine: &Machine, settings: PebbleSettings) -> Self {
        let home = Home {
            network: Some(machine.network().clone()),
            address: HERE,
            named: machine.address(),
        };
        let mut pebble = Self::prepare_at(home, settings);
        pebble.start_again();
        pebble
    }

    /// Makes one that is not started yet.
    pub fn prepare(settings: PebbleSettings) -> Self {
        let home = Home {
            network: None,
            address: Ipv4Addr::LOCALHOST,
            named: Ipv4Addr::LOCALHOST.into(),
        };
        Self::prepare_at(home, settings)
    }

    fn prepare_at(home: Home, settings: PebbleSettings) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the authority");
        let roots = Arc::new(write_certificates(&folder, home.address));
        let address = home.address;
        let [server, management, dns, dns_management] = home.run(|| free_ports(address));
        let place = |port: u16| format!("{address}:{port}");
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
        let dns_process = Held::start(home.network.as_ref(), "pebble-challtestsrv", |command| {
            command.args(["-defaultIPv4", &home.named.to_string(), "-defaultIPv6", ""]);
            command.args(["-http01", "", "-https01", "", "-tlsalpn01", ""]);
            command.args(["-dns01", &place(dns), "-management", &place(dns_management)]);
            command
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null());
        });
        wait_for_port(&home, dns_management);
        Pebble {
            folder,
            settings,
            home,
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
        let server = Held::start(self.home.network.as_ref(), "pebble", |command| {
            command
                .arg("-strict")
                .arg("-config")
                .arg(self.folder.path().join("pebble.json"));
            command
                .arg("-dnsserver")
                .arg(format!("{}:{}", self.home.address, self.ports.dns));
            command.env("PEBBLE_VA_NOSLEEP", "1");
            command.env("PEBBLE_WFE_NONCEREJECT", self.settings.refused_nonces.to_string());
            let log = std::fs::File::create(self.folder.path().join("log")).expect("a file for its log");
            command
                .stdout(log.try_clone().expect("a file can be opened twice"))
                .stderr(log);
        });
        self.server = Some(server);
        wait_for_port(&self.home, self.ports.server);
        wait_for_port(&self.home, self.ports.management);
    }

    /// Where it says what it offers.
    pub fn directory(&self) -> String {
        format!("https://{}:{}/dir", self.home.address, self.ports.server)
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

    /// Takes a certificate back, as the account that it was issued to asks for; `kept` is what the front door keeps of that.
    pub fn revoke(&self, kept: &str, chain: &str) {
        let kept: serde_json::Value = serde_json::from_str(kept).expect("an account is JSON");
        let credentials: AccountCredentials =
            serde_json::from_value(kept["credentials"].clone()).expect("an account has credentials");
        let certificate =
            CertificateDer::from_pem_slice(chain.as_bytes()).expect("a chain has a certificate");
        let request = RevocationRequest {
            certificate: &certificate,
            reason: Some(RevocationReason::KeyCompromise),
        };
        let root = self.root_file();
        self.home.run(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let revoked = runtime.expect("a runtime can be made").block_on(async {
                let account = Account::builder_with_root(root)?
                    .from_credentials(credentials)
                    .await?;
                account.revoke(&request).await
            });
            revoked.expect("the authority takes it back");
        });
    }

    /// What it says of a certificate: `Valid` or `Revoked`.
    pub fn standing(&self, serial: &str) -> String {
        let said = self.management(&format!("/cert-status-by-serial/{serial}"));
        let said: serde_json::Value = serde_json::from_str(&said).expect("it says what it knows");
        said["Status"].as_str().unwrap_or_default().to_owned()
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
        let answer = http::raw(self.home.place(self.ports.dns_management), request.as_bytes());
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
        let place = self.home.place(self.ports.management);
        let stream = place.connect().expect("it listens");
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
fn write_certificates(folder: &TempDir, address: Ipv4Addr) -> RootCertStore {
    let authority_key = KeyPair::generate().expect("a key");
    let mut authority = CertificateParams::new(Vec::new()).expect("no names");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = authority.self_signed(&authority_key).expect("a certificate");
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().expect("a key");
    let names = ["localhost".to_owned(), address.to_string()];
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
fn free_ports<const N: usize>(address: Ipv4Addr) -> [u16; N] {
    let listeners: [TcpListener; N] =
        std::array::from_fn(|_| TcpListener::bind((address, 0)).expect("a free port"));
    listeners.map(|listener| listener.local_addr().expect("it has an address").port())
}

fn wait_for_port(home: &Home, port: u16) {
    let begun = Instant::now();
    while home.place(port).connect().is_err() {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "nothing listens on port {port}; is `pebble` installed?"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}
