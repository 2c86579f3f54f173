//! The keys in memory pass what the real ones must.

use std::sync::Arc;

use hostkit_host::ssh_keys::SshKeys;
use hostkit_testkit::conformance::ssh_keys::SshKeysFixture;
use hostkit_testkit::fakes::FakeSshKeys;
use hostkit_testkit::ssh_keys_tests;

#[derive(Default)]
struct Fixture(FakeSshKeys);

impl SshKeysFixture for Fixture {
    fn ssh_keys(&self) -> Arc<dyn SshKeys> {
        Arc::new(self.0.clone())
    }
}

ssh_keys_tests!([cfg(test)], Fixture::default());
