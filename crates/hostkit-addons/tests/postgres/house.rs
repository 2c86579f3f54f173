//! A server with PgBouncer for tests.

use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use hostkit_addons::postgres::addon::{Postgres, Server};
use hostkit_addons::postgres::cluster::{Archiving, Cluster, ClusterSettings};
use hostkit_addons::postgres::databases::Limits;
use hostkit_addons::postgres::names::DatabaseName;
use hostkit_addons::postgres::pooler::Pooler;
use hostkit_addons::postgres::session::Access;
use hostkit_core::addon::{AddonId, AddonKind, AddonOrder, AddonSettings, Credential};
use hostkit_core::database::DatabaseId;
use hostkit_core::layout::Layout;
use hostkit_core::project::EnvironmentId;
use hostkit_core::secret::Secret;
use hostkit_core::size::{ByteSize, Span};
use hostkit_host::command::Guard;
use hostkit_host::roles::SelfProgram;
use hostkit_host::shim::RestartRule;
use hostkit_runtimes::services::ProcessServices;
use tokio::sync::OnceCell;

/// Ends what was started in a folder and removes it, once this test is gone, however that comes: it waits for its input to
/// end. A folder's name is in the command line of everything that runs there.
const SWEEP: &str = r#"
read -r folder; read -r _
for round in $(seq 100); do
    found="$(grep -lsF -- "$folder" /proc/[0-9]*/cmdline)"
    [ -n "$found" ] || break
    signal=TERM; [ "$round" -lt 50 ] || signal=KILL
    for file in $found; do
        process="${file#/proc/}"; kill -s "$signal" "${process%/cmdline}"
    done
    sleep 0.2
done 2>/dev/null
rm -rf -- "$folder""#;

pub(crate) fn swept_folder(below: &Path) -> (PathBuf, Child) {
    let folder = tempfile::Builder::new()
        .prefix("hk")
        .tempdir_in(below)
        .unwrap()
        .keep();
    let mut sweeper = Command::new("/bin/sh");
    sweeper.args(["-c", SWEEP]).stdin(Stdio::piped());
    // A key pressed in the terminal ends the test, not what sweeps after it.
    std::os::unix::process::CommandExt::process_group(&mut sweeper, 0);
    let mut sweeper = sweeper.spawn().unwrap();
    writeln!(sweeper.stdin.as_mut().unwrap(), "{}", folder.display()).unwrap();
    (folder, sweeper)
}

/// Waits until something is so; the test is given up after a minute.
pub(crate) async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let waits = async {
        while !is_so().await {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), waits)
        .await
        .unwrap_or_else(|_| panic!("waited in vain until {what}"));
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// A server, running.
pub(crate) struct House {
    pub(crate) services: Arc<ProcessServices>,
    pub(crate) addon: Postgres,
    /// Of the server itself.
    pub(crate) port: u16,
    /// Of PgBouncer.
    pub(crate) pooled: u16,
    _sweeper: Child,
}

impl House {
    /// The one that tests share which do it no harm. Its data are in memory: nothing here asks what a disk keeps.
    pub(crate) async fn shared() -> &'static House {
        static SHARED: OnceCell<House> = OnceCell::const_new();
        SHARED.get_or_init(|| House::start(Path::new("/dev/shm"))).await
    }

    /// One of its own, with its data below a folder.
    pub(crate) async fn start(below: &Path) -> House {
        let (folder, sweeper) = swept_folder(below);
        let own = SelfProgram::at(env!("CARGO_BIN_EXE_addons-role"));
        let rule = RestartRule {
            first: Span(Duration::from_millis(50)),
            longest: Span(Duration::from_millis(500)),
            ..RestartRule::default()
        };
        let guard = Guard::new(own.clone());
        let services = ProcessServices::new(Layout::new(folder), own).with_restart_rule(rule);
        let services = Arc::new(services);
        let (port, pooled) = (free_port(), free_port());
        let pooler = Pooler {
            port: pooled,
            operator: Secret::new("the pooler's own"),
            limits: Limits::default(),
        };
        let addon = Postgres::new(
            services.clone(),
            Server::Private(cluster(port, Archiving::Off)),
            pooler,
            guard,
        );
        addon.ensure_server().await.unwrap();
        House {
            services,
            addon,
            port,
            pooled,
            _sweeper: sweeper,
        }
    }

    pub(crate) fn access(&self) -> Access {
        self.addon.access()
    }
}

/// The server on a port, as all tests have it.
pub(crate) fn cluster(port: u16, archiving: Archiving) -> Cluster {
    let settings = ClusterSettings {
        port,
        memory: ByteSize::mib(256),
        archiving,
    };
    Cluster::new(settings, Secret::new("the superuser's own"))
}

/// An environment, by its project's name.
pub(crate) fn production(project: &str) -> EnvironmentId {
    EnvironmentId::new(project.parse().unwrap(), "production".parse().unwrap())
}

/// The main database of a project.
pub(crate) fn main_of(project: &str) -> DatabaseName {
    DatabaseName::main(&production(project))
}

/// A database of a project, by its label.
pub(crate) fn database(project: &str, label: &str) -> DatabaseId {
    DatabaseId::new(production(project), label.parse().unwrap())
}

/// The credential of a number, the same at every call.
pub(crate) fn credential(number: u32) -> Credential {
    Credential {
        number,
        secret: Secret::new(format!("{number:064x}")),
    }
}

/// What is ordered of a project, with the credentials of these numbers.
pub(crate) fn order(project: &str, numbers: &[u32]) -> AddonOrder {
    AddonOrder {
        id: AddonId::new(production(project), AddonKind::Postgres),
        credentials: numbers.iter().map(|&number| credential(number)).collect(),
        operator: Secret::new("not used"),
        port: None,
        settings: AddonSettings::default(),
        made: false,
    }
}

/// How a program gets in: with a credential, over loopback.
pub(crate) async fn log_in(
    port: u16,
    database: &str,
    login: &str,
    password: &Secret,
) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
    let mut config = tokio_postgres::Config::new();
    config
        .host("127.0.0.1")
        .port(port)
        .dbname(database)
        .user(login)
        .password(password.reveal())
        .connect_timeout(std::time::Duration::from_secs(30));
    let (client, connection) = config.connect(tokio_postgres::NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}
