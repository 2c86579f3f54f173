//! Units as they are written.

use hostkit_core::manifest::StopRule;
use hostkit_core::names::ReleaseName;
use hostkit_core::size::{ByteSize, Span};
use hostkit_host::shim::RestartRule;

use super::*;

pub(super) fn spec(id: &str) -> LaunchSpec {
    let id = InstanceId::try_from(id.to_owned()).unwrap();
    LaunchSpec {
        release: ReleaseName::parse("20250215-120000").ok(),
        program: "/bin/sh".into(),
        arguments: vec!["-c".into(), "exec node server.js $PORT \"%n\"".into()],
        variables: vec!["PATH".into(), "PORT".into()],
        directory: "/home/shop/releases/20250215-120000".into(),
        address: None,
        stop: StopRule::default(),
        memory: Some(ByteSize::mib(64)),
        restart: RestartRule::default(),
        output_log: "/var/log/projects/shop/app.log".into(),
        error_log: "/var/log/projects/shop/error.log".into(),
        state: format!("/run/{}", state_folder(&id)).into(),
        asked: "/run/hostkit/asked/x".into(),
        id: id.to_string(),
    }
}

fn places() -> Places {
    Places {
        home: "/home/shop".into(),
        visible: vec!["/home/shop".into()],
        writable: vec![
            "/home/shop/shared".into(),
            "/home/shop/.cache".into(),
            "/var/log/projects/shop".into(),
            "/home/shop/releases/20250215-120000".into(),
        ],
        hidden: vec!["/home/shop/environments".into(), "/home/shop/.ssh".into()],
    }
}

fn text(spec: &LaunchSpec, places: &Places) -> String {
    let folder = Path::new("/var/lib/hostkit/projects/shop/environments/production/instances").join(&spec.id);
    let id = InstanceId::try_from(spec.id.clone()).unwrap();
    let plan = UnitPlan {
        id: &id,
        spec,
        program: Path::new("/usr/bin/hostkit"),
        spec_file: &folder.join("spec.json"),
        variable_files: &[folder.join("variables.env"), folder.join("address.env")],
        places,
        limits: &UnitLimits {
            memory: spec.memory,
            cpu_percent: Some(150),
            tasks: Some(512),
            ..UnitLimits::default()
        },
    };
    file(&plan).unwrap().render().unwrap()
}

#[test]
fn the_unit_of_an_instance_is_as_decided() {
    let found = text(&spec("shop.production.web.42.1"), &places());
    if std::env::var_os("HOSTKIT_BLESS").is_some() {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/systemd/unit/instance.service");
        std::fs::write(golden, &found).unwrap();
    }
    assert_eq!(found, include_str!("instance.service"));
}

#[test]
fn the_unit_shows_no_command_and_no_variable_of_the_project() {
    let mut spec = spec("shop.production.web.42.1");
    spec.arguments = vec!["--token=canary-7c1f\nExecStartPre=/bin/evil".into()];
    let found = text(&spec, &places());
    assert!(!found.contains("canary") && !found.contains("evil"));
}

#[test]
fn the_stop_rule_is_systemds() {
    let mut spec = spec("shop.production.web.42.1");
    spec.stop = StopRule {
        signal: StopSignal::Int,
        grace: Span(std::time::Duration::from_millis(4500)),
    };
    let found = text(&spec, &places());
    assert!(
        found.contains("\nKillSignal=SIGINT\n") && found.contains("\nTimeoutStopSec=4500ms\n"),
        "{found}"
    );
}

#[test]
fn names_mean_one_instance_and_nothing_else() {
    let id = InstanceId::try_from("shop.production.web.42.1".to_owned()).unwrap();
    let name = name_of(&id).unwrap();
    assert_eq!(name.as_str(), "hostkit-shop.production.web.42.1.service");
    assert_eq!(instance_of(&name), Some(id));
    for other in [
        "hostkit-shop.service",
        "hostkit-control.service",
        "hostkit-shop.production.run-00ff.service",
        "hostkit-shop.production.web.042.1.service",
        "hostkit-shop.production.web.42.1.slice",
    ] {
        assert_eq!(instance_of(&UnitName::parse(other).unwrap()), None, "{other}");
    }
}

#[test]
fn another_environments_program_sees_its_own_folder_alone() {
    let staging = Places {
        home: "/home/shop/environments/staging".into(),
        visible: vec!["/home/shop/environments/staging".into()],
        writable: vec![
            "/home/shop/environments/staging/shared".into(),
            "/home/shop/.cache".into(),
        ],
        hidden: Vec::new(),
    };
    let found = text(&spec("shop.staging.web.42.1"), &staging);
    assert!(
        found.contains(
            "\nBindReadOnlyPaths=/home/shop/environments/staging:/home/shop/environments/staging\n"
        ),
        "{found}"
    );
    assert!(
        found.contains("\nBindPaths=/home/shop/.cache:/home/shop/.cache\n"),
        "{found}"
    );
    assert!(
        found.contains("\nReadWritePaths=/home/shop/environments/staging/shared\n"),
        "{found}"
    );
}

#[test]
fn folders_that_are_not_there_are_left_out() {
    let root = tempfile::tempdir().unwrap();
    let layout = Layout::server_below(root.path());
    let id = InstanceId::try_from("shop.production.web.42.1".to_owned()).unwrap();
    let id = &id.workload.environment;
    let release = layout.releases(id).join("20250215-120000");
    std::fs::create_dir_all(release.join("app")).unwrap();
    std::fs::create_dir_all(layout.shared(id)).unwrap();
    let found = Places::of(&layout, id, &release.join("app"));
    assert_eq!(found.writable, [layout.shared(id), release]);
    let elsewhere = Places::of(&layout, id, Path::new("/"));
    assert_eq!(elsewhere.writable, [layout.shared(id)]);
}
