//! A front door in small: the ports that an authority looks at, with the certificates of a folder.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hostkit_certificates::{ACME_TLS_ALPN, Certificates, Pace, Settings};
use hostkit_core::certificate::{AcmeSettings, CertificateName, CertificateState, CertificateStatus};
use hostkit_testkit::acme::{Pebble, PebbleAccounts, PebbleSettings};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// How long the certificates of public authorities live.
pub(crate) const LONG: Duration = Duration::from_secs(90 * 24 * 3600);

/// The listeners, before there are certificates.
pub(crate) struct Ports {
    http: TcpListener,
    tls: TcpListener,
}

impl Ports {
    pub(crate) async fn open() -> Self {
        let any = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let (http, tls) = (any().await.unwrap(), any().await.unwrap());
        Ports { http, tls }
    }

    pub(crate) fn tls(&self) -> SocketAddr {
        self.tls.local_addr().unwrap()
    }

    /// An authority that looks at them.
    pub(crate) fn pebble(&self, lifetime: Duration) -> PebbleSettings {
        PebbleSettings {
            http_port: self.http.local_addr().unwrap().port(),
            tls_port: self.tls().port(),
            lifetime,
            refused_nonces: 5,
            accounts: PebbleAccounts::All,
        }
    }
}

/// A running one. Dropping it ends it.
pub(crate) struct Site {
    pub(crate) certificates: Arc<Certificates>,
    pub(crate) tls: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Site {
    pub(crate) fn start(settings: Settings, ports: Ports) -> Self {
        let certificates = Certificates::open(settings).unwrap();
        let mut tasks = JoinSet::new();
        let tls = ports.tls();
        tasks.spawn(answer(Arc::clone(&certificates), ports.http));
        tasks.spawn(serve(Arc::clone(&certificates), ports.tls));
        tasks.spawn(Arc::clone(&certificates).tend());
        Site {
            certificates,
            tls,
            _tasks: tasks,
        }
    }

    pub(crate) fn want(&self, names: &[&str]) {
        let names: Vec<CertificateName> = names.iter().map(|name| name.parse().unwrap()).collect();
        self.certificates.want(&names);
    }

    pub(crate) fn status(&self, name: &str) -> Option<CertificateStatus> {
        let name: CertificateName = name.parse().unwrap();
        let all = self.certificates.status();
        all.into_iter().find(|status| status.name == name)
    }

    pub(crate) fn is_served(&self, name: &str) -> bool {
        self.status(name)
            .is_some_and(|status| status.state == CertificateState::Served)
    }

    pub(crate) fn trouble(&self, name: &str) -> String {
        let trouble = self.status(name).and_then(|status| status.trouble);
        trouble.map(|trouble| trouble.why).unwrap_or_default()
    }
}

/// Settings for tests: hasty, with names of tests taken for public ones.
pub(crate) fn settings(folder: &TempDir, directory: &str, root: &std::path::Path) -> Settings {
    Settings {
        acme: Some(AcmeSettings {
            directory: directory.to_owned(),
            ca_root: Some(root.to_owned()),
            contact: Some("ops@example.com".parse().unwrap()),
            ..AcmeSettings::default()
        }),
        not_public: vec!["internal".parse().unwrap()],
        pace: Pace {
            first_pause: Duration::from_millis(200),
            longest_pause: Duration::from_secs(2),
            answer: Duration::from_secs(20),
            ..Pace::default()
        },
        ..Settings::new(folder.path())
    }
}

/// An authority whose certificates live so long, and a site that orders from it.
pub(crate) async fn begin(lifetime: Duration, change: impl FnOnce(&mut Settings)) -> (TempDir, Pebble, Site) {
    let folder = tempfile::tempdir().unwrap();
    let ports = Ports::open().await;
    let pebble = Pebble::start(ports.pebble(lifetime));
    let mut settings = settings(&folder, &pebble.directory(), &pebble.root_file());
    change(&mut settings);
    let site = Site::start(settings, ports);
    (folder, pebble, site)
}

/// The acme part of settings, to be changed.
pub(crate) fn acme(settings: &mut Settings) -> &mut AcmeSettings {
    settings.acme.as_mut().unwrap()
}

/// Polls with a generous limit.
pub(crate) async fn until<F: Future<Output = bool>>(
    what: &str,
    pebble: Option<&Pebble>,
    is_so: impl Fn() -> F,
) {
    let begun = Instant::now();
    while !is_so().await {
        let log = || pebble.map(Pebble::log).unwrap_or_default();
        assert!(
            begun.elapsed() < Duration::from_secs(120),
            "not in time: {what}\n{}",
            log()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A TLS connection that trusts one root; the certificate that it was shown.
pub(crate) async fn connect(
    place: SocketAddr,
    name: &str,
    root: &str,
) -> std::io::Result<CertificateDer<'static>> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(root.as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(place).await?;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    let certificate = stream.get_ref().1.peer_certificates().unwrap()[0]
        .clone()
        .into_owned();
    let mut answer = [0; 2];
    stream.read_exact(&mut answer).await?;
    assert_eq!(&answer, b"ok");
    Ok(certificate)
}

async fn answer(certificates: Arc<Certificates>, listener: TcpListener) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let certificates = Arc::clone(&certificates);
        tokio::spawn(async move {
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).await.unwrap_or(0);
            let request = String::from_utf8_lossy(&request[..length]).into_owned();
            let path = request.split(' ').nth(1).unwrap_or_default();
            let token = path
                .strip_prefix("/.well-known/acme-challenge/")
                .unwrap_or_default();
            let answer = match certificates.http_challenge(token) {
                Some(answer) => format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{answer}",
                    answer.len()
                ),
                None => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned(),
            };
            drop(stream.write_all(answer.as_bytes()).await);
        });
    }
}

async fn serve(certificates: Arc<Certificates>, listener: TcpListener) {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(certificates.resolver());
    config.alpn_protocols = vec![b"http/1.1".to_vec(), ACME_TLS_ALPN.to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                drop(stream.write_all(b"ok").await);
                drop(stream.shutdown().await);
            }
        });
    }
}
