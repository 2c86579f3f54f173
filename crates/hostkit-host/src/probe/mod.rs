//! Health checks over HTTP.

mod grpc;

use std::net::SocketAddr;

use bytes::Bytes;
use hostkit_core::manifest::HealthRule;
use hostkit_core::names::HostName;
use hostkit_core::route::Protocol;
use hostkit_core::traits::{Health, HealthProbe};
use http::{Request, Response, header};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Asks programs for their health in what they speak, on a connection of its own for each check.
#[derive(Debug, Clone, Copy, Default)]
pub struct HttpProbe;

#[async_trait::async_trait]
impl HealthProbe for HttpProbe {
    async fn check(&self, address: SocketAddr, host: &HostName, rule: &HealthRule) -> Health {
        let check = async {
            match rule.protocol {
                Protocol::Http1 => {
                    let answer = ask(address, host, rule).await?;
                    Ok(judge(&answer, "GET", path(rule), rule))
                }
                Protocol::H2c => grpc::check(address, host, rule).await,
            }
        };
        match tokio::time::timeout(rule.timeout.0, check).await {
            Ok(health) => health.unwrap_or_else(Health::Unhealthy),
            Err(_) => Health::Unhealthy(format!("{} took longer than {}", asked(rule), rule.timeout)),
        }
    }
}

fn path(rule: &HealthRule) -> &str {
    rule.path.as_deref().unwrap_or("/")
}

/// What a check asks for, in words.
fn asked(rule: &HealthRule) -> String {
    match (&rule.path, rule.protocol) {
        (None, Protocol::H2c) => "gRPC's health service".into(),
        _ => format!("GET {}", path(rule)),
    }
}

async fn connect(address: SocketAddr) -> Result<TcpStream, String> {
    TcpStream::connect(address).await.map_err(|e| match e.kind() {
        std::io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        _ => format!("no connection to {address}: {e}"),
    })
}

async fn ask(address: SocketAddr, host: &HostName, rule: &HealthRule) -> Result<Response<Incoming>, String> {
    let stream = connect(address).await?;
    let request = Request::get(path(rule))
        .header(header::HOST, host.as_str())
        .header(header::USER_AGENT, "HostKit-Health")
        .header(header::ACCEPT, "*/*")
        .header(header::CONNECTION, "close")
        .header("x-forwarded-proto", "https")
        .body(Empty::<Bytes>::new())
        .map_err(|e| format!("`{}` is no path that can be asked: {e}", path(rule)))?;
    let no_answer = |e: hyper::Error| match e.is_incomplete_message() {
        true => format!("GET {}: the connection was closed without an answer", path(rule)),
        false => format!("GET {}: no valid answer: {e}", path(rule)),
    };
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(no_answer)?;
    let asked = sender.send_request(request);
    tokio::pin!(asked, connection);
    tokio::select! {
        answer = &mut asked => answer.map_err(no_answer),
        // The connection may be done before the answer was looked at; the answer is there then.
        _ = &mut connection => asked.await.map_err(no_answer),
    }
}

fn judge(answer: &Response<Incoming>, method: &str, path: &str, rule: &HealthRule) -> Health {
    let status = answer.status();
    let healthy = match rule.path {
        Some(_) => status.is_success(),
        None => status.as_u16() < 500,
    };
    if healthy {
        return Health::Healthy;
    }
    let mut reason = format!("{method} {path} answered {}", status.as_u16());
    if let Some(place) = answer
        .headers()
        .get(header::LOCATION)
        .filter(|_| status.is_redirection())
    {
        reason.push_str(" to ");
        reason.extend(
            String::from_utf8_lossy(place.as_bytes())
                .chars()
                .filter(|c| !c.is_control())
                .take(200),
        );
    }
    Health::Unhealthy(reason)
}

#[cfg(test)]
mod tests;
