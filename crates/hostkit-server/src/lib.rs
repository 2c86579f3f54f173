//! The HTTP API as it is served: a unix socket and a loopback port, one choke point ([`auth`]) that every endpoint of
//! the table passes, and handlers that read from the store and write through the engine.

mod auth;
mod incoming;
mod listener;
mod page;
mod reply;
mod router;
mod routes;
mod shared;
mod stream;
mod view;

use std::sync::Arc;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::traits::Sources;
use hostkit_engine::Engine;
use tokio::net::{TcpListener, UnixListener};

pub use shared::{AccountOf, Settings};

use router::Door;
use shared::Shared;

/// Serves the API on both listeners until `shutdown` comes; then streams end, and requests in flight have some
/// seconds to finish.
pub async fn serve(
    engine: Arc<Engine>,
    sources: Arc<dyn Sources>,
    unix: UnixListener,
    tcp: TcpListener,
    settings: Settings,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), Failure> {
    let api = tcp.local_addr().map_err(|why| {
        Failure::new(
            Kind::Internal,
            format!("cannot serve the API: its TCP listener has no address: {why}"),
        )
    })?;
    let shared = Arc::new(Shared::new(engine, sources, settings, api));
    routes::source::sweep(&shared);
    let socket = router::build(&shared, Door::Socket);
    let loopback = router::build(&shared, Door::Loopback);
    let stop = shared.stop.clone();
    let serving = async {
        tokio::join!(
            listener::serve(unix, socket, stop.clone()),
            listener::serve(tcp, loopback, stop.clone()),
        )
    };
    tokio::pin!(serving);
    tokio::select! {
        _ = &mut serving => {}
        () = shutdown => {
            stop.cancel();
            serving.await;
        }
    }
    Ok(())
}
