//! What every handler has at hand.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use hostkit_core::access::Account;
use hostkit_core::layout::Layout;
use hostkit_core::names::HostName;
use hostkit_core::project::front_door_url;
use hostkit_core::source::SourceLimits;
use hostkit_core::traits::Sources;
use hostkit_engine::Engine;
use hostkit_store::Store;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::auth::{Attempts, Revocations};

/// Looks an account of the machine up by its user number.
pub type AccountOf = fn(u32) -> Option<Account>;

/// What the wiring says about the installation.
#[derive(Debug, Clone)]
pub struct Settings {
    /// HostKit's version.
    pub version: String,
    /// Where things lie.
    pub layout: Layout,
    /// Environments answer below this host name, the API at `hostkit.` below it.
    pub base_host: HostName,
    /// Where the front door listens.
    pub front_door: SocketAddr,
    /// The port it speaks TLS on, if it does.
    pub https_port: Option<u16>,
    /// How much one source may be.
    pub limits: SourceLimits,
    /// When control was started.
    pub started_at: Timestamp,
    /// On a server, where anybody may open the unix socket: who calls is asked of the kernel. Without it only tokens
    /// count.
    pub account_of: Option<AccountOf>,
}

pub(crate) struct Shared {
    pub(crate) engine: Arc<Engine>,
    pub(crate) sources: Arc<dyn Sources>,
    pub(crate) settings: Settings,
    /// Where the API listens on loopback.
    pub(crate) api: SocketAddr,
    /// Wrong tokens of late.
    pub(crate) attempts: Attempts,
    /// Says that tokens went away.
    pub(crate) revocations: Revocations,
    /// Cancelled when the server is to end.
    pub(crate) stop: CancellationToken,
    /// The OpenAPI document, written out once.
    pub(crate) openapi: Bytes,
    started: Instant,
}

impl Shared {
    pub(crate) fn new(
        engine: Arc<Engine>,
        sources: Arc<dyn Sources>,
        settings: Settings,
        api: SocketAddr,
    ) -> Self {
        Shared {
            engine,
            sources,
            settings,
            api,
            attempts: Attempts::default(),
            revocations: Revocations::default(),
            stop: CancellationToken::new(),
            openapi: hostkit_api::openapi::document().to_string().into(),
            started: Instant::now(),
        }
    }

    /// The state, to read from.
    pub(crate) fn store(&self) -> &Store {
        self.engine.store()
    }

    pub(crate) fn uptime_seconds(&self) -> u64 {
        self.started.elapsed().as_secs()
    }

    /// A URL of the front door.
    pub(crate) fn url(&self, host: &HostName) -> String {
        let http = self.settings.front_door.port();
        front_door_url(host, http, self.settings.https_port)
    }
}
