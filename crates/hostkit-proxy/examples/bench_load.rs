//! Load that no packaged generator makes, on one thread:
//!
//! - `bench_load handshakes full|resumed ADDR CONNECTIONS SECONDS`: a new TLS connection for each request, from the
//!   beginning or by a ticket of an earlier one; what each really was is counted.
//! - `bench_load sockets ADDR CONNECTIONS SECONDS`: WebSockets with one message of 64 bytes under way on each.
//! - `bench_load idle plain|tls|h2 ADDR CONNECTIONS`: connections that ask once and then say nothing until its input ends.
//! - `bench_load echo ADDR`: a server of WebSockets that sends back what comes.
//!
//! Each prints one line of JSON, but for the last. The host asked for is always `localhost`.

use std::cell::RefCell;
use std::error::Error;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, HandshakeKind, SignatureScheme};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

type Fault = Box<dyn Error + Send + Sync>;

const PAYLOAD: usize = 64;
/// Of a handshake of a WebSocket this is all that differs between clients, and the load is ours alone.
const UPGRADE: &[u8] =
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
/// The answer to that key, as RFC 6455 has it (1.3).
const UPGRADED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

fn main() -> Result<(), Fault> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        match words[..] {
            [
                "handshakes",
                kind @ ("full" | "resumed"),
                address,
                connections,
                seconds,
            ] => {
                let kind = if kind == "full" {
                    HandshakeKind::Full
                } else {
                    HandshakeKind::Resumed
                };
                handshakes(kind, address.parse()?, connections.parse()?, seconds.parse()?).await
            }
            ["sockets", address, connections, seconds] => {
                sockets(address.parse()?, connections.parse()?, seconds.parse()?).await
            }
            ["idle", kind, address, connections] => idle(kind, address.parse()?, connections.parse()?).await,
            ["echo", address] => echo(address.parse()?).await,
            _ => Err("it is said at the top of bench_load.rs what is to be said".into()),
        }
    })
}

/// What was done so far.
#[derive(Default)]
struct Done {
    times: Vec<Duration>,
    full: usize,
    resumed: usize,
    errors: usize,
    first_error: Option<String>,
}

/// Runs `connections` of what `work` makes for so long, then prints what was done.
async fn together<F: Future<Output = Result<(), Fault>> + 'static>(
    connections: usize,
    seconds: f64,
    work: impl Fn(Rc<RefCell<Done>>) -> F,
) -> Result<(), Fault> {
    let done = Rc::new(RefCell::new(Done::default()));
    let tasks: Vec<_> = (0..connections)
        .map(|_| {
            let (noted, working) = (Rc::clone(&done), work(Rc::clone(&done)));
            tokio::task::spawn_local(async move {
                if let Err(error) = working.await {
                    let mut done = noted.borrow_mut();
                    done.errors += 1;
                    done.first_error.get_or_insert_with(|| error.to_string());
                }
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    let mut done = done.borrow_mut();
    done.times.sort_unstable();
    if done.times.is_empty() {
        return Err(format!("nothing was done: {:?}", done.first_error).into());
    }
    let at = |share: f64| {
        let place = (done.times.len() as f64 * share) as usize;
        done.times[place.min(done.times.len() - 1)].as_secs_f64() * 1000.0
    };
    let line = serde_json::json!({
        "count": done.times.len(), "p50_ms": at(0.5), "p99_ms": at(0.99), "errors": done.errors,
        "first_error": done.first_error, "full": done.full, "resumed": done.resumed,
    });
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

async fn handshakes(
    kind: HandshakeKind,
    address: SocketAddr,
    connections: usize,
    seconds: f64,
) -> Result<(), Fault> {
    together(connections, seconds, |done| async move {
        // Tickets are kept with the settings: each connection has its own, as each browser has.
        let settings = tls(kind == HandshakeKind::Resumed)?;
        loop {
            let began = Instant::now();
            let (mut stream, was) = connect_tls(&settings, address).await?;
            stream
                .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                .await?;
            let mut answer = Vec::with_capacity(4096);
            // Some close without saying so in TLS.
            let read = stream.read_to_end(&mut answer).await;
            if !answer.starts_with(b"HTTP/1.1 200 ") {
                read?;
                return Err("an answer is not 200".into());
            }
            let mut done = done.borrow_mut();
            match was {
                Some(HandshakeKind::Resumed) => done.resumed += 1,
                _ => done.full += 1,
            }
            if was == Some(kind) {
                done.times.push(began.elapsed());
            }
        }
    })
    .await
}

async fn connect_tls(
    settings: &Arc<ClientConfig>,
    address: SocketAddr,
) -> Result<(tokio_rustls::client::TlsStream<TcpStream>, Option<HandshakeKind>), Fault> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let name = ServerName::try_from("localhost")?;
    let stream = TlsConnector::from(Arc::clone(settings))
        .connect(name, stream)
        .await?;
    let kind = stream.get_ref().1.handshake_kind();
    Ok((stream, kind))
}

async fn sockets(address: SocketAddr, connections: usize, seconds: f64) -> Result<(), Fault> {
    // A client's frame is masked; a mask of zeros leaves the payload as it is.
    let question = [&[0x82, 0x80 | PAYLOAD as u8, 0, 0, 0, 0][..], &[b'x'; PAYLOAD]].concat();
    together(connections, seconds, |done| {
        let question = question.clone();
        async move {
            let mut stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            stream.write_all(UPGRADE).await?;
            let head = read_head(&mut stream).await?;
            if !head.starts_with(b"HTTP/1.1 101 ") {
                return Err(format!("no WebSocket: {}", String::from_utf8_lossy(&head)).into());
            }
            let mut answer = [0; 2 + PAYLOAD];
            loop {
                let began = Instant::now();
                stream.write_all(&question).await?;
                stream.read_exact(&mut answer).await?;
                done.borrow_mut().times.push(began.elapsed());
            }
        }
    })
    .await
}

/// Reads to the end of a head, behind which nothing may have come yet.
async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> Result<Vec<u8>, Fault> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut head).await? == 0 || head.len() > 16_384 {
            return Err("a head has no end".into());
        }
    }
    Ok(head)
}

async fn idle(kind: &str, address: SocketAddr, connections: usize) -> Result<(), Fault> {
    let settings = match kind {
        "plain" => None,
        "tls" => Some(tls(false)?),
        "h2" => Some(offering(tls(false)?, &[b"h2"])),
        _ => return Err("idle connections are `plain`, `tls` or `h2`".into()),
    };
    let mut open: Vec<Box<dyn std::any::Any>> = Vec::with_capacity(connections);
    while open.len() < connections {
        let Some(settings) = &settings else {
            let mut stream = TcpStream::connect(address).await?;
            ask_once(&mut stream).await?;
            open.push(Box::new(stream));
            continue;
        };
        let (mut stream, _) = connect_tls(settings, address).await?;
        if kind == "tls" {
            ask_once(&mut stream).await?;
            open.push(Box::new(stream));
            continue;
        }
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        tokio::task::spawn_local(connection);
        let request = http::Request::get("https://localhost/").body(Empty::<Bytes>::new())?;
        let answer = sender.send_request(request).await?;
        if !answer.status().is_success() {
            return Err("an answer is not 200".into());
        }
        answer.into_body().collect().await?;
        open.push(Box::new(sender));
    }
    writeln!(std::io::stdout(), "{{\"open\": {}}}", open.len())?;
    let waiting = tokio::task::spawn_blocking(|| std::io::stdin().read(&mut [0]));
    drop(waiting.await?);
    Ok(())
}

/// Asks for the answer of 1 KB and reads it to its end, which is a line of `x`.
async fn ask_once(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Result<(), Fault> {
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await?;
    let mut answer = Vec::with_capacity(4096);
    loop {
        if stream.read_buf(&mut answer).await? == 0 {
            return Err("a connection was closed".into());
        }
        let head = answer.windows(4).position(|end| end == b"\r\n\r\n");
        if head.is_some_and(|head| answer.len() >= head + 4 + 1024) {
            return Ok(());
        }
    }
}

async fn echo(address: SocketAddr) -> Result<(), Fault> {
    let listener = TcpListener::bind(address).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        // How a connection ends is its client's affair.
        tokio::task::spawn_local(async move { drop(echo_one(stream).await) });
    }
}

async fn echo_one(mut stream: TcpStream) -> Result<(), Fault> {
    stream.set_nodelay(true)?;
    read_head(&mut stream).await?;
    stream.write_all(UPGRADED).await?;
    let mut question = [0; 6 + PAYLOAD];
    loop {
        stream.read_exact(&mut question).await?;
        let answer = [&[0x82, PAYLOAD as u8][..], &question[6..]].concat();
        stream.write_all(&answer).await?;
    }
}

/// What a client agrees to; with or without tickets of its earlier connections.
fn tls(resumes: bool) -> Result<Arc<ClientConfig>, Fault> {
    let provider = Arc::new(ring::default_provider());
    let mut settings = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
        .with_no_client_auth();
    if !resumes {
        settings.resumption = rustls::client::Resumption::disabled();
    }
    Ok(Arc::new(settings))
}

fn offering(settings: Arc<ClientConfig>, protocols: &[&[u8]]) -> Arc<ClientConfig> {
    let mut settings = Arc::unwrap_or_clone(settings);
    settings.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    Arc::new(settings)
}

/// Takes any certificate, but checks that who shows it has its key: that work is part of a handshake.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
