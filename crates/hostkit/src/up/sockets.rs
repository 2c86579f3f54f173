//! The sockets of local mode, bound by the supervisor and handed to the daemons.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use anyhow::Context;
use hostkit_cli::local::UpOptions;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::layout::Layout;

use super::state::UpState;

/// What was bound.
pub(crate) struct Sockets {
    /// For the front door: one listener a thread, all on the same port; then as many for TLS, where it is spoken.
    pub(crate) public: Vec<OwnedFd>,
    /// For control: the unix socket, then the loopback API.
    pub(crate) control: Vec<OwnedFd>,
    /// Where the front door is.
    pub(crate) http: SocketAddr,
    /// Where it speaks TLS.
    pub(crate) https: Option<SocketAddr>,
    /// Where the API is.
    pub(crate) api: SocketAddr,
}

/// Binds everything, or nothing.
pub(crate) fn bind(layout: &Layout, options: &UpOptions) -> anyhow::Result<Sockets> {
    let old = UpState::load(layout).filter(|old| old.proxy.as_ref().is_some_and(|mark| mark.is_alive()));
    let own = |address| {
        old.as_ref()
            .is_some_and(|old| old.http == address || old.https == Some(address))
    };
    let (mut public, http) = front_door(options.http_port, "--http-port", own)?;
    let mut https = None;
    if let Some(port) = options.https_port {
        let (listeners, address) = front_door(port, "--https-port", own)?;
        public.extend(listeners);
        https = Some(address);
    }
    let api = TcpListener::bind((Ipv4Addr::LOCALHOST, options.api_port))
        .map_err(|error| taken("the API", options.api_port, "--api-port", &error))?;
    let api_address = api.local_addr()?;
    let path = layout.control_socket();
    if path.as_os_str().len() > 100 {
        anyhow::bail!(
            Failure::new(
                Kind::Invalid,
                format!(
                    "cannot listen on `{}`: the path of a socket may have 107 bytes",
                    path.display()
                )
            )
            .hint("choose a shorter data folder with `--data DIR`")
        );
    }
    std::fs::remove_file(&path).ok();
    let unix = UnixListener::bind(&path).with_context(|| format!("cannot listen on `{}`", path.display()))?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(Sockets {
        public: public.into_iter().map(OwnedFd::from).collect(),
        control: vec![OwnedFd::from(unix), OwnedFd::from(api)],
        http,
        https,
        api: api_address,
    })
}

/// Listeners for the front door on a port. Sockets that share a port would also share it with another program of the same
/// user: look whether it is free first, unless it is our `own` front door of a supervisor that was killed.
fn front_door(
    port: u16,
    flag: &str,
    own: impl Fn(SocketAddr) -> bool,
) -> anyhow::Result<(Vec<TcpListener>, SocketAddr)> {
    let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    if !own(wanted) {
        TcpListener::bind(wanted).map_err(|error| taken("the front door", port, flag, &error))?;
    }
    let listeners = hostkit_proxy::bind_public(wanted, hostkit_proxy::default_threads())
        .map_err(|error| taken("the front door", port, flag, &error))?;
    let address = listeners.first().context("no listener was bound")?.local_addr()?;
    Ok((listeners, address))
}

fn taken(what: &str, port: u16, flag: &str, error: &std::io::Error) -> anyhow::Error {
    Failure::new(
        Kind::Conflict,
        format!("cannot open {what} on 127.0.0.1:{port}: {error}"),
    )
    .hint(format!(
        "choose another port with `{flag} N`, or any free one with `{flag} 0`"
    ))
    .into()
}
