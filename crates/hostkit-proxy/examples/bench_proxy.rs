//! The front door alone, for load generators: `bench_proxy --listen ADDR (--upstream ADDR… | --files FOLDER)
//! [--tls ADDR] [--threads N] [--log on|off] [--data FOLDER]`. The one route answers `localhost` and `127.0.0.1`.

use std::net::SocketAddr;
use std::path::PathBuf;

use hostkit_core::layout::Layout;
use hostkit_core::names::HostName;
use hostkit_core::route::{Backend, BackendId, Compression, HoldRule, Https, Route, RouteTable, Target};
use hostkit_proxy::{ProxyConfig, bind_public};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut listen: SocketAddr = "127.0.0.1:8080".parse()?;
    let mut tls: Option<SocketAddr> = None;
    let mut upstreams: Vec<SocketAddr> = Vec::new();
    let mut files: Option<PathBuf> = None;
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
            "--files" => files = Some(std::fs::canonicalize(value)?),
            "--threads" => threads = value.parse()?,
            "--log" => log = value == "on",
            "--data" => data = value.into(),
            _ => return Err(format!("`{name}` is not known").into()),
        }
    }
    let target = match files {
        Some(root) => Target::Files {
            root,
            single_page: false,
            earlier: Vec::new(),
        },
        None => Target::Instances {
            backends: upstreams
                .iter()
                .enumerate()
                .map(|(at, address)| Backend {
                    id: BackendId(format!("bench.{at}")),
                    address: *address,
                })
                .collect(),
        },
    };
    let table = RouteTable {
        version: 1,
        routes: vec![Route {
            id: "bench".into(),
            environment: None,
            process: None,
            hosts: vec![HostName::parse("localhost")?, HostName::parse("127.0.0.1")?],
            wildcards: Vec::new(),
            path_prefix: "/".into(),
            ports: Vec::new(),
            target,
            release: None,
            hold: HoldRule::default(),
            rules: Default::default(),
            https: Https::Offered,
            compression: Compression::default(),
            sticky: false,
            answers: Default::default(),
        }],
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
