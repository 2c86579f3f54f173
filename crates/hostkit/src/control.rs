//! The control daemon: engine and API in one process, the only writer of the state.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;

use anyhow::Context;
use hostkit_cli::local::ControlOptions;
use hostkit_core::layout::Layout;
use hostkit_engine::Engine;
use hostkit_host::daemon_notice::DaemonNotice;
use hostkit_host::role_process::ListenSocket;
use tokio::signal::unix::{SignalKind, signal};

use crate::wire::Wired;

/// What becomes of the instances when control is told to stop.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Instances {
    /// They stop as well: in local mode nothing outlives `hostkit down`.
    Stop,
    /// They are none of its business: on a server systemd keeps them.
    GoOn,
}

/// Runs until SIGTERM. Being killed leaves everything running.
pub(crate) fn run(options: ControlOptions, sockets: Vec<ListenSocket>) -> anyhow::Result<()> {
    crate::daemon_log::begin();
    let notice = DaemonNotice::from_environment().context("cannot reach whoever started control")?;
    let (unix, tcp) = match options {
        ControlOptions::Local { .. } => in_order(sockets)?,
        ControlOptions::Server => by_name(sockets)?,
    };
    let tcp = TcpListener::from(tcp);
    let api = tcp
        .local_addr()
        .context("cannot read the address of the API's socket")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let _inside = runtime.enter();
    let (layout, wired, instances) = match options {
        ControlOptions::Local { data, http, https } => {
            let layout = Layout::new(data);
            let wired = crate::wire::local(&layout, http, https, api)?;
            wired.parts.store.bootstrap_token(&layout)?;
            (layout, wired, Instances::Stop)
        }
        ControlOptions::Server => {
            let layout = Layout::server();
            let settings = crate::machine_settings::load()?;
            let wired = runtime.block_on(crate::wire::server(&layout, &settings, api))?;
            (layout, wired, Instances::GoOn)
        }
    };
    runtime.block_on(serve(
        layout,
        wired,
        UnixListener::from(unix),
        tcp,
        notice,
        instances,
    ))
}

/// From `hostkit up`: the unix socket, then the loopback API.
fn in_order(sockets: Vec<ListenSocket>) -> anyhow::Result<(OwnedFd, OwnedFd)> {
    let [unix, tcp] = <[ListenSocket; 2]>::try_from(sockets).map_err(|found| {
        anyhow::anyhow!(
            "cannot start control: it needs two sockets and was handed {}; it is started by `hostkit up`",
            found.len()
        )
    })?;
    Ok((unix.socket, tcp.socket))
}

/// From systemd, by the names of its socket units.
fn by_name(sockets: Vec<ListenSocket>) -> anyhow::Result<(OwnedFd, OwnedFd)> {
    let (mut unix, mut tcp) = (None, None);
    for socket in sockets {
        match socket.name.as_str() {
            "control" => unix = Some(socket.socket),
            "api" => tcp = Some(socket.socket),
            other => {
                tracing::warn!("systemd handed over a socket called `{other}`, which is not for control")
            }
        }
    }
    unix.zip(tcp).context(
        "cannot start control: it needs the sockets of `hostkit-control.socket` and `hostkit-api.socket`; it is \
         started by `systemctl start hostkit-control`",
    )
}

async fn serve(
    layout: Layout,
    wired: Wired,
    unix: UnixListener,
    tcp: TcpListener,
    notice: DaemonNotice,
    instances: Instances,
) -> anyhow::Result<()> {
    let Wired {
        parts,
        sources,
        server,
    } = wired;
    unix.set_nonblocking(true)?;
    tcp.set_nonblocking(true)?;
    #[cfg(debug_assertions)]
    tokio::spawn(planted_faults(
        layout.data().join("fault"),
        parts.settings.faults.clone(),
    ));
    #[cfg(not(debug_assertions))]
    drop(layout);
    let engine = Engine::start(parts).await?;
    let mut terminate = signal(SignalKind::terminate())?;
    notice.ready().context("cannot say that control is ready")?;
    let stop = async {
        terminate.recv().await;
        // Whoever started it sees it end in any case.
        notice.stopping().ok();
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
    if instances == Instances::Stop {
        engine.stop_instances().await?;
    }
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
