//! Whether a program that still runs is known for certain to listen elsewhere than it was told to, so that waiting any
//! longer would be for nothing. A second door proves nothing: programs open those for metrics or a debugger long before
//! they are ready themselves.

use std::net::SocketAddr;

use super::Evidence;

/// Words of a line that tells where a program serves.
const SERVES: [&str; 10] = [
    "listening",
    "running on",
    "running at",
    "serving",
    "server started",
    "started server",
    "available at",
    "ready on",
    "local:",
    "http://",
];
/// Words of a line about a door at its side.
const SIDE_DOORS: [&str; 9] = [
    "metric",
    "prometheus",
    "telemetry",
    "debug",
    "inspect",
    "profil",
    "admin",
    "management",
    "health",
];

/// Where a program listens that was told to listen elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Elsewhere {
    /// On the right port of an address that nobody asks.
    Address(SocketAddr),
    /// On another port, of which it says itself that it serves there.
    Port(SocketAddr),
}

/// Where it listens instead, if that is known: nobody answers where it was told to, and it has the one place only.
pub fn elsewhere(evidence: &Evidence<'_>) -> Option<Elsewhere> {
    let port = evidence.port?;
    if !evidence.health.is_some_and(|why| why.contains("refused")) {
        return None;
    }
    let listening = &evidence.diagnosis.listening;
    let first = *listening.first()?;
    if listening.iter().all(|address| address.port() == port) {
        let is_asked =
            |address: &SocketAddr| address.ip().is_unspecified() || address.ip().to_string() == "127.0.0.1";
        return (!listening.iter().any(is_asked)).then_some(Elsewhere::Address(first));
    }
    let is_one = listening.iter().all(|address| address.port() == first.port());
    let says_so = || {
        evidence
            .diagnosis
            .last_lines
            .iter()
            .any(|line| says(line, first.port()))
    };
    (is_one && says_so()).then_some(Elsewhere::Port(first))
}

/// Whether a line says that the program serves on this port.
fn says(line: &str, port: u16) -> bool {
    let line = line.to_ascii_lowercase();
    let port = port.to_string();
    let named = line
        .split(|c: char| !c.is_ascii_alphanumeric())
        .any(|word| word == port);
    let has = |words: &[&str]| words.iter().any(|word| line.contains(word));
    named && has(&SERVES) && !has(&SIDE_DOORS)
}
