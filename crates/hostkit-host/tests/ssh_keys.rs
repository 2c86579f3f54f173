//! Files of keys on the disk, with whoever runs the tests in the place of root.
#![allow(clippy::unwrap_used)] // Only inside `#[test]` functions does clippy know that this is a test.

use std::sync::Arc;

use hostkit_core::traits::OperatorKeys;
use hostkit_host::accounts::Account;
use hostkit_host::ssh_keys::{AuthorizedKeys, KeysOfOperators, SshKeys};
use hostkit_testkit::conformance::operator_keys::OperatorKeysFixture;
use hostkit_testkit::conformance::ssh_keys::SshKeysFixture;
use hostkit_testkit::{operator_keys_tests, ssh_keys_tests};
use nix::unistd::{getegid, geteuid};

struct Fixture(tempfile::TempDir);

impl Fixture {
    fn new() -> Self {
        let homes = tempfile::tempdir().unwrap();
        for project in ["shop", "shop-2"] {
            std::fs::create_dir_all(homes.path().join(project).join(".ssh")).unwrap();
        }
        Fixture(homes)
    }
}

impl SshKeysFixture for Fixture {
    fn ssh_keys(&self) -> Arc<dyn SshKeys> {
        let root = Account {
            uid: geteuid().as_raw(),
            gid: getegid().as_raw(),
        };
        Arc::new(AuthorizedKeys::below(self.0.path(), root))
    }
}

ssh_keys_tests!([cfg(test)], Fixture::new());

mod of_operators {
    use super::*;

    impl OperatorKeysFixture for Fixture {
        fn operator_keys(&self) -> Arc<dyn OperatorKeys> {
            Arc::new(KeysOfOperators::new(self.ssh_keys()))
        }
    }

    operator_keys_tests!([cfg(test)], Fixture::new());
}
