//! Is an instance ready, is it alive?

use std::net::SocketAddr;

use crate::manifest::HealthRule;
use crate::names::HostName;

/// What one check saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It answered as it should.
    Healthy,
    /// It did not; the reason is for users: `connection refused`, `GET /up answered 301 to https://…`.
    Unhealthy(String),
}

/// Asks an instance for its health.
#[async_trait::async_trait]
pub trait HealthProbe: Send + Sync {
    /// Sends one check by the rule, within its time-out, with `X-Forwarded-Proto: https` and the given host name so
    /// that programs which force TLS do not redirect. A redirect is unhealthy where the rule names a path, and the
    /// reason says where it leads.
    async fn check(&self, address: SocketAddr, host: &HostName, rule: &HealthRule) -> Health;
}
