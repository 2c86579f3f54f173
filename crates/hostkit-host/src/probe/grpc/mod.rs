//! Health checks of programs that speak HTTP/2 without TLS: with GET where a path is named, else by gRPC's own protocol
//! (grpc.health.v1), of which a server that offers it says itself whether it serves.

use std::net::SocketAddr;

use bytes::Bytes;
use hostkit_core::manifest::HealthRule;
use hostkit_core::names::HostName;
use hostkit_core::traits::Health;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::{connect, judge};

const CHECK: &str = "/grpc.health.v1.Health/Check";
/// A request about the server as a whole: a message of no bytes, behind a byte that says it is not compressed and
/// four of its length.
const WHOLE_SERVER: &[u8] = &[0; 5];
/// The answer that it serves: field 1 is 1.
const SERVING: &[u8] = &[0, 0, 0, 0, 2, 8, 1];
/// The most that is read of an answer.
const MOST: usize = 4096;
/// That the service of health, or what was asked for, is not there: but a server of gRPC is.
const NOT_OFFERED: [&str; 2] = ["12", "5"];

/// Asks once.
pub(super) async fn check(address: SocketAddr, host: &HostName, rule: &HealthRule) -> Result<Health, String> {
    let (method, path) = match &rule.path {
        Some(path) => ("GET", path.as_str()),
        None => ("POST", CHECK),
    };
    let mut request = Request::builder()
        .method(method)
        .uri(format!("http://{host}{path}"))
        .header("user-agent", "HostKit-Health")
        .header("x-forwarded-proto", "https");
    let mut body = Bytes::new();
    if rule.path.is_none() {
        request = request
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        body = Bytes::from_static(WHOLE_SERVER);
    }
    let request = request
        .body(Full::new(body))
        .map_err(|e| format!("`{path}` is no path that can be asked: {e}"))?;
    let no_answer = |e: hyper::Error| format!("{method} {path} over HTTP/2: no valid answer: {e}");
    let stream = TokioIo::new(connect(address).await?);
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream)
        .await
        .map_err(no_answer)?;
    // It ends with the sender.
    tokio::spawn(connection);
    let answer = sender.send_request(request).await.map_err(no_answer)?;
    if rule.path.is_some() || answer.status() != StatusCode::OK {
        return Ok(judge(&answer, method, path, rule));
    }
    let (head, body) = answer.into_parts();
    let read = Limited::new(body, MOST).collect().await;
    let read = read.map_err(|e| format!("{CHECK}: the answer broke off: {e}"))?;
    let trailers = read.trailers().cloned().unwrap_or_default();
    Ok(said(&head.headers, &trailers, &read.to_bytes()))
}

/// What a server says of itself. One that answers without an outcome of gRPC is some other program that answers.
fn said(headers: &HeaderMap, trailers: &HeaderMap, message: &[u8]) -> Health {
    let word = |name| {
        let value = trailers.get(name).or(headers.get(name));
        value.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    match word("grpc-status").as_deref() {
        None => Health::Healthy,
        Some("0") if message == SERVING => Health::Healthy,
        Some("0") => Health::Unhealthy(format!("{CHECK} says that it is not serving")),
        Some(status) if NOT_OFFERED.contains(&status) => Health::Healthy,
        Some(status) => {
            let why: String = word("grpc-message").unwrap_or_default();
            let number: String = status.chars().filter(char::is_ascii_digit).take(3).collect();
            let why: String = why.chars().filter(|c| !c.is_control()).take(200).collect();
            Health::Unhealthy(format!("{CHECK} ended with status {number} of gRPC: {why}"))
        }
    }
}

#[cfg(test)]
mod tests;
