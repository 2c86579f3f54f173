//! Premises: the suite on a real machine, with all that a project has there.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use async_trait::async_trait;
use hostkit_core::names::ProjectName;
use hostkit_core::traits::Premises;
use hostkit_host::premises::LinuxPremises;
use hostkit_testkit::conformance::premises::PremisesFixture;
use hostkit_testkit::premises_tests;

struct Fixture;

const USED: [&str; 3] = ["suite-shop", "suite-shop2", "suite-taken"];

#[async_trait]
impl PremisesFixture for Fixture {
    fn premises(&self) -> Arc<dyn Premises> {
        Arc::new(LinuxPremises::of_this_machine().unwrap())
    }

    async fn disturb(&self, project: &ProjectName) {
        fs::remove_file(format!("/etc/sudoers.d/hostkit-{project}")).unwrap();
        fs::remove_dir(format!("/home/{project}/shared")).unwrap();
    }

    async fn taken(&self) -> ProjectName {
        let ended = Command::new("useradd").args(["--", "suite-taken"]).status();
        assert!(ended.unwrap().success());
        ProjectName::parse("suite-taken").unwrap()
    }

    async fn is_there(&self, project: &ProjectName) -> bool {
        let known = Command::new("getent")
            .args(["passwd", project.as_str()])
            .status()
            .unwrap()
            .success();
        let rule = format!("/etc/sudoers.d/hostkit-{project}");
        let (home, logs) = (format!("/home/{project}"), format!("/var/log/projects/{project}"));
        known || [rule, home, logs].iter().any(|place| Path::new(place).exists())
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        for name in USED.iter().chain(&["hostkit-proxy"]) {
            let _ = Command::new("userdel").args(["--", name]).output();
        }
        for name in USED {
            let _ = fs::remove_file(format!("/etc/sudoers.d/hostkit-{name}"));
            for place in ["/home", "/var/log/projects"] {
                let _ = fs::remove_dir_all(Path::new(place).join(name));
            }
        }
    }
}

premises_tests!([ignore = "lane host: runs on a machine of its own"], Fixture);
