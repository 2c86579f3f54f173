//! An engine on fakes and a real state database in a temporary folder, that can be killed and started again.

use std::sync::Arc;
use std::time::Duration;

use hostkit_core::canary::Side;
use hostkit_core::deployment::{Act, Deployment, DeploymentState};
use hostkit_core::layout::Layout;
use hostkit_core::names::{EnvironmentName, HostName, ProcessName, ReleaseName};
use hostkit_core::project::EnvironmentId;
use hostkit_core::route::Target;
use hostkit_core::secret::Secret;
use hostkit_core::size::ByteSize;
use hostkit_core::traits::{FrontDoor, Visit};
use hostkit_core::variables::Variables;
use hostkit_core::workload::{Instance, InstanceId, InstanceState};
use hostkit_engine::{BackupParts, Engine, Parts, Procfile, Settings};
use hostkit_host::file_ops::DiskFiles;
use hostkit_outbound::cipher::FileCipher;
use hostkit_store::Store;
use hostkit_testkit::fakes::{
    FakeAddon, FakeArchives, FakeBackupTarget, FakeBuilder, FakeCertificates, FakeClock, FakeCopies,
    FakeDatabases, FakeHistory, FakeInternet, FakeOutside, FakePortOwners, FakePremises, FakeProbe,
    FakeRuntime, FakeSources, FakeTraffic, Journal,
};

/// The front door as the fake traffic has it: what its table says is what a visitor gets.
pub(crate) struct FakeFrontDoor(pub(crate) FakeTraffic);

#[async_trait::async_trait]
impl FrontDoor for FakeFrontDoor {
    async fn visit(&self, host: &HostName, _path: &str, side: Side) -> Result<Visit, String> {
        let table = self.0.table();
        let live = table.routes.into_iter().find(|r| r.hosts.contains(host));
        let canary = table
            .canaries
            .into_iter()
            .filter(|canary| {
                live.as_ref().and_then(|live| live.environment.as_ref()) == Some(&canary.environment)
            })
            .flat_map(|canary| canary.routes)
            .find(|route| side == Side::Canary && route.path_prefix == "/");
        let Some(route) = canary.or(live) else {
            return Ok(Visit {
                status: 404,
                release: None,
            });
        };
        let status = match &route.target {
            Target::Instances { backends } if backends.is_empty() => 503,
            Target::Nothing { .. } => 503,
            _ => 200,
        };
        Ok(Visit {
            status,
            release: route.release,
        })
    }
}

/// Everything outside of the engine; outlives it.
pub(crate) struct World {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) journal: Journal,
    pub(crate) premises: FakePremises,
    pub(crate) archives: FakeArchives,
    pub(crate) port_owners: FakePortOwners,
    pub(crate) addon: FakeAddon,
    /// One that somebody else keeps.
    pub(crate) outside: FakeOutside,
    /// Whether a port is nobody's; by default each is.
    pub(crate) port_is_free: fn(u16) -> bool,
    /// Whether backups are made; by default none are.
    pub(crate) makes_backups: bool,
    /// Whether what add-ons keep is left out of them.
    pub(crate) copies_nothing: bool,
    pub(crate) copies: FakeCopies,
    /// Files what is written, where backups are made.
    pub(crate) history: FakeHistory,
    pub(crate) target: FakeBackupTarget,
    pub(crate) databases: FakeDatabases,
    pub(crate) runtime: FakeRuntime,
    pub(crate) probe: FakeProbe,
    pub(crate) traffic: FakeTraffic,
    pub(crate) certificates: FakeCertificates,
    pub(crate) internet: FakeInternet,
    pub(crate) sources: FakeSources,
    pub(crate) builder: FakeBuilder,
    pub(crate) clock: FakeClock,
    pub(crate) settings: Settings,
    pub(crate) store: Store,
}

pub(crate) fn shop() -> EnvironmentId {
    EnvironmentId::new("shop".parse().unwrap(), EnvironmentName::production())
}

pub(crate) fn process(name: &str) -> ProcessName {
    name.parse().unwrap()
}

pub(crate) fn variables(pairs: &[(&str, &str)]) -> Variables {
    pairs
        .iter()
        .map(|(k, v)| (k.parse().unwrap(), Secret::new(*v)))
        .collect()
}

impl World {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::default();
        let clock = FakeClock::default();
        let store = Store::open(&Layout::new(folder.path()), Arc::new(clock.clone())).unwrap();
        let mut settings = Settings::new("localhost".parse().unwrap());
        settings.min_free = ByteSize(0);
        settings.settle = Duration::from_millis(20);
        settings.worker_ready = Duration::from_millis(20);
        settings.worker_settle = Duration::from_millis(20);
        settings.reconcile_every = Duration::from_millis(50);
        let runtime = FakeRuntime::new(&journal);
        let traffic = FakeTraffic::new(&journal);
        let premises = FakePremises::new(Layout::new(folder.path()));
        World {
            folder,
            probe: FakeProbe::of(&runtime),
            premises,
            archives: FakeArchives::default(),
            port_owners: FakePortOwners::new(&journal),
            addon: FakeAddon::new(&journal),
            outside: FakeOutside::default(),
            port_is_free: |_| true,
            makes_backups: false,
            copies_nothing: false,
            copies: FakeCopies::default(),
            history: FakeHistory::new(&clock),
            target: FakeBackupTarget::default(),
            databases: FakeDatabases::new(&journal),
            runtime,
            certificates: FakeCertificates::default(),
            internet: FakeInternet::before(&traffic),
            traffic,
            sources: FakeSources::new(&journal),
            builder: FakeBuilder::default().with_journal(&journal),
            journal,
            clock,
            settings,
            store,
        }
    }

    pub(crate) fn layout(&self) -> Layout {
        Layout::new(self.folder.path())
    }

    /// Starts an engine, as a new control process would.
    pub(crate) async fn engine(&self) -> Arc<Engine> {
        let parts = Parts {
            layout: self.layout(),
            store: self.store.clone(),
            premises: Arc::new(self.premises.clone()),
            operator_keys: None,
            archives: Some(Arc::new(self.archives.clone())),
            port_owners: Some(Arc::new(self.port_owners.clone())),
            runtime: Arc::new(self.runtime.clone()),
            addons: vec![
                Arc::new(self.addon.clone()),
                Arc::new(self.outside.clone()),
                Arc::new(self.databases.clone()),
            ],
            services: None,
            backups: self.makes_backups.then(|| BackupParts {
                cipher: Arc::new(FileCipher),
                targets: Arc::new(self.target.clone()),
                copies: match self.copies_nothing {
                    true => Vec::new(),
                    false => vec![Arc::new(self.copies.clone())],
                },
                history: Some(Arc::new(self.history.clone())),
                patience: Duration::from_millis(300),
            }),
            builders: vec![Arc::new(self.builder.clone())],
            procfile: |folder| {
                let text = std::fs::read_to_string(folder.join("Procfile")).unwrap_or_default();
                let lines = text.lines().filter_map(|line| line.split_once(": "));
                let mut procfile = Procfile::default();
                for (name, command) in lines {
                    let command = hostkit_core::manifest::Command::Line(command.into());
                    procfile.programs.insert(process(name), command);
                }
                Ok((!procfile.programs.is_empty()).then_some(procfile))
            },
            sources: Arc::new(self.sources.clone()),
            traffic: Arc::new(self.traffic.clone()),
            certificates: Arc::new(self.certificates.clone()),
            front_door: Arc::new(FakeFrontDoor(self.traffic.clone())),
            internet: Arc::new(self.internet.clone()),
            probe: Arc::new(self.probe.clone()),
            files: Arc::new(DiskFiles::default()),
            clock: Arc::new(self.clock.clone()),
            port_is_free: self.port_is_free,
            settings: self.settings.clone(),
        };
        Engine::start(parts).await.unwrap()
    }

    /// An engine with the project `shop`.
    pub(crate) async fn with_shop(&self) -> Arc<Engine> {
        let engine = self.engine().await;
        engine.create_project(&shop().project).await.unwrap();
        engine
    }

    /// An engine with a project and a first release of it that is live.
    pub(crate) async fn with_live_shop(&self) -> (Arc<Engine>, ReleaseName) {
        let engine = self.with_shop().await;
        let first = succeeds(&engine, self.deploy(&[("a", "1")])).await;
        (engine, first.release.unwrap())
    }

    /// What every deployment of these files is asked as.
    pub(crate) fn deploy(&self, files: &[(&str, &str)]) -> Act {
        // The time of a release is its name: no two in one second, as people deploy.
        self.clock.advance(Duration::from_secs(1));
        Act::Deploy {
            source: self.sources.add(&shop().project, files),
            canary: None,
        }
    }

    /// The instances that run, by name, without `shop.production.`.
    pub(crate) fn running(&self) -> Vec<String> {
        let all = self.runtime.instances();
        let running = all.iter().filter(|i| i.state == InstanceState::Running);
        running
            .map(|i| i.id.to_string().trim_start_matches("shop.production.").to_owned())
            .collect()
    }

    pub(crate) fn instance(&self, id: &str) -> Option<Instance> {
        let id = InstanceId::try_from(format!("shop.production.{id}")).unwrap();
        self.runtime.instances().into_iter().find(|i| i.id == id)
    }

    /// Releases by folder.
    pub(crate) fn folders(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.layout().releases(&shop()))
            .map(|all| {
                all.map(|e| e.unwrap().file_name().into_string().unwrap())
                    .collect()
            })
            .unwrap_or_default();
        names.sort();
        names
    }

    /// The machine loses power: every instance, the front door's table, and what was written of no release yet.
    pub(crate) fn lose_power(&self) {
        for instance in self.runtime.instances() {
            self.runtime.lose(&instance.id);
        }
        self.traffic.lose_everything();
        self.tear_scratch();
    }

    /// Loses what was written of everything that is not a release yet.
    fn tear_scratch(&self) {
        let mut folders = vec![self.layout().scratch(&shop(), 0).parent().unwrap().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten() {
                let entry = entry.unwrap();
                match entry.file_type().unwrap() {
                    kind if kind.is_dir() => folders.push(entry.path()),
                    kind if kind.is_file() => std::fs::write(entry.path(), "").unwrap(),
                    _ => {}
                }
            }
        }
    }

    /// The backends of the public route.
    pub(crate) fn backends(&self) -> Vec<String> {
        let table = self.traffic.table();
        let route = table.routes.iter().find(|r| r.id == "shop/production/web");
        match route.map(|r| &r.target) {
            Some(Target::Instances { backends }) => backends
                .iter()
                .map(|b| b.id.0.trim_start_matches("shop.production.").to_owned())
                .collect(),
            _ => Vec::new(),
        }
    }

    /// What is on disk, running and routed is exactly release `release` with these instances.
    pub(crate) async fn assert_serves(&self, release: &ReleaseName, instances: &[&str]) {
        let environment = self.store.environment(&shop()).unwrap();
        assert_eq!(
            environment.live.map(|l| l.release).as_ref(),
            Some(release),
            "live"
        );
        assert_eq!(self.running(), instances, "running");
        let public: Vec<&str> = instances
            .iter()
            .copied()
            .filter(|i| i.starts_with("web"))
            .collect();
        assert_eq!(self.backends(), public, "routed");
        let link = std::fs::read_link(self.layout().current(&shop())).unwrap();
        assert_eq!(link, self.layout().release(&shop(), release), "link");
        let rows: Vec<String> = self
            .store
            .releases(&shop())
            .unwrap()
            .iter()
            .map(|r| r.name.to_string())
            .collect();
        let mut sorted = rows.clone();
        sorted.sort();
        assert_eq!(sorted, self.folders(), "rows and folders");
    }
}

/// Submits and waits.
pub(crate) async fn done(engine: &Engine, act: Act) -> Deployment {
    let deployment = engine.submit(&shop(), act, "test").await.unwrap();
    tokio::time::timeout(Duration::from_secs(60), engine.wait(deployment.id))
        .await
        .unwrap()
        .unwrap()
}

/// Submits, waits, and expects success.
pub(crate) async fn succeeds(engine: &Engine, act: Act) -> Deployment {
    let deployment = done(engine, act).await;
    assert_eq!(
        deployment.state,
        DeploymentState::Succeeded,
        "{:?}",
        deployment.failure
    );
    deployment
}

/// Submits, waits, and expects failure.
pub(crate) async fn fails(engine: &Engine, act: Act) -> Deployment {
    let deployment = done(engine, act).await;
    assert_eq!(
        deployment.state,
        DeploymentState::Failed,
        "{:?}",
        deployment.failure
    );
    deployment
}

/// Waits until something holds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..3000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited in vain: {what}");
}
