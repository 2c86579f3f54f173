//! What an engine is made of: its outside world behind traits, and its settings.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hostkit_core::kind::Failure;
use hostkit_core::layout::Layout;
use hostkit_core::manifest::Command;
use hostkit_core::names::{HostName, ProcessName};
use hostkit_core::plan::variables::SYSTEM_PATH;
use hostkit_core::size::ByteSize;
use hostkit_core::traits::{
    Addon, Archives, BackupCipher, BackupTargets, Builder, CertificateBook, Clock, Copies, Files, FrontDoor,
    HealthProbe, History, Internet, OperatorKeys, PortOwners, Premises, Runtime, Services, Sources, Traffic,
};
use hostkit_store::Store;
use serde::{Deserialize, Serialize};

use crate::faults::FaultPlan;

/// What a Procfile says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Procfile {
    /// The programs by name.
    pub programs: BTreeMap<ProcessName, Command>,
    /// The `release:` line.
    pub release: Option<Command>,
}

/// Reads the Procfile of a source folder; nothing where there is no such file.
pub type ReadProcfile = fn(&Path) -> Result<Option<Procfile>, Failure>;

/// What backups are made with.
#[derive(Clone)]
pub struct BackupParts {
    /// Makes and reads their files.
    pub cipher: Arc<dyn BackupCipher>,
    /// Knows where they can be kept.
    pub targets: Arc<dyn BackupTargets>,
    /// What makes copies, one for each kind.
    pub copies: Vec<Arc<dyn Copies>>,
    /// What files every change of databases; `None` where that cannot be done.
    pub history: Option<Arc<dyn History>>,
    /// A target at which nothing moves for so long does not answer.
    pub patience: Duration,
}

/// The parts the wiring puts together.
#[derive(Clone)]
pub struct Parts {
    /// Where things lie.
    pub layout: Layout,
    /// The state.
    pub store: Store,
    /// What projects need on the machine.
    pub premises: Arc<dyn Premises>,
    /// Who may log in as a project's account; `None` where projects have none.
    pub operator_keys: Option<Arc<dyn OperatorKeys>>,
    /// Keeps what of a project is worth it when it is deleted; `None` where nothing is kept.
    pub archives: Option<Arc<dyn Archives>>,
    /// Keeps the ports of projects apart; `None` where all programs are one account's.
    pub port_owners: Option<Arc<dyn PortOwners>>,
    /// Where instances run.
    pub runtime: Arc<dyn Runtime>,
    /// What environments can have besides programs, one of each kind.
    pub addons: Vec<Arc<dyn Addon>>,
    /// Where the programs of add-ons run; `None` where there are no add-ons.
    pub services: Option<Arc<dyn Services>>,
    /// What backups are made with; `None` where there are none.
    pub backups: Option<BackupParts>,
    /// Ways to build, in the order they are asked.
    pub builders: Vec<Arc<dyn Builder>>,
    /// Reads a Procfile.
    pub procfile: ReadProcfile,
    /// Uploaded sources.
    pub sources: Arc<dyn Sources>,
    /// The front door, to hand tables to.
    pub traffic: Arc<dyn Traffic>,
    /// The front door, to see to its certificates.
    pub certificates: Arc<dyn CertificateBook>,
    /// The front door, as a visitor.
    pub front_door: Arc<dyn FrontDoor>,
    /// The internet, to see where domains lead.
    pub internet: Arc<dyn Internet>,
    /// Asks instances for their health.
    pub probe: Arc<dyn HealthProbe>,
    /// The disk.
    pub files: Arc<dyn Files>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chooses a stable port where nobody on this machine has it; whoever asks after that is told that it is taken.
    pub port_is_free: fn(u16) -> bool,
    /// Everything else.
    pub settings: Settings,
}

/// What can be set.
#[derive(Debug, Clone)]
pub struct Settings {
    /// HostKit's version, for events.
    pub version: String,
    /// Environments answer below this host name: `localhost`.
    pub base_host: HostName,
    /// Where the API listens, to be reached at `hostkit.<base>` through the front door.
    pub api_address: Option<SocketAddr>,
    /// Where the system's programs are, as in PATH; behind the folders of a release.
    pub system_path: String,
    /// The account programs run as, told to them as USER.
    pub account: String,
    /// How many builds run at once (1 by default).
    pub build_slots: usize,
    /// A build that would leave less than this on the disk is refused.
    pub min_free: ByteSize,
    /// The most that package managers may keep for the builds of one project.
    pub cache_size: ByteSize,
    /// Where nothing was built for so long, nothing is kept for builds.
    pub cache_age: Duration,
    /// The most that may wait on the disk of what databases wrote, until it gets to where backups are kept. Of a disk that is
    /// almost full it is a tenth of what is free.
    pub history_waiting: ByteSize,
    /// Who watches is told when it has waited for so long.
    pub history_patience: Duration,
    /// How long new instances must stay up after traffic moved to them, before the old ones are stopped.
    pub settle: Duration,
    /// How long a new release's program without a port must stay up to be ready.
    pub worker_ready: Duration,
    /// As `settle`, where a new release has programs without a port: all that is known of them is that they stay up.
    pub worker_settle: Duration,
    /// How long a deployment waits for a front door that is being started again.
    pub front_door_patience: Duration,
    /// How often the front door is looked at, and everything where nobody tells what changed.
    pub reconcile_every: Duration,
    /// How often the world is compared with the state where changes are told.
    pub reconcile_all_every: Duration,
    /// Whether instances that fail their liveness checks are restarted.
    pub liveness: bool,
    /// What shall go wrong, for tests.
    pub faults: FaultPlan,
}

impl Settings {
    /// The settings HostKit runs with.
    pub fn new(base_host: HostName) -> Self {
        Settings {
            version: env!("CARGO_PKG_VERSION").into(),
            base_host,
            api_address: None,
            system_path: SYSTEM_PATH.into(),
            account: "hostkit".into(),
            build_slots: 1,
            min_free: ByteSize::mib(512),
            cache_size: ByteSize::mib(2048),
            cache_age: Duration::from_secs(30 * 24 * 3600),
            history_waiting: ByteSize::mib(2048),
            history_patience: Duration::from_secs(30),
            settle: Duration::from_millis(500),
            worker_ready: Duration::from_millis(250),
            worker_settle: Duration::from_secs(1),
            front_door_patience: Duration::from_secs(10),
            reconcile_every: Duration::from_secs(1),
            reconcile_all_every: Duration::from_secs(15),
            liveness: true,
            faults: FaultPlan::default(),
        }
    }
}
