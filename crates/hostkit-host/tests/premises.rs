//! Premises put together of parts in memory: the suite, and the order in which the parts come and go.
#![allow(clippy::unwrap_used)] // Only inside `#[test]` functions does clippy know that this is a test.

use std::sync::Arc;

use async_trait::async_trait;
use hostkit_core::kind::Kind;
use hostkit_core::names::ProjectName;
use hostkit_core::traits::Premises;
use hostkit_host::accounts::{Account, Accounts};
use hostkit_host::homes::{Homes, Owners};
use hostkit_host::premises::LinuxPremises;
use hostkit_host::sudoers::{SudoersFolder, file_name};
use hostkit_host::system_program::SystemProgram;
use hostkit_testkit::conformance::premises::PremisesFixture;
use hostkit_testkit::fakes::{FakeAccounts, FakeHomes, Faults};
use hostkit_testkit::premises_tests;

/// Stands for `visudo`, which not every machine has: the lane `host` asks the real one.
const FINE: SystemProgram = SystemProgram::new("true", "coreutils");
const LOG_READERS: u32 = 4;

struct Fixture {
    accounts: FakeAccounts,
    homes: FakeHomes,
    sudoers: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        Fixture {
            accounts: FakeAccounts::default(),
            homes: FakeHomes::default(),
            sudoers: tempfile::tempdir().unwrap(),
        }
    }

    fn rule_is_there(&self, project: &ProjectName) -> bool {
        self.sudoers.path().join(file_name(project)).exists()
    }
}

#[async_trait]
impl PremisesFixture for Fixture {
    fn premises(&self) -> Arc<dyn Premises> {
        let me = Account {
            uid: nix::unistd::getuid().as_raw(),
            gid: nix::unistd::getgid().as_raw(),
        };
        let sudoers = SudoersFolder::below(self.sudoers.path(), me, FINE);
        Arc::new(LinuxPremises::new(
            Arc::new(self.accounts.clone()),
            Arc::new(self.homes.clone()),
            Arc::new(sudoers),
            LOG_READERS,
        ))
    }

    async fn disturb(&self, project: &ProjectName) {
        self.homes.disturb(project);
    }

    async fn taken(&self) -> ProjectName {
        self.accounts.plant("suite-taken");
        shop("suite-taken")
    }

    async fn is_there(&self, project: &ProjectName) -> bool {
        self.accounts.names().contains(&project.to_string())
            || self.homes.projects().contains(project)
            || self.rule_is_there(project)
    }
}

premises_tests!([cfg(test)], Fixture::new());

fn shop(name: &str) -> ProjectName {
    ProjectName::parse(name).unwrap()
}

#[tokio::test]
async fn a_home_that_was_there_before_is_not_taken_over() {
    let fixture = Fixture::new();
    let (account, _) = fixture.accounts.ensure(&shop("before")).await.unwrap();
    let owners = Owners {
        project: account,
        front_door: 900,
        log_readers: LOG_READERS,
    };
    let _ = fixture.homes.ensure(&shop("shop"), &owners).await.unwrap();
    let refused = fixture.premises().ensure(&shop("shop")).await.unwrap_err();
    assert_eq!(refused.kind, Kind::Conflict);
    assert!(refused.message.contains("`/home/shop`"), "{refused}");
    assert_eq!(fixture.accounts.observe(&shop("shop")).await.unwrap(), None);
    // And what is not ours is not removed.
    fixture.premises().remove(&shop("shop")).await.unwrap();
    assert_eq!(fixture.homes.projects(), [shop("shop")]);
}

#[tokio::test]
async fn names_of_the_system_are_refused() {
    let fixture = Fixture::new();
    for name in ["root", "www-data", "hostkit-proxy", "postgres"] {
        let refused = fixture.premises().ensure(&shop(name)).await.unwrap_err();
        assert_eq!(refused.kind, Kind::Conflict, "{name}");
        assert!(!fixture.is_there(&shop(name)).await);
    }
}

#[tokio::test]
async fn whatever_fails_on_the_way_the_next_call_finishes() {
    for method in ["ensure_front_door", "ensure_environment"] {
        let fixture = Fixture::new();
        fixture.accounts.faults.fail_next(method, Faults::broken("go on"));
        fixture.homes.faults.fail_next(method, Faults::broken("go on"));
        assert!(
            fixture.premises().ensure(&shop("shop")).await.is_err(),
            "{method}"
        );
        assert!(!fixture.premises().ensure(&shop("shop")).await.unwrap().is_empty());
        assert!(fixture.rule_is_there(&shop("shop")));
    }
}

#[tokio::test]
async fn the_mark_goes_last() {
    let fixture = Fixture::new();
    fixture.premises().ensure(&shop("shop")).await.unwrap();
    fixture
        .homes
        .faults
        .fail_next("remove", Faults::broken("remove a home"));
    assert!(fixture.premises().remove(&shop("shop")).await.is_err());
    assert!(fixture.accounts.names().contains(&"shop".to_owned()));
    fixture.premises().remove(&shop("shop")).await.unwrap();
    assert!(!fixture.is_there(&shop("shop")).await);
}
