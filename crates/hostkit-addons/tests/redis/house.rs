//! An installation with real servers below real shims, and programs that use them.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hostkit_addons::redis::RedisAddon;
use hostkit_core::addon::{AddonId, AddonKind, AddonOrder, AddonSettings, Credential};
use hostkit_core::layout::Layout;
use hostkit_core::names::{EnvironmentName, ProjectName};
use hostkit_core::project::EnvironmentId;
use hostkit_core::secret::Secret;
use hostkit_core::services::{ServiceName, ServicePlace, ServiceRole};
use hostkit_core::size::Span;
use hostkit_core::traits::{Addon, Services};
use hostkit_host::processes;
use hostkit_host::roles::SelfProgram;
use hostkit_host::shim::RestartRule;
use hostkit_host::stable_ports;
use hostkit_runtimes::services::ProcessServices;
use nix::sys::signal::Signal;
use redis::aio::MultiplexedConnection;
use redis::{Client, RedisResult, Value};

pub(crate) const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// An installation; its servers end with it.
pub(crate) struct House {
    data: tempfile::TempDir,
    pub(crate) addon: RedisAddon,
    named: AtomicU32,
}

impl House {
    pub(crate) fn new() -> Self {
        Self::inside(&std::env::temp_dir())
    }

    /// One whose data are in a folder of this one.
    pub(crate) fn inside(folder: &Path) -> Self {
        let data = tempfile::tempdir_in(folder).unwrap();
        let addon = RedisAddon::new(services(&data), PATH).with_port_rule(choose);
        let named = AtomicU32::new(0);
        House { data, addon, named }
    }

    /// The name of a project that nobody has in this installation.
    pub(crate) fn unused_name(&self) -> String {
        format!("unused{}", self.named.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn services(&self) -> Arc<dyn Services> {
        services(&self.data)
    }

    pub(crate) fn place(&self, order: &AddonOrder) -> ServicePlace {
        self.services().place(&name(order))
    }

    pub(crate) async fn pid(&self, order: &AddonOrder) -> u32 {
        let state = self.services().observe(&name(order)).await.unwrap();
        state.unwrap().pid.unwrap()
    }

    /// Kills its server.
    pub(crate) async fn kill(&self, order: &AddonOrder) {
        kill(self.pid(order).await).await;
    }

    /// What programs are told.
    pub(crate) fn client(&self, order: &AddonOrder) -> Client {
        let variables = self.addon.variables(order);
        let url = variables.iter().find(|(name, _)| name.as_str() == "REDIS_URL");
        Client::open(url.unwrap().1.reveal()).unwrap()
    }

    pub(crate) async fn connect(&self, order: &AddonOrder) -> MultiplexedConnection {
        let client = self.client(order);
        client.get_multiplexed_async_connection().await.unwrap()
    }
}

/// Installations of one process have the same choices: none is given twice.
fn choose(port: u16) -> bool {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    stable_ports::choose(port) && GIVEN.lock().unwrap().insert(port)
}

fn services(data: &tempfile::TempDir) -> Arc<dyn Services> {
    let own = SelfProgram::at(env!("CARGO_BIN_EXE_addons-role"));
    let rule = RestartRule {
        first: Span(Duration::from_millis(30)),
        longest: Span(Duration::from_millis(250)),
        ..RestartRule::default()
    };
    let layout = Layout::new(data.path().canonicalize().unwrap());
    Arc::new(ProcessServices::new(layout, own).with_restart_rule(rule))
}

/// Also a test that fails leaves nothing running.
impl Drop for House {
    fn drop(&mut self) {
        let services = services(&self.data);
        let ended = std::thread::spawn(move || {
            let threads = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            threads.block_on(async {
                for name in services.list(None).await.unwrap() {
                    services.remove(&name).await.unwrap();
                }
            });
        });
        ended.join().unwrap();
    }
}

pub(crate) fn name(order: &AddonOrder) -> ServiceName {
    ServiceName {
        environment: Some(order.id.environment.clone()),
        role: ServiceRole::Redis,
    }
}

pub(crate) fn credential(number: u32, seed: &str) -> Credential {
    Credential {
        number,
        secret: Secret::new(format!("{seed:0>64}")),
    }
}

/// Kills a process, and returns when it is gone: on a busy machine a signal takes its time.
pub(crate) async fn kill(pid: u32) {
    processes::signal(pid, Signal::SIGKILL);
    while processes::stat(pid).is_some_and(|stat| !matches!(stat.state, 'Z' | 'X')) {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// An order for a project, on a port that was free a moment ago.
pub(crate) fn order(project: &str) -> AddonOrder {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let environment = EnvironmentId::new(
        ProjectName::parse(project).unwrap(),
        EnvironmentName::production(),
    );
    AddonOrder {
        id: AddonId::new(environment, AddonKind::Redis),
        credentials: vec![credential(1, &format!("{project}1"))],
        operator: Secret::new(format!("{project:0>64}")),
        port: Some(listener.local_addr().unwrap().port()),
        settings: AddonSettings::default(),
        made: false,
    }
}

/// Asks with words that have a space between them.
pub(crate) async fn ask(connection: &mut MultiplexedConnection, words: &str) -> RedisResult<Value> {
    let mut words = words.split(' ');
    let mut command = redis::cmd(words.next().unwrap());
    words.for_each(|word| {
        command.arg(word);
    });
    command.query_async(connection).await
}
