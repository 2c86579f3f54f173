//! The process of a gateway, one for all projects. It listens on this machine alone, reads its settings at its start and at
//! `SIGHUP`, and at `SIGTERM` it answers what was asked and ends.

use std::net::SocketAddr;
use std::path::Path;

use hostkit_core::kind::{Failure, Kind};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Gateway, Settings};

/// Serves by the settings at `path` until it is told to end.
pub fn run(path: &Path) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|why| cannot("start", &why))?;
    runtime.block_on(async {
        // First of all: a signal that nobody catches would end the process.
        let reload = catch(SignalKind::hangup())?;
        let end = catch(SignalKind::terminate())?;
        let settings = Settings::load(path)?;
        let gateway = Gateway::new();
        gateway.apply(&settings)?;
        let listener = TcpListener::bind(settings.listen)
            .await
            .map_err(|why| cannot(&format!("listen on {}", settings.listen), &why))?;
        tracing::info!(address = %settings.listen, "listening");
        let told = follow(path, &gateway, settings.listen, reload, end);
        gateway.serve(listener, told).await;
        Ok(())
    })
}

/// Has the gateway go by its settings as they are each time it is told to look, until it is told to end.
async fn follow(path: &Path, gateway: &Gateway, listening: SocketAddr, mut reload: Signal, mut end: Signal) {
    loop {
        tokio::select! {
            _ = reload.recv() => read_again(path, gateway, listening),
            _ = end.recv() => return,
        }
    }
}

/// Settings that cannot be used are not, and the ones of before stay.
fn read_again(path: &Path, gateway: &Gateway, listening: SocketAddr) {
    let used = Settings::load(path).and_then(|settings| {
        gateway.apply(&settings)?;
        Ok(settings)
    });
    match used {
        Ok(settings) if settings.listen != listening => {
            tracing::warn!("another address is used from the next start on");
        }
        Ok(_) => tracing::info!("settings read again"),
        Err(why) => tracing::error!("the settings stay as they were: {why}"),
    }
}

fn catch(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|why| cannot("wait for signals", &why))
}

fn cannot(act: &str, why: &std::io::Error) -> Failure {
    Failure::new(Kind::Internal, format!("cannot {act}: {why}"))
}
