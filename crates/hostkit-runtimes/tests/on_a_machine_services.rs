//! Services on a real machine, as root: the suite of all services, and what only units promise.
#![allow(clippy::unwrap_used)] // Only inside `#[test]` functions does clippy know that this is a test.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use hostkit_core::layout::Layout;
use hostkit_core::manifest::StopRule;
use hostkit_core::names::RelativePath;
use hostkit_core::secret::Secret;
use hostkit_core::services::{Ensured, Service, ServiceFile, ServiceName, WhenChanged};
use hostkit_core::size::{ByteSize, Span};
use hostkit_core::traits::Services;
use hostkit_core::variables::Variables;
use hostkit_core::workload::InstanceState;
use hostkit_host::accounts::LinuxAccounts;
use hostkit_host::files::Turn;
use hostkit_host::processes;
use hostkit_host::shim::RestartRule;
use hostkit_host::systemd::Bus;
use hostkit_runtimes::service_units::{Settings, SystemdServices};
use hostkit_testkit::conformance::services::ServicesFixture;
use hostkit_testkit::services_tests;
use nix::sys::signal::Signal;
use nix::unistd::User;

/// Our own program in the roles of a service, and a place every account may run it from.
const ROLES: &str = env!("CARGO_BIN_EXE_hostkit-runtimes-role");
const PROGRAM: &str = "/usr/local/lib/hostkit-test/hostkit";
const ONE_AT_A_TIME: &str = "/run/hostkit-test-turn";

struct Fixture {
    layout: Layout,
    _turn: Turn,
}

impl Fixture {
    fn new() -> Self {
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
        if !Path::new(PROGRAM).exists() {
            std::fs::create_dir_all(Path::new(PROGRAM).parent().unwrap()).unwrap();
            std::fs::copy(ROLES, PROGRAM).unwrap();
            std::fs::set_permissions(PROGRAM, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let layout = Layout::server();
        // As the package makes it.
        std::fs::create_dir_all(layout.data()).unwrap();
        std::fs::set_permissions(layout.data(), std::fs::Permissions::from_mode(0o711)).unwrap();
        Fixture { layout, _turn: turn }
    }
}

impl ServicesFixture for Fixture {
    fn services(&self) -> Arc<dyn Services> {
        let settings = Settings {
            program: PROGRAM.into(),
            restart: RestartRule {
                first: Span(Duration::from_millis(30)),
                longest: Span(Duration::from_millis(250)),
                ..RestartRule::default()
            },
            caller: None,
        };
        Arc::new(SystemdServices::new(
            self.layout.clone(),
            Arc::new(Bus::system()),
            Arc::new(LinuxAccounts),
            settings,
        ))
    }

    fn kill(&self, pid: u32) {
        processes::signal(pid, Signal::SIGKILL);
    }
}

/// Also a test that fails leaves nothing running.
impl Drop for Fixture {
    fn drop(&mut self) {
        let services = self.services();
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
        let is_clean = ended.join().is_ok();
        let _ = std::fs::remove_dir_all(self.layout.data());
        assert!(
            is_clean || std::thread::panicking(),
            "services could not be removed"
        );
    }
}

services_tests!(
    [ignore = "lane host: runs on a machine of its own"],
    Fixture::new()
);

fn sleeper(name: &str) -> Service {
    Service {
        name: ServiceName::try_from(name.to_owned()).unwrap(),
        arguments: vec!["sleep".into(), "600".into()],
        variables: Variables::new(),
        files: vec![ServiceFile {
            path: RelativePath::parse("secret").unwrap(),
            content: Secret::new("canary-7c1f"),
            changed: WhenChanged::Restart,
        }],
        stop: StopRule::default(),
        memory: Some(ByteSize::mib(32)),
        never_root: true,
    }
}

fn run(words: &[&str]) -> Output {
    Command::new(words[0]).args(&words[1..]).output().unwrap()
}

fn printed(words: &[&str]) -> String {
    String::from_utf8_lossy(&run(words).stdout).trim().to_owned()
}

fn unit(service: &Service) -> String {
    format!("hostkit-{}.service", service.name)
}

#[tokio::test]
#[ignore = "lane host: runs on a machine of its own"]
async fn its_unit_is_valid_well_shut_in_and_starts_with_the_machine() {
    let fixture = Fixture::new();
    let (services, service) = (fixture.services(), sleeper("shop.production.redis"));
    services.ensure(&service).await.unwrap();
    let unit = unit(&service);
    let verified = run(&[
        "systemd-analyze",
        "verify",
        "--man=no",
        &format!("/etc/systemd/system/{unit}"),
    ]);
    let said = String::from_utf8_lossy(&verified.stderr).into_owned();
    // What is of the package is not on this machine.
    let of_others = said
        .lines()
        .filter(|line| !line.contains("hostkit-ports.service"));
    assert_eq!(of_others.collect::<Vec<_>>(), Vec::<&str>::new());
    let scored = printed(&["systemd-analyze", "security", "--no-pager", &unit]);
    let last = scored.lines().last().unwrap().to_owned();
    let score: f64 = last
        .rsplit_once(": ")
        .and_then(|(_, rest)| rest.split(' ').next()?.parse().ok())
        .unwrap_or_else(|| panic!("{last}"));
    assert!(score <= 2.5, "{last}");
    let property = |name: &str| printed(&["systemctl", "show", "--value", "-p", name, &unit]);
    assert_eq!(property("MemoryMax"), (32 << 20).to_string());
    assert_eq!(property("Slice"), "hostkit-projects-shop.slice");
    assert_eq!(printed(&["systemctl", "is-enabled", &unit]), "enabled");
    services.stop(&service.name).await.unwrap();
    assert_eq!(printed(&["systemctl", "is-enabled", &unit]), "disabled");
    // It stays so when systemd is asked for everything that is enabled.
    let state = services.observe(&service.name).await.unwrap().unwrap();
    assert_eq!(state.state, InstanceState::Stopped);
}

#[tokio::test]
#[ignore = "lane host: runs on a machine of its own"]
async fn each_has_an_account_of_its_own_that_reads_nothing_of_the_others() {
    let fixture = Fixture::new();
    let services = fixture.services();
    let (one, other, all) = (
        sleeper("shop.production.redis"),
        sleeper("blog.production.redis"),
        sleeper("redis-rest"),
    );
    for service in [&one, &other, &all] {
        services.ensure(service).await.unwrap();
    }
    let account = |service: &Service| User::from_name(&service.name.account()).unwrap().unwrap();
    let pid = services.observe(&one.name).await.unwrap().unwrap().pid.unwrap();
    let runs_as = std::fs::metadata(format!("/proc/{pid}")).unwrap().uid();
    assert_eq!(runs_as, account(&one).uid.as_raw());
    let numbers: std::collections::BTreeSet<u32> = [&one, &other, &all]
        .iter()
        .map(|service| account(service).uid.as_raw())
        .collect();
    assert_eq!(numbers.len(), 3);
    let reads = |reader: &Service, path: &Path| {
        let name = reader.name.account();
        let program = ["runuser", "-u", &name, "--", "cat", path.to_str().unwrap()];
        run(&program).status.success()
    };
    let secret = |service: &Service| services.place(&service.name).configuration.join("secret");
    for (owner, stranger) in [(&one, &other), (&other, &one), (&one, &all), (&all, &one)] {
        assert!(reads(owner, &secret(owner)));
        assert!(!reads(stranger, &secret(owner)));
        // It is the mode that keeps them out: without it they get in.
        let folder = fixture.layout.service(&owner.name);
        for opened in [&folder, &services.place(&owner.name).configuration] {
            std::fs::set_permissions(opened, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        std::fs::set_permissions(secret(owner), std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(reads(stranger, &secret(owner)));
        std::fs::set_permissions(secret(owner), std::fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(services.ensure(owner).await.unwrap(), Ensured::AsItWas);
        assert!(!reads(stranger, &secret(owner)), "ensured again");
    }
    services.remove(&one.name).await.unwrap();
    assert!(User::from_name(&one.name.account()).unwrap().is_none());
}

#[tokio::test]
#[ignore = "lane host: runs on a machine of its own"]
async fn data_stay_its_own_where_its_account_was_lost() {
    let fixture = Fixture::new();
    let (services, service) = (fixture.services(), sleeper("shop.production.redis"));
    services.ensure(&service).await.unwrap();
    let data = services.place(&service.name).data;
    std::fs::write(data.join("kept"), "1").unwrap();
    services.stop(&service.name).await.unwrap();
    let name = service.name.account();
    assert!(run(&["userdel", &name]).status.success());
    // Somebody else has its number meanwhile.
    let other = sleeper("blog.production.redis");
    services.ensure(&other).await.unwrap();
    services.ensure(&service).await.unwrap();
    let account = User::from_name(&name).unwrap().unwrap();
    let owner = std::fs::metadata(data.join("kept")).unwrap().uid();
    assert_eq!(owner, account.uid.as_raw());
    let secret = services.place(&service.name).configuration.join("secret");
    assert_eq!(std::fs::metadata(secret).unwrap().gid(), account.gid.as_raw());
}

#[tokio::test]
#[ignore = "lane host: runs on a machine of its own"]
async fn a_unit_that_somebody_changed_is_mended_and_its_program_goes_on() {
    let fixture = Fixture::new();
    let (services, service) = (fixture.services(), sleeper("shop.production.redis"));
    services.ensure(&service).await.unwrap();
    let pid = services.observe(&service.name).await.unwrap().unwrap().pid;
    let file = format!("/etc/systemd/system/{}", unit(&service));
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("NoNewPrivileges=yes\n", "")).unwrap();
    assert_eq!(services.ensure(&service).await.unwrap(), Ensured::AsItWas);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    assert_eq!(services.observe(&service.name).await.unwrap().unwrap().pid, pid);
}
