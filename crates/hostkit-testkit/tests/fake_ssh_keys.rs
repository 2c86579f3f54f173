//! The keys in memory pass what the real ones must.

use std::sync::Arc;

use hostkit_core::traits::OperatorKeys;
use hostkit_host::ssh_keys::SshKeys;
use hostkit_testkit::conformance::operator_keys::OperatorKeysFixture;
use hostkit_testkit::conformance::ssh_keys::SshKeysFixture;
use hostkit_testkit::fakes::FakeSshKeys;
use hostkit_testkit::{operator_keys_tests, ssh_keys_tests};

#[derive(Default)]
struct Fixture(FakeSshKeys);

impl SshKeysFixture for Fixture {
    fn ssh_keys(&self) -> Arc<dyn SshKeys> {
        Arc::new(self.0.clone())
    }
}

ssh_keys_tests!([cfg(test)], Fixture::default());

mod of_operators {
    use super::*;

    impl OperatorKeysFixture for Fixture {
        fn operator_keys(&self) -> Arc<dyn OperatorKeys> {
            self.0.of_operators()
        }
    }

    operator_keys_tests!([cfg(test)], Fixture::default());
}
