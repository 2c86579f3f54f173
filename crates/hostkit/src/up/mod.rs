//! `hostkit up`: the supervisor of local mode. It holds the listening sockets, starts control and the front door
//! with them and keeps both running. It does nothing else, so that there is nothing in it to fail.

mod children;
mod down;
mod sockets;
mod state;

use std::ffi::OsString;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use hostkit_api::client::{Address, Client};
use hostkit_api::installation::{Check, HealthStatus};
use hostkit_cli::local::UpOptions;
use hostkit_core::canary::Side;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::layout::Layout;
use hostkit_core::names::HostName;
use hostkit_core::traits::FrontDoor;
use hostkit_host::front_door::HttpVisitor;
use hostkit_host::processes::ProcessMark;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::Signal;
use tokio::signal::unix::{SignalKind, signal};

use children::Daemon;
pub(crate) use down::run as down;
use state::UpState;

/// How long control may take to answer for the first time.
const START_PATIENCE: Duration = Duration::from_secs(30);
/// Where the API answers through the front door.
const API_HOST: &str = "hostkit.localhost";
/// How long the front door may take to finish requests when everything is stopped.
const PROXY_STOP: Duration = Duration::from_secs(10);
/// How long control may take to stop all instances.
const CONTROL_STOP: Duration = Duration::from_secs(120);

/// Runs in the foreground until it is asked to stop, or, detached, starts itself in the background and waits until
/// that answers. Where the installation is up already, that is announced and nothing is done.
pub(crate) fn run(options: UpOptions) -> anyhow::Result<()> {
    prepare_folders(&options.data)?;
    let layout = Layout::new(options.data.canonicalize()?);
    let Some(lock) = lock(&layout)? else {
        return greet_again(&layout, &options);
    };
    if options.detach {
        drop(lock);
        return detach(&layout, &options);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(supervise(&layout, &options, lock))
}

async fn supervise(layout: &Layout, options: &UpOptions, _lock: Flock<std::fs::File>) -> anyhow::Result<()> {
    let sockets = sockets::bind(layout, options)?;
    if let Some(old) = UpState::load(layout) {
        take_over(&old).await;
    }
    let (http, https, api) = (sockets.http, sockets.https, sockets.api);
    let tls: Vec<OsString> = https
        .iter()
        .flat_map(|address| ["--https".into(), address.to_string().into()])
        .collect();
    let data = layout.data().as_os_str();
    let logs = layout.data().join("logs");
    let mut control = Daemon::new(
        "control",
        [
            "control".into(),
            "--data".into(),
            data.into(),
            "--http".into(),
            http.to_string().into(),
        ]
        .into_iter()
        .chain(tls.clone())
        .collect(),
        sockets.control,
        logs.join("control.log"),
    );
    let mut proxy = Daemon::new(
        "front door",
        ["proxy".into(), "--data".into(), data.into()]
            .into_iter()
            .chain(["--cache-disk".into(), options.cache_disk.0.to_string().into()])
            .chain(tls)
            .collect(),
        sockets.public,
        logs.join("proxy.log"),
    );
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    control.start()?;
    proxy.start()?;
    let mut state = UpState {
        supervisor: ProcessMark::of(std::process::id()).context("cannot read /proc/self/stat")?,
        control: control.mark(),
        proxy: proxy.mark(),
        http,
        https,
        api,
        data: layout.data().to_path_buf(),
        version: env!("CARGO_PKG_VERSION").into(),
    };
    state.save(layout)?;
    let ready = until_ready(layout, http);
    tokio::pin!(ready);
    let mut greeted = false;
    let outcome = loop {
        tokio::select! {
            biased;
            _ = interrupt.recv() => break Ok(()),
            _ = terminate.recv() => break Ok(()),
            _ = hangup.recv() => break Ok(()),
            how = control.ended() => revive(&mut control, &how, greeted).await?,
            how = proxy.ended() => revive(&mut proxy, &how, greeted).await?,
            answers = &mut ready, if !greeted => match answers {
                Ok(()) => {
                    greeted = true;
                    greet(&state, options.json)?;
                }
                Err(error) => break Err(error),
            },
        }
        (state.control, state.proxy) = (control.mark(), proxy.mark());
        state.save(layout)?;
    };
    say("stopping: the front door first, then every instance");
    let mut again = tokio::spawn(async move {
        tokio::select! { _ = interrupt.recv() => (), _ = terminate.recv() => () }
    });
    let orderly = async {
        proxy.stop(PROXY_STOP).await;
        control.stop(CONTROL_STOP).await;
    };
    let finished = tokio::select! { () = orderly => true, _ = &mut again => false };
    if !finished {
        say("stopping at once");
        proxy.stop(Duration::ZERO).await;
        control.stop(Duration::ZERO).await;
    }
    again.abort();
    std::fs::remove_file(layout.up_file()).ok();
    outcome
}

/// Starts a daemon again that ended by itself. One that never ran is given up with what its log says.
async fn revive(daemon: &mut Daemon, how: &str, was_ready: bool) -> anyhow::Result<()> {
    let pause = daemon.pause();
    if !was_ready && pause > Duration::from_millis(400) {
        let failure = Failure::new(
            Kind::Internal,
            format!(
                "cannot start HostKit: the {} process ended ({how})",
                daemon.name()
            ),
        )
        .hint(format!("see `{}`", daemon.log().display()))
        .details(last_lines(daemon.log(), 5));
        anyhow::bail!(failure);
    }
    say(&format!(
        "the {} process ended ({how}); starting it again",
        daemon.name()
    ));
    tokio::time::sleep(pause).await;
    daemon.start()
}

/// Waits until the API answers, also through the front door.
async fn until_ready(layout: &Layout, http: SocketAddr) -> anyhow::Result<()> {
    let started = Instant::now();
    while !is_up(layout, http).await {
        if started.elapsed() > START_PATIENCE {
            let log = layout.data().join("logs/control.log");
            let failure = Failure::new(Kind::Internal, "cannot start HostKit: its API does not answer")
                .hint(format!("see `{}`", log.display()))
                .details(last_lines(&log, 5));
            anyhow::bail!(failure);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Whether control answers and says that all is well, and the front door has a table with the way to it. A full disk
/// does not keep HostKit from being up.
async fn is_up(layout: &Layout, http: SocketAddr) -> bool {
    let client = Client::new(Address::Socket(layout.control_socket()), None);
    let answer = tokio::time::timeout(Duration::from_secs(2), client.health()).await;
    let well = |(name, check): (&String, &Check)| name == "disk" || check.status == HealthStatus::Healthy;
    if !matches!(answer, Ok(Ok(health)) if health.checks.iter().all(well)) {
        return false;
    }
    let Ok(host) = HostName::parse(API_HOST) else {
        return false;
    };
    let visitor = HttpVisitor::new(http);
    let visit = tokio::time::timeout(Duration::from_secs(2), visitor.visit(&host, "/", Side::Live)).await;
    matches!(visit, Ok(Ok(visit)) if visit.status == 200)
}

/// Says where the installation is that another supervisor keeps up.
fn greet_again(layout: &Layout, options: &UpOptions) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let state = UpState::load(layout).context("cannot read `run/up.json`")?;
    runtime.block_on(until_ready(layout, state.http))?;
    say("HostKit is up already; nothing was changed");
    greet(&state, options.json)
}

/// Says on standard output where things are.
fn greet(state: &UpState, json: bool) -> anyhow::Result<()> {
    let text = if json {
        format!("{}\n", serde_json::to_string(state)?)
    } else {
        state.to_string()
    };
    let mut out = std::io::stdout();
    // Whoever reads this may have gone already; HostKit is up all the same.
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).ok();
    Ok(())
}

/// Ends daemons whose supervisor is gone: the new ones already hold the same ports. Instances are left alone.
async fn take_over(old: &UpState) {
    if let Some(control) = &old.control {
        // Control is made to be killed: what it was doing is resumed by the next one.
        state::signal(control, Signal::SIGKILL);
    }
    if let Some(proxy) = &old.proxy {
        state::signal(proxy, Signal::SIGTERM);
    }
    let marks: Vec<&ProcessMark> = old.control.iter().chain(&old.proxy).collect();
    let started = Instant::now();
    while marks.iter().any(|mark| mark.is_alive()) {
        if started.elapsed() > PROXY_STOP {
            for mark in &marks {
                state::signal(mark, Signal::SIGKILL);
            }
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn prepare_folders(data: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    let layout = Layout::new(data);
    for folder in [
        data.to_path_buf(),
        layout.run(),
        layout.proxy(),
        data.join("logs"),
    ] {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .with_context(|| format!("cannot create the folder `{}`", folder.display()))?;
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700))
            .with_context(|| format!("cannot keep `{}` private", folder.display()))?;
    }
    Ok(())
}

/// One supervisor a data folder; `None` where there is one already. The lock dies with its holder.
fn lock(layout: &Layout) -> anyhow::Result<Option<Flock<std::fs::File>>> {
    use std::os::unix::fs::OpenOptionsExt;
    let path = layout.run().join("up.lock");
    let file = std::fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Some(lock)),
        Err((_, nix::errno::Errno::EWOULDBLOCK)) => Ok(None),
        Err((_, error)) => Err(error).with_context(|| format!("cannot lock `{}`", path.display())),
    }
}

/// Starts the same command in a session of its own and waits until it answers or ends.
fn detach(layout: &Layout, options: &UpOptions) -> anyhow::Result<()> {
    let log = layout.data().join("logs/up.log");
    std::fs::remove_file(&log).ok();
    let mut arguments: Vec<OsString> = vec![
        "up".into(),
        "--data".into(),
        layout.data().into(),
        "--http-port".into(),
        options.http_port.to_string().into(),
        "--api-port".into(),
        options.api_port.to_string().into(),
        "--cache-disk".into(),
        options.cache_disk.0.to_string().into(),
    ];
    if let Some(port) = options.https_port {
        arguments.extend(["--tls".into(), "--https-port".into(), port.to_string().into()]);
    }
    let mut child = hostkit_host::role_process::spawn_in_background(&arguments, &log)
        .context("cannot start HostKit in the background")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    loop {
        if let Some(status) = child.try_wait()? {
            let failure = Failure::new(
                Kind::Internal,
                format!("cannot start HostKit in the background: it ended ({status})"),
            )
            .hint(format!("see `{}`", log.display()))
            .details(last_lines(&log, 8));
            anyhow::bail!(failure);
        }
        let state = UpState::load(layout).filter(|state| state.supervisor.pid == child.id());
        if let Some(state) = state
            && runtime.block_on(is_up(layout, state.http))
        {
            return greet(&state, options.json);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn last_lines(path: &Path, count: usize) -> Vec<String> {
    let text = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text[text.len().saturating_sub(16 << 10)..]).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..]
        .iter()
        .map(|line| line.to_string())
        .collect()
}

fn say(text: &str) {
    writeln!(std::io::stderr(), "{text}").ok();
}
