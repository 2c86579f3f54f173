//! What the ports of a running program and the answers to its health checks tell.

use std::net::SocketAddr;

use super::{Cause, Evidence, Explanation};

pub(super) fn explain(evidence: &Evidence<'_>) -> Option<Explanation> {
    let port = evidence.port?;
    ports(evidence, port).or_else(|| health(evidence, port))
}

/// Whether the program listens where it was told to.
fn ports(evidence: &Evidence<'_>, port: u16) -> Option<Explanation> {
    let listening = &evidence.diagnosis.listening;
    let process = evidence.process;
    let variable = evidence.port_variable;
    let on_port = listening.iter().filter(|address| address.port() == port);
    let reachable =
        |address: &SocketAddr| address.ip().is_unspecified() || address.ip().to_string() == "127.0.0.1";
    if on_port.clone().any(reachable) {
        return None;
    }
    if let Some(address) = on_port.clone().next() {
        return Some(Explanation {
            cause: Cause::OtherAddress,
            sentence: format!("`{process}` listens on {address}, not on 127.0.0.1"),
            hint: "let it listen on the address in the variable `HOST`, which is 127.0.0.1".into(),
        });
    }
    if let Some(other) = listening.first() {
        let all: Vec<String> = listening
            .iter()
            .map(|address| address.port().to_string())
            .collect();
        return Some(Explanation {
            cause: Cause::OtherPort,
            sentence: format!(
                "`{process}` listens on port {}, but `{variable}` told it to listen on {port}",
                all.join(" and ")
            ),
            hint: format!(
                "let it listen on the port in the variable `{variable}` instead of {}; where it reads another variable, name that as `port_variable` below `[process.{process}]`",
                other.port()
            ),
        });
    }
    // A connection that was accepted and answered shows that the list of ports is incomplete.
    let refused = evidence
        .health
        .is_none_or(|health| has_any(health, &["refused", "no connection"]));
    refused.then(|| Explanation {
        cause: Cause::NoPort,
        sentence: format!("`{process}` runs but listens on no port; `{variable}` told it to listen on {port}"),
        hint: format!(
            "let it listen on the port in the variable `{variable}`; a program that needs no port is not called `web`, or has `public = false`; one that starts slowly needs a longer `start_period` (now {})",
            evidence.rule.start_period
        ),
    })
}

fn health(evidence: &Evidence<'_>, port: u16) -> Option<Explanation> {
    let health = evidence.health?;
    let process = evidence.process;
    let path = evidence.rule.path.as_deref().unwrap_or("/");
    let table = format!("[process.{process}.health]");
    let explained = |cause, sentence: String, hint: String| {
        Some(Explanation {
            cause,
            sentence,
            hint,
        })
    };
    match answered(health) {
        Some(status @ 300..=399) => {
            let place = health
                .split_once(" to ")
                .map(|(_, place)| format!(" to {}", place.trim()))
                .unwrap_or_default();
            let hint = if place.contains("https://") {
                "let the program trust `X-Forwarded-Proto`, which says https, or leave the health path out of its redirect to https"
                    .to_owned()
            } else {
                format!(
                    "name a `path` in `{table}` that answers 200 by itself, without a login or a slash added"
                )
            };
            explained(
                Cause::HealthRedirect,
                format!(
                    "the health path `{path}` answers {status} and redirects{place}; a redirect is not healthy"
                ),
                hint,
            )
        }
        Some(404) => explained(
            Cause::HealthNotFound,
            format!("`{process}` answers, but knows no path `{path}` (404)"),
            format!(
                "correct `path` in `{table}`, or leave it out: then any answer below 500 to `/` is healthy"
            ),
        ),
        Some(status @ (401 | 403)) => explained(
            Cause::HealthDenied,
            format!("the health path `{path}` wants a login ({status})"),
            format!("name a `path` in `{table}` that answers 200 without a login"),
        ),
        Some(400) => explained(
            Cause::HealthError,
            format!(
                "the health path `{path}` answers 400; frameworks do so for host names they were not told of"
            ),
            "let the program accept the host name of the project (Django: `ALLOWED_HOSTS`)".into(),
        ),
        Some(status) => explained(
            Cause::HealthError,
            format!("the health path `{path}` answers {status}"),
            format!("see what the program printed: `hostkit logs --process {process}`"),
        ),
        None if has_any(health, &["took longer", "timed out"]) => explained(
            Cause::HealthTimeout,
            format!(
                "`{process}` listens on port {port}, but `{path}` gave no answer within {}",
                evidence.rule.timeout
            ),
            format!(
                "the program may wait for a database or another service; a slow check needs a longer `timeout` in `{table}`"
            ),
        ),
        None if has_any(health, &["over http/2: no valid answer"]) => explained(
            Cause::HealthError,
            format!("`{process}` listens on port {port}, but does not speak HTTP/2 there ({health})"),
            format!(
                "let the program speak HTTP/2 without TLS on its port, or take `protocol` out of `[process.{process}]` if it speaks HTTP/1.1"
            ),
        ),
        None if has_any(health, &["closed without", "no valid answer"]) => explained(
            Cause::HealthError,
            format!("`{process}` listens on port {port}, but does not answer HTTP there ({health})"),
            format!(
                "let the program speak plain HTTP on its port, TLS is for the front door; one that speaks HTTP/2 there, as gRPC does, needs `protocol = \"h2c\"` in `[process.{process}]`"
            ),
        ),
        None if has_any(health, &["is not serving", "of grpc:"]) => explained(
            Cause::HealthError,
            format!("`{process}` answers, and says that it is not ready ({health})"),
            format!(
                "see what the program printed: `hostkit logs --process {process}`; without a health service of its own it counts as ready as soon as it answers calls"
            ),
        ),
        None => None,
    }
}

/// The status in the words of a probe: `GET /up answered 301 to …`.
fn answered(health: &str) -> Option<u16> {
    let (_, rest) = health
        .split_once("answered ")
        .or_else(|| health.split_once("status "))?;
    let status = rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
    (100..=599).contains(&status).then_some(status)
}

fn has_any(text: &str, parts: &[&str]) -> bool {
    let text = text.to_ascii_lowercase();
    parts.iter().any(|part| text.contains(part))
}
