//! An upstream server that speaks HTTP/2 without TLS, and does what a call's path says.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use h2::server::{Builder, SendResponse};
use h2::{Reason, RecvStream};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::net::{TcpListener, TcpStream};

/// The server; its thread lasts as long as the test.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    seen: Arc<Mutex<Vec<Parts>>>,
    taken_back: Arc<AtomicUsize>,
}

impl Server {
    pub(super) fn start() -> Server {
        Server::with(|_| ())
    }

    pub(super) fn with(change: impl Fn(&mut Builder) + Send + 'static) -> Server {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let server = Server {
            address: listener.local_addr().unwrap(),
            connections: Arc::default(),
            seen: Arc::default(),
            taken_back: Arc::default(),
        };
        let (connections, seen) = (Arc::clone(&server.connections), Arc::clone(&server.seen));
        let taken_back = Arc::clone(&server.taken_back);
        std::thread::spawn(move || {
            crate::support::block_on(async move {
                let listener = TcpListener::from_std(listener).unwrap();
                while let Ok((stream, _)) = listener.accept().await {
                    connections.fetch_add(1, Ordering::SeqCst);
                    let mut builder = Builder::new();
                    change(&mut builder);
                    let (seen, taken_back) = (Arc::clone(&seen), Arc::clone(&taken_back));
                    tokio::spawn(serve(builder, stream, seen, taken_back));
                }
            })
        });
        server
    }

    /// How many connections were opened to it.
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// How many calls their clients took back.
    pub(super) fn taken_back(&self) -> usize {
        self.taken_back.load(Ordering::SeqCst)
    }

    pub(super) fn last(&self) -> Parts {
        self.seen.lock().unwrap().last().cloned().unwrap()
    }
}

async fn serve(
    builder: Builder,
    stream: TcpStream,
    seen: Arc<Mutex<Vec<Parts>>>,
    taken_back: Arc<AtomicUsize>,
) {
    let Ok(mut connection) = builder.handshake::<_, Bytes>(stream).await else {
        return;
    };
    while let Some(Ok((request, answer))) = connection.accept().await {
        let (parts, body) = request.into_parts();
        seen.lock().unwrap().push(parts.clone());
        match parts.uri.path() {
            "/die" => return,
            "/leave" => connection.graceful_shutdown(),
            _ => {}
        }
        let taken_back = Arc::clone(&taken_back);
        tokio::spawn(answer_one(Request::from_parts(parts, body), answer, taken_back));
    }
}

async fn answer_one(
    request: Request<RecvStream>,
    mut answer: SendResponse<Bytes>,
    taken_back: Arc<AtomicUsize>,
) {
    let path = request.uri().path().to_owned();
    let head = Response::builder().header("content-type", "application/grpc");
    match path.as_str() {
        "/reset" => answer.send_reset(Reason::INTERNAL_ERROR),
        "/refuse" => answer.send_reset(Reason::REFUSED_STREAM),
        "/denied" => {
            let head = head.header("grpc-status", "7").body(()).unwrap();
            answer.send_response(head, true).ok();
        }
        "/large" => {
            let Ok(mut body) = answer.send_response(head.body(()).unwrap(), false) else {
                return;
            };
            send(&mut body, Bytes::from(vec![b'x'; 4 << 20])).await;
            body.send_trailers(status()).ok();
        }
        _ => {
            if path == "/late" {
                tokio::time::sleep(Duration::from_millis(1500)).await;
            }
            let Ok(mut body) = answer.send_response(head.body(()).unwrap(), false) else {
                return;
            };
            let mut asked = request.into_body();
            while let Some(piece) = asked.data().await {
                let Ok(piece) = piece else {
                    taken_back.fetch_add(1, Ordering::SeqCst);
                    return;
                };
                asked.flow_control().release_capacity(piece.len()).ok();
                send(&mut body, piece).await;
            }
            let mut trailers = status();
            if let Ok(Some(theirs)) = asked.trailers().await {
                trailers.extend(theirs);
            }
            body.send_trailers(trailers).ok();
        }
    }
}

/// Sends as much at once as the other side takes.
async fn send(body: &mut h2::SendStream<Bytes>, mut piece: Bytes) {
    while !piece.is_empty() {
        body.reserve_capacity(piece.len());
        match std::future::poll_fn(|context| body.poll_capacity(context)).await {
            Some(Ok(room)) => {
                let part = piece.split_to(room.min(piece.len()));
                if body.send_data(part, false).is_err() {
                    return;
                }
            }
            _ => return,
        }
    }
}

fn status() -> HeaderMap {
    HeaderMap::from_iter([("grpc-status".parse().unwrap(), HeaderValue::from_static("0"))])
}
