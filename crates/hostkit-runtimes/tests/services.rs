//! Services as child processes: the suite of all services, and what only these promise.
#![allow(clippy::unwrap_used)] // Only inside `#[test]` functions does clippy know that this is a test.

use std::sync::Arc;
use std::time::Duration;

use hostkit_core::layout::Layout;
use hostkit_core::size::Span;
use hostkit_core::traits::Services;
use hostkit_host::processes;
use hostkit_host::roles::SelfProgram;
use hostkit_host::shim::RestartRule;
use hostkit_runtimes::services::ProcessServices;
use hostkit_testkit::conformance::services::ServicesFixture;
use hostkit_testkit::services_tests;
use nix::sys::signal::Signal;

struct Fixture {
    data: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        Fixture {
            data: tempfile::tempdir().unwrap(),
        }
    }
}

impl ServicesFixture for Fixture {
    fn services(&self) -> Arc<dyn Services> {
        let own = SelfProgram::at(env!("CARGO_BIN_EXE_hostkit-runtimes-role"));
        let rule = RestartRule {
            first: Span(Duration::from_millis(30)),
            longest: Span(Duration::from_millis(250)),
            ..RestartRule::default()
        };
        let layout = Layout::new(self.data.path().canonicalize().unwrap());
        Arc::new(ProcessServices::new(layout, own).with_restart_rule(rule))
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
        ended.join().unwrap();
    }
}

services_tests!([cfg(test)], Fixture::new());
