//! Visits to the front door, as a browser would make them.

use std::net::SocketAddr;
use std::time::Duration;

use hostkit_core::canary::Side;
use hostkit_core::names::{HostName, ReleaseName};
use hostkit_core::traits::FrontDoor;
use hostkit_core::traits::front_door::Visit;

use crate::visit::{self, Body};

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

    async fn get(&self, host: &HostName, path: &str, side: Side) -> Result<Visit, String> {
        let (head, _) = visit::get(self.address, host, path, side, Body::Passed).await?;
        let release = head
            .headers
            .get("x-hostkit-release")
            .and_then(|value| value.to_str().ok())
            .and_then(|name| ReleaseName::parse(name).ok());
        Ok(Visit {
            status: head.status.as_u16(),
            release,
        })
    }
}

#[async_trait::async_trait]
impl FrontDoor for HttpVisitor {
    async fn visit(&self, host: &HostName, path: &str, side: Side) -> Result<Visit, String> {
        match tokio::time::timeout(PATIENCE, self.get(host, path, side)).await {
            Ok(visit) => visit,
            Err(_) => Err(format!("no answer within {}s", PATIENCE.as_secs())),
        }
    }
}
