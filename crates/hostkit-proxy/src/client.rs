//! The front door as the engine sees it: [`Traffic`] and [`CertificateBook`] over the admin socket.

use std::borrow::Cow;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use hostkit_core::certificate::{BroughtCertificate, CertificateName, CertificateStatus};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::route::{Applied, BackendId, Drained, Purge, Purged, RouteTable, TrafficStatus};
use hostkit_core::size::Span;
use hostkit_core::traits::{CertificateBook, Traffic};
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use crate::control::admin::DrainOrder;
use crate::control::certificates::{ImportOrder, PATH as CERTIFICATES};

/// The longest the front door may take for what needs no waiting.
const PATIENCE: Duration = Duration::from_secs(10);

/// Speaks to a front door over its unix socket. A connection per call: they are cheap, and one that is kept would
/// break whenever the front door is replaced.
#[derive(Debug, Clone)]
pub struct ProxyClient {
    socket: PathBuf,
}

impl ProxyClient {
    /// A client of the front door whose admin socket is `socket`.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        ProxyClient {
            socket: socket.into(),
        }
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
        patience: Duration,
    ) -> Result<T, Failure> {
        let bytes = self.bytes(method, path, body, patience).await?;
        serde_json::from_slice(&bytes).map_err(|error| unreachable_because(&error))
    }

    async fn bytes(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
        patience: Duration,
    ) -> Result<Bytes, Failure> {
        let answer = tokio::time::timeout(patience, self.exchange(method, path, body)).await;
        let (status, bytes) = answer.map_err(|_| unreachable_because(&"it does not answer"))??;
        if status.is_success() {
            return Ok(bytes);
        }
        Err(serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| unreachable_because(&format!("it answered with status {}", status.as_u16()))))
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<(StatusCode, Bytes), Failure> {
        let stream = UnixStream::connect(&self.socket)
            .await
            .map_err(|error| unreachable_because(&error))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| unreachable_because(&error))?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "hostkit")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| unreachable_because(&error))?;
        let asking = async {
            let answer = sender.send_request(request).await?;
            let status = answer.status();
            Ok((status, answer.into_body().collect().await?.to_bytes()))
        };
        // The connection is driven here, next to the call: nothing is left behind when the call is given up.
        tokio::pin!(asking, connection);
        let mut driving = true;
        loop {
            tokio::select! {
                answer = &mut asking => return answer.map_err(|error: hyper::Error| unreachable_because(&error)),
                _ = &mut connection, if driving => driving = false,
            }
        }
    }
}

fn unreachable_because(why: &dyn std::fmt::Display) -> Failure {
    Failure::new(Kind::Unavailable, format!("cannot reach the front door: {why}"))
        .hint("look whether it runs with `hostkit status`")
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(value).map_err(|error| {
        Failure::new(
            Kind::Internal,
            format!("cannot write a request to the front door: {error}"),
        )
    })
}

#[async_trait::async_trait]
impl Traffic for ProxyClient {
    async fn apply(&self, table: &RouteTable) -> Result<Applied, Failure> {
        self.call(Method::PUT, "/table", json(table)?, PATIENCE).await
    }

    async fn drain(&self, backends: &[BackendId], grace: Duration) -> Result<Drained, Failure> {
        let order = DrainOrder {
            backends: backends.to_vec(),
            grace: Span(grace),
        };
        self.call(Method::POST, "/drain", json(&order)?, grace + PATIENCE)
            .await
    }

    async fn purge(&self, purge: &Purge) -> Result<Purged, Failure> {
        self.call(Method::POST, "/purge", json(purge)?, PATIENCE).await
    }

    async fn status(&self) -> Result<TrafficStatus, Failure> {
        self.call(Method::GET, "/status", Vec::new(), PATIENCE).await
    }

    async fn metrics(&self) -> Result<String, Failure> {
        let bytes = self.bytes(Method::GET, "/metrics", Vec::new(), PATIENCE).await?;
        String::from_utf8(bytes.into()).map_err(|error| unreachable_because(&error))
    }
}

#[async_trait::async_trait]
impl CertificateBook for ProxyClient {
    async fn certificates(&self) -> Result<Vec<CertificateStatus>, Failure> {
        self.call(Method::GET, CERTIFICATES, Vec::new(), PATIENCE).await
    }

    async fn import(&self, brought: &BroughtCertificate) -> Result<Vec<CertificateName>, Failure> {
        let order = ImportOrder {
            chain: Cow::Borrowed(&brought.chain),
            key: Cow::Borrowed(brought.key.reveal()),
            only: brought.only.as_deref().map(Cow::Borrowed),
        };
        self.call(Method::POST, CERTIFICATES, json(&order)?, PATIENCE)
            .await
    }

    async fn renew(&self, name: &CertificateName) -> Result<(), Failure> {
        let path = format!("{CERTIFICATES}/{name}/renew");
        self.call(Method::POST, &path, Vec::new(), PATIENCE).await
    }

    async fn remove(&self, name: &CertificateName) -> Result<(), Failure> {
        let path = format!("{CERTIFICATES}/{name}");
        self.call(Method::DELETE, &path, Vec::new(), PATIENCE).await
    }
}
