//! The process runtime: the suite of every runtime, and what only this one promises.
#![allow(clippy::unwrap_used)] // Only inside `#[test]` functions does clippy know that this is a test.

use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hostkit_core::layout::Layout;
use hostkit_core::manifest::{Command, StopRule};
use hostkit_core::names::{EnvironmentName, ProcessName, ProjectName, ReleaseName, VariableName};
use hostkit_core::project::EnvironmentId;
use hostkit_core::secret::Secret;
use hostkit_core::size::Span;
use hostkit_core::traits::Runtime;
use hostkit_core::workload::{Instance, InstanceState, Scope, Workload, WorkloadId};
use hostkit_host::processes;
use hostkit_host::roles::SelfProgram;
use hostkit_host::shim::{RestartRule, ShimState};
use hostkit_runtimes::process::ProcessRuntime;
use hostkit_testkit::conformance::runtime::RuntimeFixture;
use hostkit_testkit::{runtime_bookkeeping, runtime_programs};
use nix::sys::signal::Signal;

struct Fixture {
    data: tempfile::TempDir,
    scratch: PathBuf,
}

impl Fixture {
    fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let scratch = data.path().canonicalize().unwrap().join("scratch");
        std::fs::create_dir(&scratch).unwrap();
        Fixture { data, scratch }
    }

    fn layout(&self) -> Layout {
        Layout::new(self.data.path())
    }

    fn folder(&self, instance: &Instance) -> PathBuf {
        self.layout()
            .instances(&instance.id.workload.environment)
            .join(instance.id.to_string())
    }

    fn state(&self, instance: &Instance) -> ShimState {
        serde_json::from_slice(&std::fs::read(self.folder(instance).join("state.json")).unwrap()).unwrap()
    }
}

impl RuntimeFixture for Fixture {
    fn runtime(&self) -> Arc<dyn Runtime> {
        let own = SelfProgram::at(env!("CARGO_BIN_EXE_hostkit-runtimes-role"));
        let rule = RestartRule {
            first: Span(Duration::from_millis(30)),
            longest: Span(Duration::from_millis(250)),
            crash_loop_after: 4,
            ..RestartRule::default()
        };
        Arc::new(ProcessRuntime::new(self.layout(), own).with_restart_rule(rule))
    }

    fn scratch(&self) -> &Path {
        &self.scratch
    }
}

/// Also a test that fails leaves nothing running.
impl Drop for Fixture {
    fn drop(&mut self) {
        let runtime = self.runtime();
        let ended = std::thread::spawn(move || {
            let threads = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            threads.block_on(async {
                for instance in runtime.observe(&Scope::default()).await.unwrap() {
                    runtime.remove(&instance.id.workload).await.unwrap();
                }
            });
        });
        ended.join().unwrap();
    }
}

runtime_bookkeeping!(Fixture::new());
runtime_programs!(Fixture::new());

fn sleeper(process: &str) -> Workload {
    Workload {
        id: WorkloadId {
            environment: EnvironmentId::new(
                ProjectName::parse("shop").unwrap(),
                EnvironmentName::production(),
            ),
            process: ProcessName::parse(process).unwrap(),
            deployment: 1,
        },
        release: ReleaseName::parse("20250215-120000").unwrap(),
        count: 1,
        command: Command::Line("sleep 600".into()),
        directory: "/".into(),
        variables: [
            (VariableName::parse("PATH").unwrap(), Secret::new("/usr/bin:/bin")),
            (VariableName::parse("SECRET").unwrap(), Secret::new("canary-7c1f")),
        ]
        .into(),
        port_variable: VariableName::parse("PORT").ok(),
        stop: StopRule::default(),
        memory: None,
        cpus: None,
    }
}

async fn is_gone(pid: u32) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while processes::stat(pid).is_some_and(|s| s.state != 'Z') {
        assert!(Instant::now() < deadline, "process {pid} still runs");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_killed_shim_takes_its_program_along_and_is_replaced_on_the_same_port() {
    let fixture = Fixture::new();
    let runtime = fixture.runtime();
    let mut wanted = sleeper("web");
    wanted.command = Command::Line("(sleep 601 &); sleep 602; true".into());
    let first = runtime.ensure(&wanted).await.unwrap().remove(0);
    let shim = fixture.state(&first).shim;
    let tree = {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let tree = processes::descendants(shim.pid);
            if tree.len() == 3 {
                break tree;
            }
            assert!(Instant::now() < deadline, "{tree:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    processes::signal(shim.pid, Signal::SIGKILL);
    is_gone(shim.pid).await;
    is_gone(first.pid.unwrap()).await;
    let gone = runtime.observe(&Scope::default()).await.unwrap().remove(0);
    assert_eq!((gone.state, gone.pid), (InstanceState::Stopped, None));
    let second = runtime.ensure(&wanted).await.unwrap().remove(0);
    assert_eq!(
        (second.state, second.address),
        (InstanceState::Running, first.address)
    );
    for pid in tree {
        is_gone(pid).await;
    }
}

#[tokio::test]
async fn a_process_id_given_to_somebody_else_is_not_mistaken_for_a_shim() {
    let fixture = Fixture::new();
    let runtime = fixture.runtime();
    let wanted = sleeper("web");
    let first = runtime.ensure(&wanted).await.unwrap().remove(0);
    let mut state = fixture.state(&first);
    processes::signal(state.shim.pid, Signal::SIGKILL);
    is_gone(state.shim.pid).await;
    // The same number, an innocent process: started at another time. Times are told in ticks of 10 ms, and no number
    // is given again that soon.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut innocent = std::process::Command::new("sleep").arg("600").spawn().unwrap();
    state.shim.pid = innocent.id();
    let path = fixture.folder(&first).join("state.json");
    std::fs::write(&path, serde_json::to_vec(&state).unwrap()).unwrap();
    assert_eq!(
        runtime.observe(&Scope::default()).await.unwrap()[0].state,
        InstanceState::Stopped
    );
    assert!(is_running(&runtime.ensure(&wanted).await.unwrap()[0]));
    // And the machine was started anew: everything matches but the boot.
    let mut state = fixture.state(&first);
    let pid = state.shim.pid;
    processes::signal(pid, Signal::SIGKILL);
    is_gone(pid).await;
    state.shim = processes::ProcessMark::of(innocent.id()).unwrap();
    state.shim.boot = "another".into();
    std::fs::write(&path, serde_json::to_vec(&state).unwrap()).unwrap();
    assert_eq!(
        runtime.observe(&Scope::default()).await.unwrap()[0].state,
        InstanceState::Stopped
    );
    runtime.remove(&wanted.id).await.unwrap();
    assert!(innocent.try_wait().unwrap().is_none());
    innocent.kill().unwrap();
    innocent.wait().unwrap();
}

fn is_running(instance: &Instance) -> bool {
    instance.state == InstanceState::Running && instance.pid.is_some()
}

#[tokio::test]
async fn secrets_are_in_no_command_line_and_in_no_readable_file() {
    let fixture = Fixture::new();
    let runtime = fixture.runtime();
    let instance = runtime.ensure(&sleeper("web")).await.unwrap().remove(0);
    let shim = fixture.state(&instance).shim.pid;
    for pid in [shim, instance.pid.unwrap()] {
        let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
        assert!(!line.contains("canary"), "{line}");
    }
    let own = std::fs::read_to_string(format!("/proc/{shim}/environ")).unwrap();
    assert!(!own.contains("canary"));
    let folder = fixture.folder(&instance);
    assert_eq!(std::fs::metadata(&folder).unwrap().mode() & 0o077, 0);
    for entry in std::fs::read_dir(&folder).unwrap() {
        let entry = entry.unwrap();
        let text = std::fs::read_to_string(entry.path()).unwrap();
        if text.contains("canary") {
            assert_eq!(
                entry.metadata().unwrap().mode() & 0o077,
                0,
                "{}",
                entry.path().display()
            );
        }
    }
}

#[tokio::test]
async fn a_stranger_on_the_port_is_named_in_the_diagnosis() {
    let fixture = Fixture::new();
    let runtime = fixture.runtime();
    let instance = runtime.ensure(&sleeper("web")).await.unwrap().remove(0);
    let _stranger = TcpListener::bind(instance.address.unwrap()).unwrap();
    let diagnosis = runtime.diagnose(&instance.id).await.unwrap();
    let port = instance.address.unwrap().port();
    let expected = format!("hostkit: port {port} is in use by another program of this machine");
    assert_eq!(diagnosis.last_lines, [expected]);
}

#[tokio::test]
async fn two_callers_at_once_start_one_instance() {
    let fixture = Fixture::new();
    let (one, two) = (fixture.runtime(), fixture.runtime());
    let wanted = sleeper("web");
    for _ in 0..10 {
        let (a, b) = tokio::join!(one.ensure(&wanted), two.ensure(&wanted));
        assert_eq!(a.unwrap()[0].pid, b.unwrap()[0].pid);
        let shims: Vec<u32> = processes::all()
            .into_iter()
            .filter(|pid| {
                let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                line.contains(&*fixture.data.path().to_string_lossy()) && line.contains("shim")
            })
            .collect();
        assert_eq!(shims.len(), 1);
        one.remove(&wanted.id).await.unwrap();
    }
}

#[tokio::test]
async fn a_crash_and_a_lost_shim_are_told_and_quiet_instances_are_not() {
    let fixture = Fixture::new();
    let runtime = fixture.runtime();
    let started = runtime.ensure(&sleeper("web")).await.unwrap();
    let changes = runtime.changes().unwrap();
    let patience = Duration::from_secs(30);
    let short = Duration::from_millis(300);
    while tokio::time::timeout(short, changes.wait()).await.is_ok() {}
    processes::signal(started[0].pid.unwrap(), Signal::SIGKILL);
    tokio::time::timeout(patience, changes.wait()).await.unwrap();
    while tokio::time::timeout(short, changes.wait()).await.is_ok() {}
    let restarted = runtime.observe(&Scope::default()).await.unwrap();
    assert_eq!(restarted[0].restarts, 1);
    processes::signal(fixture.state(&started[0]).shim.pid, Signal::SIGKILL);
    loop {
        tokio::time::timeout(patience, changes.wait()).await.unwrap();
        let now = runtime.observe(&Scope::default()).await.unwrap();
        if now[0].state == InstanceState::Stopped {
            break;
        }
    }
}
