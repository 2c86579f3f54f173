//! The front door, as a visitor sees it: how the engine knows that a release really answers.

use crate::names::{HostName, ReleaseName};

/// A request header by which a visitor from this machine says that it wants to see what is behind a route, and not to be
/// redirected to https.
pub const VISIT_HEADER: &str = "x-hostkit-visit";

/// What a visitor got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    /// The status of the answer.
    pub status: u16,
    /// The release that answered, from `x-hostkit-release`.
    pub release: Option<ReleaseName>,
}

/// Visits a host through the public listener.
#[async_trait::async_trait]
pub trait FrontDoor: Send + Sync {
    /// Sends one GET over a connection of its own and reads the whole answer, within some seconds. The error is a
    /// reason for users: `connection refused`, `no answer within 10s`.
    async fn visit(&self, host: &HostName, path: &str) -> Result<Visit, String>;
}
