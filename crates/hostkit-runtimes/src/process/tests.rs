//! Shared by the unit tests of this folder.

use std::time::{Duration, SystemTime};

use hostkit_core::manifest::{Command, StopRule};
use hostkit_core::names::{EnvironmentName, ProcessName, ProjectName, ReleaseName, VariableName};
use hostkit_core::secret::Secret;

use super::*;

pub(crate) fn workload(project: &str, process: &str, deployment: u64) -> Workload {
    Workload {
        id: WorkloadId {
            environment: EnvironmentId::new(
                ProjectName::parse(project).unwrap(),
                EnvironmentName::production(),
            ),
            process: ProcessName::parse(process).unwrap(),
            deployment,
        },
        release: ReleaseName::parse("20250215-120000").unwrap(),
        count: 1,
        command: Command::Line("sleep 60".into()),
        directory: "/".into(),
        variables: [(VariableName::parse("PATH").unwrap(), Secret::new("/usr/bin:/bin"))].into(),
        port_variable: VariableName::parse("PORT").ok(),
        stop: StopRule::default(),
        memory: None,
        cpus: None,
    }
}

#[test]
fn logs_of_gone_instances_end_by_age_and_size_and_no_others() {
    let data = tempfile::tempdir().unwrap();
    let layout = Layout::new(data.path());
    let id = |number| InstanceId {
        workload: workload("shop", "web", 1).id,
        number,
    };
    for number in [1, 2, 3, 12] {
        let path = logs::file_of(&layout, &id(number));
        files_with(&path, "0123456789");
    }
    let live = InstanceFolder::new(&layout, &id(1));
    std::fs::create_dir_all(&live.path).unwrap();
    let old = SystemTime::now() - Duration::from_secs(3600);
    for number in [1, 2] {
        let file = std::fs::File::options()
            .write(true)
            .open(logs::file_of(&layout, &id(number)))
            .unwrap();
        file.set_modified(old).unwrap();
    }
    let there = |number| logs::file_of(&layout, &id(number)).exists();
    let environment = id(1).workload.environment;
    let keep = LogKeep {
        age: Duration::from_secs(60),
        bytes: 1000,
    };
    logs::prune(&layout, &environment, keep).unwrap();
    assert_eq!(
        [there(1), there(2), there(3), there(12)],
        [true, false, true, true]
    );
    logs::prune(&layout, &environment, LogKeep { bytes: 10, ..keep }).unwrap();
    assert_eq!([there(1), there(2), there(3) != there(12)], [true, false, true]);
}

fn files_with(path: &std::path::Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}
