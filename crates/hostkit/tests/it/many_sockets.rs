//! Ten thousand WebSockets at once, half of them connections of their own, half of them streams of HTTP/2: all echo, and
//! nothing is left of them.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use hostkit_testkit::tls;
use http_body_util::Empty;
use hyper::client::conn::http2::{self, SendRequest};
use hyper::ext::Protocol;
use hyper::{Method, Request};
use hyper_util::rt::{TokioExecutor, TokioIo};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::harness::{Installation, PATIENCE, projects, wait_until};

const CONNECTIONS: usize = 5_000;
/// Of so many streams each.
const SHARED: usize = 50;
const STREAMS: usize = 100;
const HOST: &str = "chat.localhost";
/// So many do something at a time.
const AT_ONCE: usize = 64;

/// What a WebSocket is spoken over.
trait Wire: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Wire for T {}
type Socket = Box<dyn Wire>;

async fn secure(port: u16, protocol: &str) -> TlsStream<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let connector = TlsConnector::from(Arc::new(tls::client(&[protocol])));
    let name = ServerName::try_from(HOST).unwrap();
    connector.connect(name, stream).await.unwrap()
}

/// One on a connection of its own.
async fn alone(port: u16) -> Socket {
    let begun = Instant::now();
    let mut stream = secure(port, "http/1.1").await;
    let asked = format!(
        "GET /ws HTTP/1.1\r\nHost: {HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(asked.as_bytes()).await.unwrap();
    // Until then some of it may still be on this side.
    stream.flush().await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let read = stream.read_u8().await;
        head.push(read.unwrap_or_else(|why| panic!("{why} after {:?}: {head:?}", begun.elapsed())));
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    Box::new(stream)
}

/// Many on one connection (RFC 8441).
async fn together(port: u16) -> Vec<Socket> {
    let stream = TokioIo::new(secure(port, "h2").await);
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    // The settings that allow it have come with the first answer at the latest.
    let greeting = Request::get(format!("https://{HOST}/"))
        .body(Empty::new())
        .unwrap();
    assert_eq!(sender.send_request(greeting).await.unwrap().status(), 200);
    let mut sockets = Vec::new();
    for _ in 0..STREAMS {
        sockets.push(stream_of(&mut sender).await);
    }
    sockets
}

async fn stream_of(sender: &mut SendRequest<Empty<Bytes>>) -> Socket {
    let mut open = Request::builder()
        .method(Method::CONNECT)
        .uri(format!("https://{HOST}/ws"))
        .header("sec-websocket-version", "13")
        .body(Empty::new())
        .unwrap();
    open.extensions_mut().insert(Protocol::from_static("websocket"));
    let answer = sender.send_request(open).await.unwrap();
    assert_eq!(answer.status(), 200);
    Box::new(TokioIo::new(hyper::upgrade::on(answer).await.unwrap()))
}

/// Sends a text of its own and reads it again.
async fn echo(socket: &mut Socket, number: usize) {
    let text = format!("message {number}");
    let length = text.len() as u8;
    // Masked with zeros, which change nothing.
    let frame = [&[0x81, 0x80 | length, 0, 0, 0, 0], text.as_bytes()].concat();
    socket.write_all(&frame).await.unwrap();
    socket.flush().await.unwrap();
    let mut answer = vec![0; 2 + text.len()];
    let read = tokio::time::timeout(PATIENCE, socket.read_exact(&mut answer)).await;
    read.expect("an echo comes").unwrap();
    assert_eq!(answer, [&[0x81, length], text.as_bytes()].concat(), "{number}");
}

async fn all_echo(sockets: &mut [Socket]) {
    stream::iter(sockets.iter_mut().enumerate())
        .for_each_concurrent(1_000, |(number, socket)| echo(socket, number))
        .await;
}

/// So many files this program, and those it starts, may have open.
fn raise_file_limit() -> u64 {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    hard
}

fn memory(pid: u32) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.trim_start_matches("VmRSS:").trim().to_owned()
}

fn open_files(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

#[test]
fn ten_thousand_websockets_echo_and_end() {
    let limit = raise_file_limit();
    // The front door needs one for each connection of a visitor, and one for each to the program.
    assert!(
        limit >= 18_000,
        "this test needs 18000 open files (`ulimit -Hn`), not {limit}"
    );
    let host = Installation::start_tls();
    host.deploy("chat", &projects::node(&host.sources(), "chat", "hello"))
        .ok();
    let (port, proxy) = (host.https.unwrap(), host.pid("proxy"));
    let (before, files) = (memory(proxy), open_files(proxy));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let sockets = runtime.block_on(async {
        let mut sockets: Vec<Socket> = stream::iter(0..CONNECTIONS)
            .map(|_| alone(port))
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let shared: Vec<Vec<Socket>> = stream::iter(0..SHARED)
            .map(|_| together(port))
            .buffer_unordered(4)
            .collect()
            .await;
        sockets.extend(shared.into_iter().flatten());
        assert_eq!(sockets.len(), 10_000);
        all_echo(&mut sockets).await;
        all_echo(&mut sockets).await;
        println!(
            "10000 WebSockets: the front door has {} open files; its memory was {before}, is {}",
            open_files(proxy),
            memory(proxy)
        );
        sockets
    });
    assert_eq!(host.get("chat", "/").status, 301, "others are served meanwhile");
    drop(sockets);
    drop(runtime);
    wait_until("nothing is left of them", || open_files(proxy) < files + 100);
    println!("afterwards its memory is {}", memory(proxy));
    assert_eq!(host.pid("proxy"), proxy);
}
