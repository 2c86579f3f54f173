//! The control daemon: engine and API in one process, the only writer of the state.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;

use anyhow::Context;
use hostkit_cli::local::ControlOptions;
use hostkit_core::layout::Layout;
use hostkit_engine::Engine;
use tokio::signal::unix::{SignalKind, signal};

use crate::wire::Wired;

/// Runs until SIGTERM, and then stops every instance: in local mode nothing outlives `hostkit down`. Being killed
/// leaves everything running.
pub(crate) fn run(options: ControlOptions, sockets: Vec<OwnedFd>) -> anyhow::Result<()> {
    crate::daemon_log::begin();
    let [unix, tcp] = <[OwnedFd; 2]>::try_from(sockets).map_err(|found| {
        anyhow::anyhow!(
            "cannot start control: it needs two sockets and was handed {}; it is started by `hostkit up`",
            found.len()
        )
    })?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(serve(options, UnixListener::from(unix), TcpListener::from(tcp)))
}

async fn serve(options: ControlOptions, unix: UnixListener, tcp: TcpListener) -> anyhow::Result<()> {
    let layout = Layout::new(options.data);
    let api = tcp
        .local_addr()
        .context("cannot read the address of the API's socket")?;
    unix.set_nonblocking(true)?;
    tcp.set_nonblocking(true)?;
    let Wired {
        parts,
        sources,
        server,
    } = crate::wire::local(&layout, options.http, api)?;
    parts.store.bootstrap_token(&layout)?;
    #[cfg(debug_assertions)]
    tokio::spawn(planted_faults(
        layout.data().join("fault"),
        parts.settings.faults.clone(),
    ));
    let engine = Engine::start(parts).await?;
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = async move {
        terminate.recv().await;
    };
    hostkit_server::serve(
        engine.clone(),
        sources,
        tokio::net::UnixListener::from_std(unix)?,
        tokio::net::TcpListener::from_std(tcp)?,
        server,
        stop,
    )
    .await?;
    engine.stop().await;
    engine.stop_instances().await?;
    Ok(())
}

/// Debug builds take faults for tests from a file, each once: `kill:before:switch`.
#[cfg(debug_assertions)]
async fn planted_faults(file: std::path::PathBuf, plan: hostkit_engine::FaultPlan) {
    loop {
        if let Ok(text) = std::fs::read_to_string(&file) {
            match hostkit_engine::FaultPlan::parse(text.trim()) {
                Ok(planted) => plan.add_all(&planted),
                Err(error) => tracing::warn!("{error}"),
            }
            std::fs::remove_file(&file).ok();
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}
