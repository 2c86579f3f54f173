//! The front door, as a visitor sees it: how the engine knows that a release really answers.

use crate::canary::Side;
use crate::names::{HostName, ReleaseName};

/// A request header by which a visitor from this machine says that it wants to see what is behind a route, and not to be
/// redirected to https.
pub const VISIT_HEADER: &str = "x-hostkit-visit";

/// The value of [`VISIT_HEADER`] with which the canary is asked; any other asks the live release.
pub const VISIT_CANARY: &str = "canary";

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
    ///
    /// The canary's answer is that of the live release where there is no canary, or none that can be asked.
    async fn visit(&self, host: &HostName, path: &str, side: Side) -> Result<Visit, String>;
}
