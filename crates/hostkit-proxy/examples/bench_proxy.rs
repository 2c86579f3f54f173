//! The front door alone, for load generators: `bench_proxy --listen ADDR [--upstream ADDR…] [--files FOLDER]
//! [--sockets ADDR] [--routes N] [--tls ADDR] [--threads N] [--log on|off] [--data FOLDER]`. It answers `localhost` and
//! `127.0.0.1`: what is below `/files` comes from the folder, what is below `/ws` from `--sockets`, all else from the
//! upstreams. `--routes` adds as many routes of hosts of their own, `r0.localhost` and so on, to the upstreams.

use std::net::SocketAddr;
use std::path::PathBuf;

use hostkit_core::layout::Layout;
use hostkit_core::names::HostName;
use hostkit_core::project::EnvironmentId;
use hostkit_core::route::{Backend, BackendId, Compression, HoldRule, Https, Route, RouteTable, Target};
use hostkit_proxy::{ProxyConfig, bind_public};

/// As in the binary that is shipped.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut listen: SocketAddr = "127.0.0.1:8080".parse()?;
    let mut tls: Option<SocketAddr> = None;
    let mut upstreams: Vec<SocketAddr> = Vec::new();
    let mut sockets: Option<SocketAddr> = None;
    let mut files: Option<PathBuf> = None;
    let mut more = 0;
    let mut threads = hostkit_proxy::default_threads();
    let mut log = true;
    let mut data = std::env::temp_dir().join(format!("hostkit-bench-{}", std::process::id()));
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or(format!("`{name}` needs a value"))?;
        match name.as_str() {
            "--listen" => listen = value.parse()?,
            "--tls" => tls = Some(value.parse()?),
            "--upstream" => upstreams.push(value.parse()?),
            "--sockets" => sockets = Some(value.parse()?),
            "--files" => files = Some(std::fs::canonicalize(value)?),
            "--routes" => more = value.parse()?,
            "--threads" => threads = value.parse()?,
            "--log" => log = value == "on",
            "--data" => data = value.into(),
            _ => return Err(format!("`{name}` is not known").into()),
        }
    }
    let here = [HostName::parse("localhost")?, HostName::parse("127.0.0.1")?];
    let mut routes = vec![route("bench", &here, "/", instances("bench", &upstreams))?];
    if let Some(root) = files {
        let target = Target::Files {
            root,
            single_page: false,
            earlier: Vec::new(),
        };
        routes.push(route("bench-files", &here, "/files", target)?);
    }
    if let Some(address) = sockets {
        let target = instances("bench-sockets", &[address]);
        routes.push(route("bench-sockets", &here, "/ws", target)?);
    }
    for number in 0..more {
        let host = HostName::parse(&format!("r{number}.localhost"))?;
        let id = format!("bench-{number}");
        routes.push(route(&id, &[host], "/", instances("bench", &upstreams))?);
    }
    let table = RouteTable {
        version: 1,
        routes,
        canaries: Vec::new(),
    };
    let layout = Layout::new(&data);
    std::fs::create_dir_all(layout.proxy())?;
    // The last good table of a front door that never ran: it starts with it, as after any restart.
    std::fs::write(layout.proxy().join("table.json"), serde_json::to_vec(&table)?)?;
    let mut config = ProxyConfig::new(layout, bind_public(listen, threads)?);
    config.threads = threads;
    if let Some(address) = tls {
        config.tls_listeners = bind_public(address, threads)?;
    }
    if !log {
        config.request_log = None;
    }
    hostkit_proxy::run(config, |_| {})?;
    Ok(())
}

fn instances(name: &str, addresses: &[SocketAddr]) -> Target {
    let backends = addresses.iter().enumerate().map(|(at, address)| Backend {
        id: BackendId(format!("{name}.{at}")),
        address: *address,
    });
    Target::Instances {
        backends: backends.collect(),
    }
}

/// A route of an environment, as those of deployments are: its answers are counted, kept and compressed.
fn route(
    id: &str,
    hosts: &[HostName],
    path_prefix: &str,
    target: Target,
) -> Result<Route, Box<dyn std::error::Error>> {
    Ok(Route {
        id: id.into(),
        environment: Some(EnvironmentId {
            project: "bench".parse()?,
            environment: "production".parse()?,
        }),
        process: None,
        hosts: hosts.to_vec(),
        wildcards: Vec::new(),
        path_prefix: path_prefix.into(),
        ports: Vec::new(),
        target,
        release: None,
        hold: HoldRule::default(),
        rules: Default::default(),
        https: Https::Offered,
        compression: Compression::default(),
        sticky: false,
        answers: Default::default(),
        protocol: Default::default(),
    })
}
