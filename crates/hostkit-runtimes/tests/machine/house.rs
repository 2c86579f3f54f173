//! A machine with accounts for the projects that tests use. Tests take it one after the other.

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command as Program, Output};
use std::sync::Arc;
use std::time::Duration;

use hostkit_core::layout::Layout;
use hostkit_core::manifest::{Command, StopRule};
use hostkit_core::names::{EnvironmentName, ProcessName, ProjectName, ReleaseName, VariableName};
use hostkit_core::project::EnvironmentId;
use hostkit_core::secret::Secret;
use hostkit_core::size::Span;
use hostkit_core::traits::Runtime;
use hostkit_core::workload::{Instance, Scope, Workload, WorkloadId};
use hostkit_host::files::Turn;
use hostkit_host::shim::RestartRule;
use hostkit_host::systemd::Bus;
use hostkit_runtimes::systemd::{Settings, SystemdRuntime};
use hostkit_testkit::conformance::runtime::RuntimeFixture;
use nix::unistd::User;

/// Our own program in the roles of an instance, and a place every account may run it from.
const ROLES: &str = env!("CARGO_BIN_EXE_hostkit-runtimes-role");
const PROGRAM: &str = "/usr/local/lib/hostkit-test/hostkit";
/// Every project that any test names.
const PROJECTS: [&str; 9] = [
    "shop", "shop1", "shop2", "shop3", "shop4", "shop5", "shop6", "blog", "none",
];
const ONE_AT_A_TIME: &str = "/run/hostkit-test-turn";

pub(crate) struct House {
    pub(crate) layout: Layout,
    scratch: PathBuf,
    _turn: Turn,
}

impl House {
    pub(crate) fn new() -> Self {
        assert!(
            nix::unistd::geteuid().is_root(),
            "this runs as root, on a machine of its own"
        );
        let turn = loop {
            match Turn::try_take(ONE_AT_A_TIME.into()).unwrap() {
                Some(turn) => break turn,
                None => std::thread::sleep(Duration::from_millis(50)),
            }
        };
        let layout = Layout::server();
        if !Path::new(PROGRAM).exists() {
            std::fs::create_dir_all(Path::new(PROGRAM).parent().unwrap()).unwrap();
            std::fs::copy(ROLES, PROGRAM).unwrap();
            std::fs::set_permissions(PROGRAM, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        for project in PROJECTS {
            move_in(&layout, project);
        }
        let scratch = layout.shared(&environment("shop")).join("scratch");
        std::fs::create_dir(&scratch).unwrap();
        own(&scratch, "shop", 0o700);
        House {
            layout,
            scratch,
            _turn: turn,
        }
    }

    pub(crate) fn systemd(&self) -> SystemdRuntime {
        let rule = RestartRule {
            first: Span(Duration::from_millis(30)),
            longest: Span(Duration::from_millis(250)),
            crash_loop_after: 4,
            ..RestartRule::default()
        };
        let settings = Settings {
            program: PROGRAM.into(),
            restart: rule,
            ..Settings::default()
        };
        SystemdRuntime::new(self.layout.clone(), Arc::new(Bus::system()), settings)
    }
}

impl RuntimeFixture for House {
    fn runtime(&self) -> Arc<dyn Runtime> {
        Arc::new(self.systemd())
    }

    fn scratch(&self) -> &Path {
        &self.scratch
    }
}

/// Also a test that fails leaves nothing running and nothing lying about.
impl Drop for House {
    fn drop(&mut self) {
        let runtime = self.systemd();
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
        let is_clean = ended.join().is_ok();
        for project in PROJECTS {
            let name = ProjectName::parse(project).unwrap();
            let _ = std::fs::remove_dir_all(self.layout.home(&name));
            let _ = std::fs::remove_dir_all(self.layout.logs(&environment(project)));
        }
        let _ = std::fs::remove_dir_all(self.layout.data());
        assert!(
            is_clean || std::thread::panicking(),
            "instances could not be removed"
        );
    }
}

/// An account with a home as a project has it.
fn move_in(layout: &Layout, project: &str) {
    if User::from_name(project).unwrap().is_none() {
        let made = run(&[
            "useradd",
            "--user-group",
            "--no-create-home",
            "--shell",
            "/bin/bash",
            project,
        ]);
        assert!(made.status.success(), "{made:?}");
    }
    let home = layout.home(&ProjectName::parse(project).unwrap());
    let _ = std::fs::remove_dir_all(&home);
    std::fs::create_dir_all(&home).unwrap();
    let account = User::from_name(project).unwrap().unwrap();
    chown(&home, Some(0), Some(account.gid.as_raw())).unwrap();
    std::fs::set_permissions(&home, std::fs::Permissions::from_mode(0o750)).unwrap();
    let shared = layout.shared(&environment(project));
    std::fs::create_dir(&shared).unwrap();
    own(&shared, project, 0o700);
}

/// Gives a file or folder to a project.
pub(crate) fn own(path: &Path, project: &str, mode: u32) {
    let account = User::from_name(project).unwrap().unwrap();
    chown(path, Some(account.uid.as_raw()), Some(account.gid.as_raw())).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Runs a program of the machine.
pub(crate) fn run(words: &[&str]) -> Output {
    Program::new(words[0]).args(&words[1..]).output().unwrap()
}

pub(crate) fn environment(project: &str) -> EnvironmentId {
    EnvironmentId::new(
        ProjectName::parse(project).unwrap(),
        EnvironmentName::production(),
    )
}

/// One instance of a shell line of `shop`.
pub(crate) fn shell(line: &str) -> Workload {
    Workload {
        id: WorkloadId {
            environment: environment("shop"),
            process: ProcessName::parse("web").unwrap(),
            deployment: 1,
        },
        release: ReleaseName::parse("20250215-120000").unwrap(),
        count: 1,
        command: Command::Line(line.into()),
        directory: "/".into(),
        variables: [
            (
                VariableName::parse("PATH").unwrap(),
                Secret::new("/usr/local/bin:/usr/bin:/bin"),
            ),
            (VariableName::parse("SECRET").unwrap(), Secret::new("canary-7c1f")),
        ]
        .into(),
        port_variable: VariableName::parse("PORT").ok(),
        stop: StopRule::default(),
        memory: None,
        cpus: None,
    }
}

pub(crate) fn unit_of(instance: &Instance) -> String {
    format!("hostkit-{}.service", instance.id)
}

/// Looks until it is so.
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(std::time::Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
