//! Records that somebody else may have put there.

use std::os::unix::fs::symlink;

use super::*;

pub(super) fn spec(folder: &Path) -> LaunchSpec {
    LaunchSpec {
        id: "shop.production.web.42.1".to_owned(),
        release: Some(ReleaseName::parse("20250215-120000").unwrap()),
        program: "sleep".into(),
        arguments: vec!["600".into()],
        variables: vec!["PATH".into()],
        directory: "/".into(),
        address: None,
        stop: StopRule::default(),
        memory: None,
        restart: RestartRule::default(),
        output_log: folder.join("app.log"),
        error_log: folder.join("error.log"),
        state: folder.to_path_buf(),
        asked: folder.join("asked"),
    }
}

#[test]
fn a_record_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(RunRecord::read(folder.path()), RunRecord::default());
    let record = RunRecord {
        crashes: 3,
        crashed_at: Some("2026-01-01T00:00:00Z".parse().unwrap()),
        ..RunRecord::default()
    };
    record.write(folder.path()).unwrap();
    assert_eq!(RunRecord::read(folder.path()), record);
    let rule = RestartRule::default();
    assert_eq!(
        record.pause_ends(&rule),
        Some("2026-01-01T00:00:02Z".parse().unwrap())
    );
    assert_eq!(record.state(&rule), InstanceState::Backoff);
    assert_eq!(
        RunRecord { crashes: 5, ..record }.state(&rule),
        InstanceState::CrashLoop
    );
}

#[test]
fn what_a_program_puts_in_place_of_its_record_is_not_followed_and_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().join(RECORD_FILE);
    let elsewhere = folder.path().join("elsewhere");
    std::fs::write(&elsewhere, r#"{"crashes":9}"#).unwrap();
    symlink(&elsewhere, &record).unwrap();
    assert_eq!(RunRecord::read(folder.path()), RunRecord::default());
    std::fs::remove_file(&record).unwrap();
    nix::unistd::mkfifo(&record, nix::sys::stat::Mode::S_IRUSR).unwrap();
    assert_eq!(RunRecord::read(folder.path()), RunRecord::default());
    std::fs::remove_file(&record).unwrap();
    std::fs::File::create(&record).unwrap().set_len(1 << 40).unwrap();
    assert_eq!(RunRecord::read(folder.path()), RunRecord::default());
    for text in ["", "[]", "{\"crashes\":-1}", "\u{0}"] {
        std::fs::write(&record, text).unwrap();
        assert_eq!(RunRecord::read(folder.path()), RunRecord::default(), "{text:?}");
    }
    // Numbers that make no sense do no harm.
    std::fs::write(
        &record,
        r#"{"crashes":4294967295,"crashed_at":"9999-12-30T00:00:00Z","last_exit":null,"memory_kills":null}"#,
    )
    .unwrap();
    let read = RunRecord::read(folder.path());
    assert_eq!(read.state(&RestartRule::default()), InstanceState::CrashLoop);
    let _ = read.pause_ends(&RestartRule::default());
}

#[test]
fn lines_of_an_instance_and_of_a_service_say_whose_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let mut spec = spec(folder.path());
    assert_eq!(spec.writer(), "web.42.1");
    for service in ["shop.production.redis", "redis-rest"] {
        spec.id = service.to_owned();
        assert_eq!(spec.writer(), service);
    }
}
