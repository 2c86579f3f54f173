//! Puts the parts together: the one place that names concrete ones.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use hostkit_builders::{BuilderSettings, UploadStore};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::layout::Layout;
use hostkit_core::names::HostName;
use hostkit_core::source::SourceLimits;
use hostkit_core::traits::{Clock, Sources};
use hostkit_engine::{Parts, Procfile};
use hostkit_host::clock::SystemClock;
use hostkit_host::file_ops::DiskFiles;
use hostkit_host::front_door::HttpVisitor;
use hostkit_host::probe::HttpProbe;
use hostkit_host::roles::SelfProgram;
use hostkit_proxy::ProxyClient;
use hostkit_runtimes::process::ProcessRuntime;
use hostkit_store::Store;

/// What control is made of.
pub(crate) struct Wired {
    pub(crate) parts: Parts,
    pub(crate) sources: Arc<dyn Sources>,
    pub(crate) server: hostkit_server::Settings,
}

/// Local mode: programs as child processes below one data folder, with the programs of the operator's PATH.
pub(crate) fn local(layout: &Layout, http: SocketAddr, api: SocketAddr) -> Result<Wired, Failure> {
    let base_host =
        HostName::parse("localhost").map_err(|why| Failure::new(Kind::Internal, why.to_string()))?;
    let operator = hostkit_builders::operator_environment_from(std::env::vars());
    let own = SelfProgram::current();
    let clock = Arc::new(SystemClock);
    let sources: Arc<dyn Sources> = Arc::new(UploadStore::new(layout.clone()));

    let mut settings = hostkit_engine::Settings::new(base_host.clone());
    settings.api_address = Some(api);
    settings.system_path = hostkit_builders::search_path(&operator);
    if let Ok(account) = std::env::var("USER") {
        settings.account = account;
    }
    let builders = hostkit_builders::catalogue(BuilderSettings {
        own: own.clone(),
        operator_environment: operator,
        min_free: settings.min_free,
    });
    let server = hostkit_server::Settings {
        version: settings.version.clone(),
        layout: layout.clone(),
        base_host,
        front_door: http,
        limits: SourceLimits::default(),
        started_at: clock.now(),
        account_of: None,
    };
    let parts = Parts {
        layout: layout.clone(),
        store: Store::open(layout, clock.clone())?,
        premises: None,
        runtime: Arc::new(ProcessRuntime::new(layout.clone(), own)),
        builders,
        procfile,
        sources: sources.clone(),
        traffic: Arc::new(ProxyClient::new(layout.proxy_socket())),
        front_door: Arc::new(HttpVisitor::new(http)),
        probe: Arc::new(HttpProbe),
        files: Arc::new(DiskFiles),
        clock,
        port_is_free: hostkit_host::stable_ports::choose,
        settings,
    };
    Ok(Wired {
        parts,
        sources,
        server,
    })
}

fn procfile(folder: &Path) -> Result<Option<Procfile>, Failure> {
    let found = hostkit_builders::procfile::procfile(folder)?;
    Ok(found.map(|file| Procfile {
        programs: file.programs,
        release: file.release,
    }))
}
