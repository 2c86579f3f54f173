//! Owners of ports: the suite on a real machine, with its accounts and its packet filter.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use async_trait::async_trait;
use hostkit_core::names::ProjectName;
use hostkit_core::port_use::PortUse;
use hostkit_core::traits::PortOwners;
use hostkit_host::accounts::{Accounts, LinuxAccounts};
use hostkit_host::firewall::{Firewall, Nft, Seen};
use hostkit_host::port_owners::PortRules;
use hostkit_testkit::conformance::port_owners::{PortOwnersFixture, project};
use hostkit_testkit::port_owners_tests;

const USED: [&str; 2] = ["suite-shop", "suite-blog"];

struct Fixture {
    folder: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        Fixture {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("ports.nft")
    }
}

fn nft(arguments: &[&str]) {
    let ended = Command::new("nft").args(arguments).output().unwrap();
    assert!(ended.status.success(), "{ended:?}");
}

#[async_trait]
impl PortOwnersFixture for Fixture {
    async fn owners(&self) -> Arc<dyn PortOwners> {
        for name in USED {
            let _ = LinuxAccounts.ensure(&project(name)).await.unwrap();
        }
        Arc::new(PortRules::of_this_machine(self.file()))
    }

    async fn owner_of(&self, port: u16) -> Option<ProjectName> {
        let Seen::Intact(rules) = Nft.observe().await.unwrap().loopback else {
            return None;
        };
        LinuxAccounts.project_of(*rules.owners.get(&port)?).await.unwrap()
    }

    async fn disturb(&self) {
        nft(&["flush", "chain", "inet", "hostkit", "loopback"]);
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = Command::new("nft")
            .args(["delete", "table", "inet", "hostkit"])
            .output();
        for name in USED.iter().chain(&["hostkit-proxy"]) {
            let _ = Command::new("userdel").args(["--", name]).output();
        }
    }
}

port_owners_tests!(
    [ignore = "lane host: runs on a machine of its own"],
    Fixture::new()
);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "lane host: runs on a machine of its own"]
async fn the_file_puts_the_same_rules_in_force_that_were() {
    let fixture = Fixture::new();
    let used = |name: &str| PortUse::of_project(project(name));
    let ports = [(8001, used("suite-shop")), (20500, used("suite-blog"))].into();
    fixture.owners().await.ensure(&ports).await.unwrap();
    let before = Nft.observe().await.unwrap().loopback;
    assert!(matches!(before, Seen::Intact(_)), "{before:?}");
    nft(&["delete", "table", "inet", "hostkit"]);
    nft(&["--file", fixture.file().to_str().unwrap()]);
    assert_eq!(Nft.observe().await.unwrap().loopback, before);
    assert!(!fixture.owners().await.ensure(&ports).await.unwrap());
}
