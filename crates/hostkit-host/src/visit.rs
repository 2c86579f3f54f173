//! One GET over a connection of its own, as a browser would make it.

use std::net::SocketAddr;

use bytes::Bytes;
use hostkit_core::canary::Side;
use hostkit_core::names::HostName;
use hostkit_core::traits::front_door::{VISIT_CANARY, VISIT_HEADER};
use http::{Request, header, response};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// What becomes of an answer's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    /// It is read to its end, and nothing of it is kept.
    Passed,
    /// So many bytes of its beginning are kept, and no more of it is read.
    Begins(usize),
}

/// Visits a host at an address. The error is a reason for users.
pub(crate) async fn get(
    address: SocketAddr,
    host: &HostName,
    path: &str,
    side: Side,
    body: Body,
) -> Result<(response::Parts, Vec<u8>), String> {
    let stream = TcpStream::connect(address)
        .await
        .map_err(|why| match why.kind() {
            std::io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
            _ => format!("no connection to {address}: {why}"),
        })?;
    let asks_for = match side {
        Side::Live => "1",
        Side::Canary => VISIT_CANARY,
    };
    let request = Request::get(path)
        .header(header::HOST, host.as_str())
        .header(header::USER_AGENT, "HostKit-Probe")
        .header(header::CONNECTION, "close")
        .header(VISIT_HEADER, asks_for)
        .body(Empty::<Bytes>::new())
        .map_err(|why| format!("`{path}` is no path that can be asked: {why}"))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|why| format!("no valid answer: {why}"))?;
    let exchange = async {
        let answer = sender
            .send_request(request)
            .await
            .map_err(|why| format!("no valid answer: {why}"))?;
        let (head, mut rest) = answer.into_parts();
        let mut kept = Vec::new();
        while let Some(frame) = rest.frame().await {
            let frame = frame.map_err(|why| format!("the answer broke off: {why}"))?;
            let (Body::Begins(most), Some(data)) = (body, frame.data_ref()) else {
                continue;
            };
            let room = most - kept.len();
            kept.extend_from_slice(&data[..data.len().min(room)]);
            if kept.len() == most {
                break;
            }
        }
        Ok((head, kept))
    };
    tokio::pin!(exchange, connection);
    tokio::select! {
        visit = &mut exchange => visit,
        // The connection may be done before its last answer was looked at.
        _ = &mut connection => exchange.await,
    }
}
