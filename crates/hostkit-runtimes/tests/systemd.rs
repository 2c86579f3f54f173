//! The systemd runtime on a systemd in memory: the suite as far as nothing really runs, and what goes wrong.
#![allow(clippy::unwrap_used)] // Only inside `#[test]` functions does clippy know that this is a test.

use std::path::Path;
use std::sync::Arc;

use hostkit_core::kind::Kind;
use hostkit_core::layout::Layout;
use hostkit_core::manifest::{Command, StopRule};
use hostkit_core::names::{EnvironmentName, ProcessName, ProjectName, ReleaseName, VariableName};
use hostkit_core::project::EnvironmentId;
use hostkit_core::secret::Secret;
use hostkit_core::size::{ByteSize, Processors};
use hostkit_core::traits::Runtime;
use hostkit_core::workload::{Instance, InstanceState, Scope, Workload, WorkloadId};
use hostkit_host::systemd::{Ending, UnitFiles, UnitLimits, UnitName, Units};
use hostkit_runtimes::systemd::{Settings, SystemdRuntime};
use hostkit_testkit::conformance::runtime::RuntimeFixture;
use hostkit_testkit::fakes::{FakeSystemd, Faults};
use hostkit_testkit::runtime_bookkeeping;

struct Fixture {
    root: tempfile::TempDir,
    systemd: FakeSystemd,
}

impl Fixture {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let fixture = Fixture {
            root,
            systemd: FakeSystemd::default(),
        };
        // Folders of accounts: there are no accounts here.
        for project in [
            "shop", "shop1", "shop2", "shop3", "shop4", "shop5", "shop6", "blog",
        ] {
            std::fs::create_dir_all(fixture.layout().logs(&environment(project))).unwrap();
        }
        fixture
    }

    fn layout(&self) -> Layout {
        Layout::server_below(self.root.path())
    }

    fn systemd_runtime(&self) -> SystemdRuntime {
        SystemdRuntime::new(self.layout(), Arc::new(self.systemd.clone()), Settings::default())
    }
}

impl RuntimeFixture for Fixture {
    fn runtime(&self) -> Arc<dyn Runtime> {
        Arc::new(self.systemd_runtime())
    }

    fn scratch(&self) -> &Path {
        self.root.path()
    }
}

runtime_bookkeeping!(Fixture::new());

fn environment(project: &str) -> EnvironmentId {
    EnvironmentId::new(
        ProjectName::parse(project).unwrap(),
        EnvironmentName::production(),
    )
}

fn sleeper() -> Workload {
    Workload {
        id: WorkloadId {
            environment: environment("shop"),
            process: ProcessName::parse("web").unwrap(),
            deployment: 1,
        },
        release: ReleaseName::parse("20250215-120000").unwrap(),
        count: 1,
        command: Command::Line("sleep 600".into()),
        directory: "/".into(),
        variables: [(VariableName::parse("SECRET").unwrap(), Secret::new("canary-7c1f"))].into(),
        port_variable: VariableName::parse("PORT").ok(),
        stop: StopRule::default(),
        memory: None,
        cpus: None,
    }
}

fn unit_of(instance: &Instance) -> UnitName {
    UnitName::service(&instance.id.to_string()).unwrap()
}

async fn all(fixture: &Fixture) -> Vec<Instance> {
    fixture.runtime().observe(&Scope::default()).await.unwrap()
}

#[tokio::test]
async fn a_workloads_own_limits_go_before_those_of_the_machine() {
    let fixture = Fixture::new();
    let settings = Settings {
        limits: UnitLimits {
            memory: Some(ByteSize::mib(512)),
            cpu_percent: Some(200),
            tasks: Some(300),
            ..UnitLimits::default()
        },
        ..Settings::default()
    };
    let runtime = SystemdRuntime::new(fixture.layout(), Arc::new(fixture.systemd.clone()), settings);
    let mut wanted = sleeper();
    for (memory, cpus, lines) in [
        (
            None,
            None,
            ["MemoryMax=536870912", "CPUQuota=200%", "TasksMax=300"],
        ),
        (
            Some(ByteSize::mib(64)),
            Some(Processors(50)),
            ["MemoryMax=67108864", "CPUQuota=50%", "TasksMax=300"],
        ),
    ] {
        (wanted.memory, wanted.cpus) = (memory, cpus);
        let instance = runtime.ensure(&wanted).await.unwrap().remove(0);
        let text = fixture
            .systemd
            .file(&unit_of(&instance))
            .unwrap()
            .render()
            .unwrap();
        for line in lines {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        runtime.remove(&wanted.id).await.unwrap();
    }
}

#[tokio::test]
async fn several_instances_cost_one_reading_of_files() {
    let fixture = Fixture::new();
    let mut wanted = sleeper();
    wanted.count = 3;
    fixture.runtime().ensure(&wanted).await.unwrap();
    fixture.runtime().ensure(&wanted).await.unwrap();
    let reloads = |fixture: &Fixture| fixture.systemd.journal.count("reload");
    assert_eq!(reloads(&fixture), 1);
    fixture.runtime().remove(&wanted.id).await.unwrap();
    assert_eq!(reloads(&fixture), 2);
    assert!(fixture.systemd.loaded().is_empty());
}

#[tokio::test]
async fn a_program_that_does_not_start_leaves_nothing() {
    let fixture = Fixture::new();
    let name = UnitName::service("shop.production.web.1.1").unwrap();
    let settings = Settings {
        program: "/no/such/hostkit".into(),
        ..Settings::default()
    };
    let runtime = SystemdRuntime::new(fixture.layout(), Arc::new(fixture.systemd.clone()), settings);
    let failure = runtime.ensure(&sleeper()).await.unwrap_err();
    assert!(failure.message.contains(name.as_str()), "{failure}");
    assert!(all(&fixture).await.is_empty());
    assert_eq!(fixture.systemd.file(&name), None);
    let ports = fixture.layout().data().join("ports");
    assert_eq!(std::fs::read_dir(ports).unwrap().count(), 0);
}

#[tokio::test]
async fn what_fails_half_way_is_found_and_finished_or_removed() {
    for broken in ["ensure_file", "enable", "reload", "start", "status"] {
        let fixture = Fixture::new();
        fixture.systemd.faults.fail_next(broken, Faults::broken(broken));
        assert!(fixture.runtime().ensure(&sleeper()).await.is_err(), "{broken}");
        let running = fixture.runtime().ensure(&sleeper()).await.unwrap();
        assert_eq!(running[0].state, InstanceState::Running, "{broken}");
        assert_eq!(all(&fixture).await.len(), 1);
    }
    for broken in ["disable", "stop", "reset_failed", "remove_file", "reload"] {
        let fixture = Fixture::new();
        fixture.runtime().ensure(&sleeper()).await.unwrap();
        fixture.systemd.faults.fail_next(broken, Faults::broken(broken));
        assert!(fixture.runtime().remove(&sleeper().id).await.is_err(), "{broken}");
        fixture.runtime().remove(&sleeper().id).await.unwrap();
        assert!(all(&fixture).await.is_empty(), "{broken}");
    }
}

#[tokio::test]
async fn after_a_loss_of_power_the_same_instances_run() {
    let fixture = Fixture::new();
    let before = fixture.runtime().ensure(&sleeper()).await.unwrap();
    fixture.systemd.lose_power();
    let after = all(&fixture).await;
    assert_eq!(after[0].state, InstanceState::Running);
    assert_eq!(
        (&after[0].id, after[0].address),
        (&before[0].id, before[0].address)
    );
    let ensured = fixture.runtime().ensure(&sleeper()).await.unwrap();
    assert_eq!(ensured[0].pid, after[0].pid);
}

#[tokio::test]
async fn a_unit_without_its_folder_is_replaced_and_one_without_a_file_is_removed() {
    let fixture = Fixture::new();
    let first = fixture.runtime().ensure(&sleeper()).await.unwrap().remove(0);
    std::fs::remove_dir_all(fixture.layout().instances(&environment("shop"))).unwrap();
    assert_eq!(all(&fixture).await[0].pid, first.pid);
    let second = fixture.runtime().ensure(&sleeper()).await.unwrap().remove(0);
    assert_ne!(second.pid, first.pid);
    fixture.systemd.remove_file(&unit_of(&second)).await.unwrap();
    fixture.systemd.reload().await.unwrap();
    fixture.runtime().remove(&sleeper().id).await.unwrap();
    assert!(all(&fixture).await.is_empty());
    assert!(
        !fixture
            .systemd
            .status(&unit_of(&second))
            .await
            .unwrap()
            .is_running()
    );
}

#[tokio::test]
async fn strangers_units_are_not_instances() {
    let fixture = Fixture::new();
    let file = hostkit_host::systemd::unit_file::UnitFile::new();
    for name in [
        "hostkit-control.service",
        "hostkit-shop.service",
        "hostkit-a.b.c.d.e.service",
    ] {
        let name = UnitName::parse(name).unwrap();
        fixture.systemd.ensure_file(&name, &file).await.unwrap();
    }
    fixture.systemd.reload().await.unwrap();
    assert!(all(&fixture).await.is_empty());
}

#[tokio::test]
async fn a_program_that_ended_by_itself_is_counted() {
    let fixture = Fixture::new();
    let instance = fixture.runtime().ensure(&sleeper()).await.unwrap().remove(0);
    fixture.systemd.end(&unit_of(&instance), Ending::Exited(7));
    let again = all(&fixture).await.remove(0);
    assert_eq!(again.restarts, instance.restarts + 1);
    assert_eq!((again.id, again.address), (instance.id, instance.address));
}

#[tokio::test]
async fn variables_are_in_files_of_root_alone() {
    use std::os::unix::fs::MetadataExt;
    let fixture = Fixture::new();
    let instance = fixture.runtime().ensure(&sleeper()).await.unwrap().remove(0);
    let folder = fixture
        .layout()
        .instances(&environment("shop"))
        .join(instance.id.to_string());
    assert_eq!(std::fs::metadata(&folder).unwrap().mode() & 0o077, 0);
    let mut holding = Vec::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().mode() & 0o777, 0o600);
        if std::fs::read_to_string(entry.path()).unwrap().contains("canary") {
            holding.push(entry.file_name());
        }
    }
    assert_eq!(holding, ["variables.env"]);
    let unit = fixture
        .systemd
        .file(&unit_of(&instance))
        .unwrap()
        .render()
        .unwrap();
    assert!(!unit.contains("canary"));
}

#[tokio::test]
async fn the_projects_own_name_follows() {
    let fixture = Fixture::new();
    let runtime = fixture.systemd_runtime();
    let instance = runtime.ensure(&sleeper()).await.unwrap().remove(0);
    let of = environment("shop");
    runtime.name_live(&of, Some(&instance.id)).await.unwrap();
    let alias = UnitName::service("shop").unwrap();
    let target = fixture.systemd.alias_target(&alias).await.unwrap();
    assert_eq!(target, Some(unit_of(&instance)));
    assert_eq!(all(&fixture).await.len(), 1);
    runtime.name_live(&of, None).await.unwrap();
    assert_eq!(fixture.systemd.alias_target(&alias).await.unwrap(), None);
    // It never means a unit that is gone.
    runtime.name_live(&of, Some(&instance.id)).await.unwrap();
    runtime.remove(&instance.id.workload).await.unwrap();
    assert_eq!(fixture.systemd.alias_target(&alias).await.unwrap(), None);
}

#[tokio::test]
async fn a_project_without_an_account_is_named() {
    let fixture = Fixture::new();
    let mut wanted = sleeper();
    wanted.id.environment = environment("no-such-account");
    let failure = fixture.runtime().ensure(&wanted).await.unwrap_err();
    assert_eq!(failure.kind, Kind::NotFound);
    assert_eq!(failure.hint.as_deref(), Some("hostkit provision no-such-account"));
}

#[tokio::test]
async fn a_port_is_chosen_and_seen_before_anything_is_started_on_it() {
    let fixture = Fixture::new();
    let runtime = fixture.runtime();
    let wanted = Workload {
        count: 2,
        ..sleeper()
    };
    for _ in 0..2 {
        assert!(runtime.reserve(&wanted).await.unwrap());
    }
    let reserved = all(&fixture).await;
    assert_eq!(reserved.len(), 2);
    for instance in &reserved {
        assert_eq!(instance.state, InstanceState::Stopped);
        assert!(fixture.systemd.file(&unit_of(instance)).is_none());
    }
    let addresses =
        |instances: &[Instance]| -> Vec<_> { instances.iter().map(|i| i.address.unwrap()).collect() };
    let started = runtime.ensure(&wanted).await.unwrap();
    assert_eq!(addresses(&started), addresses(&reserved));
    assert!(!runtime.reserve(&wanted).await.unwrap(), "nothing is missing");

    // What was reserved and never started goes without a trace.
    let mut other = sleeper();
    other.id.deployment = 2;
    assert!(runtime.reserve(&other).await.unwrap());
    runtime.remove(&other.id).await.unwrap();
    assert_eq!(all(&fixture).await.len(), 2);
    runtime.remove(&wanted.id).await.unwrap();
    assert!(all(&fixture).await.is_empty());
}
