//! The front door's process.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::process::Child;
use std::sync::Arc;

use anyhow::Context;
use hostkit_cli::local::ProxyOptions;
use hostkit_core::layout::Layout;
use hostkit_core::names::HostName;
use hostkit_core::server_settings::ServerSettings;
use hostkit_core::traits::DnsHook;
use hostkit_host::daemon_notice::DaemonNotice;
use hostkit_host::dns_program::DnsProgram;
use hostkit_host::role_process::ListenSocket;
use hostkit_host::roles::SelfProgram;
use hostkit_proxy::{ImageProcess, ImageProgram, KeptPorts, Moment, PortKeeper, ProxyConfig};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::machine_settings;

/// What a stable port is kept as by systemd.
const PORT: &str = "port-";

/// Serves on the sockets it was handed until it is told to stop.
pub(crate) fn run(options: ProxyOptions, sockets: Vec<ListenSocket>) -> anyhow::Result<()> {
    crate::daemon_log::begin();
    raise_file_limit().context("cannot raise the limit of open files")?;
    let notice =
        Arc::new(DaemonNotice::from_environment().context("cannot reach whoever started the front door")?);
    let mut config = match options {
        ProxyOptions::Local {
            data,
            https,
            cache_disk,
        } => {
            let mut config = of_up(Layout::new(data), https, sockets)?;
            config.limits.cache_disk_bytes = cache_disk.0;
            config
        }
        ProxyOptions::Server => of_server(sockets, &notice)?,
    };
    config.images = Some(ImageProgram::new(Arc::new(OwnImages(SelfProgram::current()))));
    hostkit_proxy::run(config, |moment| {
        let told = match moment {
            Moment::Serving => notice.ready(),
            Moment::Stopping => notice.stopping(),
        };
        if let Err(why) = told {
            tracing::warn!("cannot tell systemd how the front door is: {why}");
        }
    })?;
    Ok(())
}

/// From `hostkit up`: the public sockets, of which those at `https` speak TLS.
fn of_up(
    layout: Layout,
    https: Option<SocketAddr>,
    sockets: Vec<ListenSocket>,
) -> anyhow::Result<ProxyConfig> {
    let sockets = sockets.into_iter().map(|socket| socket.socket).collect();
    let (tls, plain) = hostkit_proxy::inherited_listeners(sockets)?
        .into_iter()
        .partition(|listener| https.is_some() && listener.local_addr().ok() == https);
    let mut config = ProxyConfig::new(layout, plain);
    config.tls_listeners = tls;
    config.certificates.local = vec![HostName::parse("localhost")?];
    config.certificates.looked_at = https;
    Ok(config)
}

/// From systemd: the public sockets and the one for tables by the names of their units, and the stable ports that it
/// kept for us.
fn of_server(sockets: Vec<ListenSocket>, notice: &Arc<DaemonNotice>) -> anyhow::Result<ProxyConfig> {
    let (mut public, mut tls, mut admin, mut ports) = (Vec::new(), Vec::new(), None, HashMap::new());
    for socket in sockets {
        match socket.name.as_str() {
            "http" => public.push(socket.socket),
            "https" => tls.push(socket.socket),
            "tables" => admin = Some(UnixListener::from(socket.socket)),
            name => match kept_port(name, TcpListener::from(socket.socket)) {
                Some((port, listener)) => drop(ports.insert(port, listener)),
                None => tracing::warn!("systemd handed over a socket called `{name}`, which is of no use"),
            },
        }
    }
    let admin = admin.filter(|_| !public.is_empty()).context(
        "cannot start the front door: it needs the sockets of `hostkit-proxy.socket` and \
         `hostkit-tables.socket`; it is started by `systemctl start hostkit-proxy`",
    )?;
    let mut config = ProxyConfig::new(Layout::server(), hostkit_proxy::inherited_listeners(public)?);
    config.tls_listeners = hostkit_proxy::inherited_listeners(tls)?;
    // Settings that cannot be read keep nobody from what there is already.
    let settings = machine_settings::load().unwrap_or_else(|why| {
        tracing::error!("no certificate is ordered, and all bounds are the usual ones: {why}");
        ServerSettings::default()
    });
    bound(&mut config, &settings);
    certify(&mut config.certificates, settings);
    config.admin_listener = Some(admin);
    config.kept_ports = KeptPorts {
        listeners: ports,
        keeper: Some(Box::new(Systemd(notice.clone()))),
    };
    Ok(config)
}

/// Says how much may be used, in all and by one project.
fn bound(config: &mut ProxyConfig, settings: &ServerSettings) {
    let limits = &mut config.limits;
    limits.cache_bytes = usize::try_from(settings.front_door.cache_memory.0).unwrap_or(usize::MAX);
    limits.cache_disk_bytes = settings.front_door.cache_disk.0;
    limits.connections = settings.front_door.connections as usize;
    limits.project_requests = settings.project_requests;
    limits.project_waiting = settings.project_waiting;
    limits.backend_requests = settings.instance_requests.unwrap_or(settings.project_requests);
    if let Some(log) = &mut config.request_log {
        log.one_of = settings.front_door.log_one_of;
    }
}

/// Says where certificates come from.
fn certify(certificates: &mut hostkit_certificates::Settings, settings: ServerSettings) {
    certificates.looked_at = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, settings.https_port)));
    if let Some(acme) = settings.acme {
        let hook = DnsProgram::new(&acme.dns_hook);
        certificates.dns_hook = hook.map(|program| Arc::new(program) as Arc<dyn DnsHook>);
        certificates.acme = Some(acme);
    }
}

/// The port a kept socket is for, if it is what its name says.
fn kept_port(name: &str, listener: TcpListener) -> Option<(u16, TcpListener)> {
    let port = name.strip_prefix(PORT)?.parse().ok()?;
    let address = listener.local_addr().ok()?;
    (address == SocketAddr::from((Ipv4Addr::LOCALHOST, port))).then_some((port, listener))
}

/// Has images made by our own binary in its role for that.
struct OwnImages(SelfProgram);

impl ImageProcess for OwnImages {
    fn start(&self, socket: OwnedFd) -> std::io::Result<Child> {
        self.0.start_with_socket("images", socket)
    }
}

/// Keeps stable ports open while there is no front door.
struct Systemd(Arc<DaemonNotice>);

impl PortKeeper for Systemd {
    fn keep(&self, port: u16, listener: &TcpListener) {
        if let Err(why) = self.0.keep(&format!("{PORT}{port}"), listener) {
            tracing::warn!("port {port} will be closed while the front door is restarted: {why}");
        }
    }

    fn forget(&self, port: u16) {
        if let Err(why) = self.0.forget(&format!("{PORT}{port}")) {
            tracing::warn!("port {port} stays taken until the front door is stopped: {why}");
        }
    }
}

/// Each request in flight needs two descriptors; the usual soft limit of 1024 is for programs that use `select`.
fn raise_file_limit() -> nix::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_operator_says_bounds_the_front_door() {
        let mut config = ProxyConfig::new(Layout::new("/data"), Vec::new());
        let text = "cache_memory = \"2MB\"\ncache_disk = \"1GB\"\nconnections = 500\nrequest_log_one_of = 10";
        let settings = hostkit_core::server_settings::parse(text).unwrap();
        bound(&mut config, &settings);
        assert_eq!(
            (config.limits.cache_bytes, config.limits.connections),
            (2 << 20, 500)
        );
        assert_eq!(config.limits.cache_disk_bytes, 1 << 30);
        assert_eq!(config.request_log.as_ref().unwrap().one_of.get(), 10);
        // What is said where nothing is said is what holds without a file.
        let mut silent = ProxyConfig::new(Layout::new("/data"), Vec::new());
        bound(&mut silent, &ServerSettings::default());
        let usual = ProxyConfig::new(Layout::new("/data"), Vec::new());
        assert_eq!(format!("{silent:?}"), format!("{usual:?}"));
    }

    #[test]
    fn a_kept_socket_is_taken_for_the_port_it_is_on() {
        let listener = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let own = listener();
        let port = own.local_addr().unwrap().port();
        assert_eq!(kept_port(&format!("port-{port}"), own).unwrap().0, port);
        for name in ["port-1", "port-", "port-70000", "port-x", "stored", ""] {
            assert!(kept_port(name, listener()).is_none(), "{name}");
        }
        let everywhere = TcpListener::bind("0.0.0.0:0").unwrap();
        let port = everywhere.local_addr().unwrap().port();
        assert!(kept_port(&format!("port-{port}"), everywhere).is_none());
    }
}
