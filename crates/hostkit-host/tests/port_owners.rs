//! Owners of ports put together of parts in memory: the suite, and the file that is loaded at boot.
#![allow(clippy::unwrap_used)] // Only inside `#[test]` functions does clippy know that this is a test.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use hostkit_core::names::ProjectName;
use hostkit_core::port_use::{Callers, PortUse, PortUser};
use hostkit_core::services::ServiceName;
use hostkit_core::traits::PortOwners;
use hostkit_host::accounts::Accounts;
use hostkit_host::firewall::{Firewall, Seen};
use hostkit_host::port_owners::PortRules;
use hostkit_testkit::conformance::port_owners::{PortOwnersFixture, project};
use hostkit_testkit::fakes::{FakeAccounts, FakeFirewall, Faults};
use hostkit_testkit::port_owners_tests;

struct Fixture {
    accounts: FakeAccounts,
    firewall: FakeFirewall,
    folder: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        Fixture {
            accounts: FakeAccounts::default(),
            firewall: FakeFirewall::default(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("ports.nft")
    }

    fn rules(&self) -> PortRules {
        PortRules::new(
            Arc::new(self.accounts.clone()),
            Arc::new(self.firewall.clone()),
            self.file(),
        )
    }
}

#[async_trait]
impl PortOwnersFixture for Fixture {
    async fn owners(&self) -> Arc<dyn PortOwners> {
        for name in ["suite-shop", "suite-blog"] {
            let _ = self.accounts.ensure(&project(name)).await.unwrap();
        }
        Arc::new(self.rules())
    }

    async fn owner_of(&self, port: u16) -> Option<ProjectName> {
        let Seen::Intact(rules) = self.firewall.observe().await.unwrap().loopback else {
            return None;
        };
        self.accounts.project_of(*rules.owners.get(&port)?).await.unwrap()
    }

    async fn disturb(&self) {
        self.firewall.disturb_loopback();
    }
}

port_owners_tests!([cfg(test)], Fixture::new());

fn shop() -> BTreeMap<u16, PortUse> {
    [(20500, PortUse::of_project(project("suite-shop")))].into()
}

#[tokio::test]
async fn what_is_in_force_is_kept_for_the_next_start_of_the_machine() {
    let fixture = Fixture::new();
    fixture.owners().await.ensure(&shop()).await.unwrap();
    let Seen::Intact(rules) = fixture.firewall.observe().await.unwrap().loopback else {
        panic!("no rules are in force");
    };
    assert_eq!(std::fs::read_to_string(fixture.file()).unwrap(), rules.script());
    let mode = std::fs::metadata(fixture.file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // Also where the file alone was lost.
    std::fs::remove_file(fixture.file()).unwrap();
    assert!(fixture.rules().ensure(&shop()).await.unwrap());
    assert_eq!(std::fs::read_to_string(fixture.file()).unwrap(), rules.script());
}

#[tokio::test]
async fn an_account_that_is_not_ours_owns_nothing() {
    let fixture = Fixture::new();
    fixture.accounts.plant("suite-shop");
    assert!(fixture.rules().ensure(&shop()).await.unwrap());
    assert_eq!(fixture.owner_of(20500).await, None);
}

#[tokio::test]
async fn rules_that_cannot_be_in_force_are_said_so() {
    let fixture = Fixture::new();
    fixture
        .firewall
        .faults
        .fail_next("ensure_loopback", Faults::broken("change the firewall"));
    let failure = fixture.owners().await.ensure(&shop()).await.unwrap_err();
    assert_eq!(
        failure.message,
        "cannot change the firewall: the test wants it so"
    );
    assert!(!fixture.file().exists());
}

#[tokio::test]
async fn a_service_gets_an_account_and_its_callers_may_connect_and_not_answer() {
    let fixture = Fixture::new();
    let service = |text: &str| PortUser::Service(ServiceName::try_from(text.to_owned()).unwrap());
    let (redis, rest) = (service("suite-shop.production.redis"), service("redis-rest"));
    fixture.accounts.plant("postgres");
    let callers = [PortUser::Project(project("suite-shop")), rest.clone()].into();
    let picture = [
        (5432, open(PortUser::Account("postgres".into()))),
        (5433, open(PortUser::Account("nobody-here".into()))),
        (
            15000,
            PortUse {
                answers: redis,
                callers: Callers::These(callers),
            },
        ),
        (19999, open(rest)),
    ];
    fixture.owners().await.ensure(&picture.into()).await.unwrap();
    let Seen::Intact(rules) = fixture.firewall.observe().await.unwrap().loopback else {
        panic!("no rules are in force");
    };
    let shop = fixture
        .accounts
        .observe(&project("suite-shop"))
        .await
        .unwrap()
        .unwrap();
    let (redis, rest) = (rules.owners[&15000], rules.owners[&19999]);
    assert_eq!(
        rules.owners.keys().copied().collect::<Vec<_>>(),
        [5432, 15000, 19999]
    );
    assert_eq!(rules.callers, [(15000, shop.uid), (15000, rest)].into());
    assert_eq!(rules.open, [5432, 19999].into());
    assert!(redis != rest && redis != shop.uid);
    // In the range of add-ons and everybody's all the same; PostgreSQL's own port is left to whoever opened it.
    let script = rules.script();
    assert!(script.contains("set guarded { type inet_service; flags interval; elements = { 8001-8999, 15000-19999, 20000-31999 }; }"));
}

fn open(answers: PortUser) -> PortUse {
    PortUse {
        answers,
        callers: Callers::Everybody,
    }
}
