//! A server with a certificate that answers whatever a test wants it to.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// Stands in answers for the server's own place; as long as that, so that lengths stay right.
pub(crate) const OWN: &str = "https://ITSPLACE0:00000";

/// What is answered to a path: the whole text, or nothing for ever.
pub(crate) type Answers = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

pub(crate) struct Fake {
    pub(crate) directory: String,
    folder: TempDir,
    _tasks: JoinSet<()>,
}

impl Fake {
    pub(crate) async fn start(answers: Answers) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let directory = format!("https://127.0.0.1:{}/dir", listener.local_addr().unwrap().port());
        let folder = tempfile::tempdir().unwrap();
        let acceptor = acceptor(&folder.path().join("ca.pem"));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(answer(acceptor.clone(), stream, Arc::clone(&answers)));
            }
        });
        Fake {
            directory,
            folder,
            _tasks: tasks,
        }
    }

    pub(crate) fn root_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }
}

/// An answer of HTTP.
pub(crate) fn http(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}")
}

async fn answer(acceptor: TlsAcceptor, stream: tokio::net::TcpStream, answers: Answers) {
    let own = format!("https://{}", stream.local_addr().unwrap());
    let Ok(mut stream) = acceptor.accept(stream).await else {
        return;
    };
    let mut request = vec![0; 16 << 10];
    let length = stream.read(&mut request).await.unwrap_or(0);
    let request = String::from_utf8_lossy(&request[..length]).into_owned();
    match answers(request.split(' ').nth(1).unwrap_or_default()) {
        Some(text) => drop(stream.write_all(text.replace(OWN, &own).as_bytes()).await),
        None => std::future::pending().await,
    }
    drop(stream.shutdown().await);
}

fn acceptor(root_file: &Path) -> TlsAcceptor {
    let root_key = KeyPair::generate().unwrap();
    let mut root = CertificateParams::new(Vec::new()).unwrap();
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    std::fs::write(root_file, root.self_signed(&root_key).unwrap().pem()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &Issuer::new(root, root_key)).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}
