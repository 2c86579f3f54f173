//! Visits to the front door, as a browser would make them.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use hostkit_core::names::{HostName, ReleaseName};
use hostkit_core::traits::FrontDoor;
use hostkit_core::traits::front_door::{VISIT_HEADER, Visit};
use http::{Request, header};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// The longest a visit may take.
const PATIENCE: Duration = Duration::from_secs(35);

/// A visitor of the public listener.
#[derive(Debug, Clone, Copy)]
pub struct HttpVisitor {
    address: SocketAddr,
}

impl HttpVisitor {
    /// A visitor of the listener at `address`.
    pub fn new(address: SocketAddr) -> Self {
        HttpVisitor { address }
    }

    async fn get(&self, host: &HostName, path: &str) -> Result<Visit, String> {
        let stream = TcpStream::connect(self.address)
            .await
            .map_err(|why| match why.kind() {
                std::io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
                _ => format!("no connection to {}: {why}", self.address),
            })?;
        let request = Request::get(path)
            .header(header::HOST, host.as_str())
            .header(header::USER_AGENT, "HostKit-Probe")
            .header(header::CONNECTION, "close")
            .header(VISIT_HEADER, "1")
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
            let status = answer.status().as_u16();
            let release = answer
                .headers()
                .get("x-hostkit-release")
                .and_then(|value| value.to_str().ok())
                .and_then(|name| ReleaseName::parse(name).ok());
            let mut body = answer.into_body();
            while let Some(frame) = body.frame().await {
                frame.map_err(|why| format!("the answer broke off: {why}"))?;
            }
            Ok(Visit { status, release })
        };
        tokio::pin!(exchange, connection);
        tokio::select! {
            visit = &mut exchange => visit,
            // The connection may be done before its last answer was looked at.
            _ = &mut connection => exchange.await,
        }
    }
}

#[async_trait::async_trait]
impl FrontDoor for HttpVisitor {
    async fn visit(&self, host: &HostName, path: &str) -> Result<Visit, String> {
        match tokio::time::timeout(PATIENCE, self.get(host, path)).await {
            Ok(visit) => visit,
            Err(_) => Err(format!("no answer within {}s", PATIENCE.as_secs())),
        }
    }
}
