//! Puts the parts together: the one place that names concrete ones.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hostkit_addons::postgres::local::{Seat, Seats};
use hostkit_addons::postgres::system::SystemCluster;
use hostkit_addons::storage::addon::PublicAddresses;
use hostkit_builders::apart::ApartSettings;
use hostkit_builders::{BuilderSettings, UploadStore};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::layout::Layout;
use hostkit_core::names::HostName;
use hostkit_core::project::front_door_url;
use hostkit_core::reach::Reach;
use hostkit_core::server_settings::ServerSettings;
use hostkit_core::services::ServiceRole;
use hostkit_core::source::SourceLimits;
use hostkit_core::traits::{Archives, Clock, OperatorKeys, PortOwners, Premises, Runtime, Services, Sources};
use hostkit_engine::{BackupParts, Parts, Procfile};
use hostkit_host::accounts::LinuxAccounts;
use hostkit_host::archives::DiskArchives;
use hostkit_host::clock::SystemClock;
use hostkit_host::command::Guard;
use hostkit_host::file_ops::DiskFiles;
use hostkit_host::front_door::HttpVisitor;
use hostkit_host::internet::{Own, SystemInternet};
use hostkit_host::port_owners::PortRules;
use hostkit_host::premises::{LinuxPremises, LocalPremises};
use hostkit_host::probe::HttpProbe;
use hostkit_host::roles::SelfProgram;
use hostkit_host::shared_copies::SharedCopies;
use hostkit_host::ssh_keys::{AuthorizedKeys, KeysOfOperators};
use hostkit_host::systemd::{Bus, UnitLimits, UnitName};
use hostkit_outbound::cipher::FileCipher;
use hostkit_outbound::targets::Targets;
use hostkit_proxy::ProxyClient;
use hostkit_runtimes::process::ProcessRuntime;
use hostkit_runtimes::service_units::{self, SystemdServices};
use hostkit_runtimes::services::ProcessServices;
use hostkit_runtimes::systemd::{self, SystemdRuntime};
use hostkit_server::AccountOf;
use hostkit_store::Store;

/// The unit control runs in on a server.
const CONTROL: &str = "hostkit-control.service";
/// How many processes and threads one build may have: enough for a compiler on many processors, and a quarter of what all
/// builds together may have.
const BUILD_TASKS: u64 = 1024;

/// The port that people look for PgBouncer at. Another installation's, or Debian's own, may have it.
const POOLER_PORT: u16 = 6432;
/// The same on a server, where Debian's own keeps the other.
const SERVER_POOLER_PORT: u16 = 6543;

/// A target of backups at which nothing moves for so long does not answer.
const BACKUP_PATIENCE: Duration = Duration::from_secs(300);

/// What control is made of.
pub(crate) struct Wired {
    pub(crate) parts: Parts,
    pub(crate) sources: Arc<dyn Sources>,
    pub(crate) server: hostkit_server::Settings,
}

/// Local mode: programs as child processes below one data folder, with the programs of the operator's PATH.
pub(crate) fn local(
    layout: &Layout,
    http: SocketAddr,
    https: Option<SocketAddr>,
    api: SocketAddr,
) -> Result<Wired, Failure> {
    let base_host =
        HostName::parse("localhost").map_err(|why| Failure::new(Kind::Internal, why.to_string()))?;
    assemble(Mode {
        layout,
        base_host,
        http,
        https_port: https.map(|address| address.port()),
        own: Own::Loopback,
        api,
        runtime: Arc::new(ProcessRuntime::new(layout.clone(), SelfProgram::current())),
        services: Arc::new(ProcessServices::new(layout.clone(), SelfProgram::current())),
        addons: Addons::Local,
        premises: Arc::new(LocalPremises::new(layout.clone())),
        files: DiskFiles::default(),
        operator_keys: None,
        archives: None,
        port_owners: None,
        apart: None,
        account: std::env::var("USER").ok(),
        account_of: None,
    })
}

/// A server: the settings of its operator, and callers known by their accounts.
pub(crate) async fn server(
    layout: &Layout,
    settings: &ServerSettings,
    api: SocketAddr,
) -> Result<Wired, Failure> {
    // None so far where the machine was not set up for databases: it is looked for again when one is wanted.
    let cluster = SystemCluster::find().await.ok();
    let control = UnitName::parse(CONTROL).map_err(|why| Failure::new(Kind::Internal, why.to_string()))?;
    let bus = Arc::new(Bus::system());
    let memory = hostkit_host::machine_memory()?;
    let runtime = systemd::Settings {
        program: launcher(layout),
        limits: UnitLimits {
            memory: Some(settings.instance_memory_on(memory)),
            cpu_percent: settings.instance_cpus.map(|cpus| cpus.0),
            tasks: Some(u64::from(settings.instance_tasks)),
            ..UnitLimits::default()
        },
        caller: Some(control.clone()),
        ..systemd::Settings::default()
    };
    let services = SystemdServices::new(
        layout.clone(),
        bus.clone(),
        Arc::new(LinuxAccounts),
        service_units::Settings {
            program: runtime.program.clone(),
            restart: runtime.restart,
            caller: Some(control.clone()),
        },
    );
    let apart = ApartSettings {
        units: bus.clone(),
        accounts: Arc::new(LinuxAccounts),
        program: runtime.program.clone(),
        limits: UnitLimits {
            tasks: Some(BUILD_TASKS),
            ..UnitLimits::default()
        },
        caller: Some(control),
        free_space: hostkit_host::files::free_space,
    };
    assemble(Mode {
        layout,
        base_host: settings.base_domain.clone(),
        http: SocketAddr::from((Ipv4Addr::LOCALHOST, settings.http_port)),
        // Without an authority nobody but visitors who ask for it is led to a certificate that no browser trusts.
        https_port: settings.acme.as_ref().map(|_| settings.https_port),
        own: match settings.public_addresses.as_slice() {
            [] => Own::Interfaces,
            named => Own::Named(named.to_vec()),
        },
        api,
        runtime: Arc::new(SystemdRuntime::new(layout.clone(), bus, runtime)),
        services: Arc::new(services),
        addons: Addons::Server { cluster },
        premises: Arc::new(LinuxPremises::of_this_machine()?),
        files: DiskFiles::with_copies(),
        operator_keys: Some(Arc::new(KeysOfOperators::new(
            Arc::new(AuthorizedKeys::default()),
        ))),
        archives: Some(Arc::new(DiskArchives::new("/home", layout.archives()))),
        port_owners: Some(Arc::new(PortRules::of_this_machine(layout.port_rules()))),
        apart: Some(apart),
        account: None,
        account_of: Some(hostkit_host::account_by_number),
    })
}

/// What units of projects start: our copy, or the package's own file where no copy can be kept.
fn launcher(layout: &Layout) -> PathBuf {
    match hostkit_host::launcher::ensure(&layout.launcher()) {
        Ok(_) => layout.launcher(),
        Err(failure) => {
            tracing::warn!(%failure, "without the package no program of a project is started again");
            systemd::Settings::default().program
        }
    }
}

/// Which add-ons there are.
enum Addons {
    /// With a PostgreSQL of their own.
    Local,
    /// With the machine's.
    Server { cluster: Option<SystemCluster> },
}

/// What the modes differ in.
struct Mode<'a> {
    layout: &'a Layout,
    base_host: HostName,
    http: SocketAddr,
    /// Where projects are told to be found, where TLS is spoken.
    https_port: Option<u16>,
    /// The addresses that domains may lead to.
    own: Own,
    api: SocketAddr,
    runtime: Arc<dyn Runtime>,
    /// Where programs of add-ons run.
    services: Arc<dyn Services>,
    addons: Addons,
    premises: Arc<dyn Premises>,
    /// The disk, as HostKit itself acts on it.
    files: DiskFiles,
    operator_keys: Option<Arc<dyn OperatorKeys>>,
    archives: Option<Arc<dyn Archives>>,
    port_owners: Option<Arc<dyn PortOwners>>,
    /// How builds run, where it is not as control itself.
    apart: Option<ApartSettings>,
    /// The account programs run as, where it is one for all.
    account: Option<String>,
    account_of: Option<AccountOf>,
}

fn assemble(mode: Mode<'_>) -> Result<Wired, Failure> {
    let Mode {
        layout, base_host, ..
    } = mode;
    let operator = hostkit_builders::operator_environment_from(std::env::vars());
    let clock = Arc::new(SystemClock);
    let sources: Arc<dyn Sources> = Arc::new(UploadStore::new(layout.clone()));

    let mut settings = hostkit_engine::Settings::new(base_host.clone());
    settings.api_address = Some(mode.api);
    settings.system_path = hostkit_builders::search_path(&operator);
    if let Some(account) = mode.account {
        settings.account = account;
    }
    let builders = BuilderSettings {
        own: SelfProgram::current(),
        operator_environment: operator,
        min_free: settings.min_free,
    };
    let builders = match &mode.apart {
        Some(apart) => hostkit_builders::apart::catalogue(&builders, apart),
        None => hostkit_builders::catalogue(builders),
    };
    let server = hostkit_server::Settings {
        version: settings.version.clone(),
        layout: layout.clone(),
        base_host,
        front_door: mode.http,
        https_port: mode.https_port,
        limits: SourceLimits::default(),
        started_at: clock.now(),
        account_of: mode.account_of,
    };
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let store = Store::open_with(layout, clock.clone(), credentials.as_deref())?;
    let pooler_port = match mode.addons {
        Addons::Local => POOLER_PORT,
        Addons::Server { .. } => SERVER_POOLER_PORT,
    };
    let with = hostkit_addons::Surroundings {
        services: &mode.services,
        system_path: &settings.system_path,
        seats: seats(store.clone(), pooler_port),
        public: public_addresses(server.base_host.clone(), mode.http.port(), mode.https_port),
        guard: Guard::new(SelfProgram::current()),
        reach: match mode.addons {
            Addons::Local => Reach::All,
            Addons::Server { .. } => Reach::OtherMachines,
        },
        files_history: hostkit_engine::history_settings(&mode.files, layout)?.on,
    };
    let hostkit_addons::Catalogue {
        addons,
        mut copies,
        history,
    } = match mode.addons {
        Addons::Local => hostkit_addons::catalogue(with),
        Addons::Server { cluster } => hostkit_addons::server_catalogue(with, cluster),
    };
    copies.push(Arc::new(SharedCopies::new(layout.clone())));
    let backups = BackupParts {
        cipher: Arc::new(FileCipher),
        targets: Arc::new(Targets),
        copies,
        history,
        patience: BACKUP_PATIENCE,
    };
    let parts = Parts {
        layout: layout.clone(),
        premises: mode.premises,
        operator_keys: mode.operator_keys,
        archives: mode.archives,
        port_owners: mode.port_owners,
        runtime: mode.runtime,
        addons,
        backups: Some(backups),
        services: Some(mode.services),
        store,
        builders,
        procfile,
        sources: sources.clone(),
        traffic: Arc::new(ProxyClient::new(layout.proxy_socket())),
        certificates: Arc::new(ProxyClient::new(layout.proxy_socket())),
        front_door: Arc::new(HttpVisitor::new(mode.http)),
        internet: Arc::new(SystemInternet::new(mode.own, mode.http.port())),
        probe: Arc::new(HttpProbe),
        files: Arc::new(mode.files),
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

/// Where environments are found from outside, by their default hosts.
fn public_addresses(base: HostName, http_port: u16, https_port: Option<u16>) -> PublicAddresses {
    Arc::new(move |environment| front_door_url(&environment.default_host(&base), http_port, https_port))
}

/// Where programs that serve all projects are found: chosen once, and kept in the state.
fn seats(store: Store, pooler_port: u16) -> Seats {
    Arc::new(move |role| {
        let preferred = (role == ServiceRole::PgBouncer).then_some(pooler_port);
        let found = store.shared_service(role, preferred, hostkit_host::stable_ports::choose)?;
        Ok(Seat {
            port: found.port,
            operator: found.operator,
        })
    })
}

fn procfile(folder: &Path) -> Result<Option<Procfile>, Failure> {
    let found = hostkit_builders::procfile::procfile(folder)?;
    Ok(found.map(|file| Procfile {
        programs: file.programs,
        release: file.release,
    }))
}
