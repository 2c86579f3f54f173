//! What a TLS listener agrees with its clients: versions, resumption and protocols. Which certificate is shown is
//! the affair of `hostkit-certificates`.

use std::sync::Arc;

use hostkit_certificates::Certificates;
use hostkit_core::kind::{Failure, Kind};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::ServerSessionMemoryCache;
use rustls::version::{TLS12, TLS13};

/// Spoken by a certificate authority that looks whether a host is ours: there is nothing to be said after the
/// handshake.
pub(crate) const CHALLENGE: &[u8] = b"acme-tls/1";
/// Many requests at once on one connection.
pub(crate) const HTTP2: &[u8] = b"h2";
/// The protocols that are spoken, the best one first.
const PROTOCOLS: [&[u8]; 4] = [HTTP2, b"http/1.1", b"http/1.0", CHALLENGE];
/// How many sessions are kept for clients of TLS 1.2 that know no tickets.
const SESSIONS: usize = 4096;

/// The settings of all TLS listeners.
pub(crate) fn settings(certificates: &Arc<Certificates>) -> Result<Arc<ServerConfig>, Failure> {
    let failed = |why: rustls::Error| {
        Failure::new(
            Kind::Internal,
            format!("cannot prepare TLS for the front door: {why}"),
        )
    };
    // The provider is named here: which one a process has installed makes no difference.
    let mut settings = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(failed)?
        .with_no_client_auth()
        .with_cert_resolver(certificates.resolver());
    // Tickets are sealed by a key of this process, so that nothing is kept for a client that does not come back.
    settings.ticketer = ring::Ticketer::new().map_err(failed)?;
    settings.session_storage = ServerSessionMemoryCache::new(SESSIONS);
    settings.alpn_protocols = PROTOCOLS.iter().map(|protocol| protocol.to_vec()).collect();
    Ok(Arc::new(settings))
}
