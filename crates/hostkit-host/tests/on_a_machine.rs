//! The real systemd, through the suite of everything that speaks to one. As root, on a machine of its own: lane `host`.
#![allow(clippy::unwrap_used)] // Only inside `#[test]` functions does clippy know that this is a test.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use hostkit_host::files;
use hostkit_host::systemd::{Bus, Systemd, UnitFiles, Units};
use hostkit_testkit::conformance::systemd::SystemdFixture;
use hostkit_testkit::{systemd_everywhere, systemd_programs};

struct Fixture {
    bus: Bus,
    prefix: String,
    scratch: PathBuf,
}

impl Fixture {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("test-{}-{number}", std::process::id());
        // Not below `/tmp`: units may have one of their own.
        let scratch = Path::new("/srv").join(&prefix);
        files::create_folder(&scratch, 0o755).unwrap();
        Fixture {
            bus: Bus::system(),
            prefix,
            scratch,
        }
    }
}

impl SystemdFixture for Fixture {
    fn systemd(&self) -> Arc<dyn Systemd> {
        Arc::new(self.bus.clone())
    }

    fn prefix(&self) -> &str {
        &self.prefix
    }

    fn scratch(&self) -> &Path {
        &self.scratch
    }
}

/// Also a test that fails leaves no unit.
impl Drop for Fixture {
    fn drop(&mut self) {
        let prefix = format!("hostkit-{}.", self.prefix);
        let ended = std::thread::spawn(move || {
            let threads = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            threads.block_on(async {
                // A connection of its own: that of the test ends with the test's runtime.
                let bus = Bus::system();
                for unit in bus.list(&prefix).await.unwrap() {
                    bus.signal(
                        &unit.name,
                        hostkit_host::systemd::Whom::All,
                        hostkit_host::systemd::Signal::SIGKILL,
                    )
                    .await
                    .ok();
                    bus.stop(&unit.name).await.ok();
                    bus.reset_failed(&unit.name).await.unwrap();
                    bus.disable(&unit.name).await.unwrap();
                    bus.remove_file(&unit.name).await.unwrap();
                }
                bus.reload().await.unwrap();
            });
        });
        ended.join().unwrap();
        files::remove_tree(&self.scratch).unwrap();
    }
}

systemd_everywhere!(Fixture::new(), #[ignore = "lane host: runs on a machine of its own"]);
systemd_programs!(Fixture::new(), #[ignore = "lane host: runs on a machine of its own"]);
