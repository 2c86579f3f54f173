use hostkit_core::backup::target::{S3Settings, TargetSettings};
use hostkit_core::names::{EnvironmentName, ProjectName};
use hostkit_core::secret::Secret;

use super::*;
use crate::tests::Bench;

fn shop(bench: &Bench) -> EnvironmentId {
    let project = ProjectName::parse("shop").unwrap();
    bench.store.create_project(&project).unwrap();
    EnvironmentId::new(project, EnvironmentName::production())
}

#[test]
fn a_number_is_never_used_again_whatever_becomes_of_the_backup_and_of_the_project() {
    let bench = Bench::new();
    let (store, id) = (&bench.store, shop(&bench));
    let begin = |floor| store.begin_backup(&id, Cause::Asked, "memory", floor).unwrap();
    let first = begin(0);
    assert_eq!((first.number, begin(0).number, begin(9).number), (1, 2, 10));
    store.forget_backup(&id, 10).unwrap();
    store.complete_backup(&first, &[]).unwrap();
    store.begin_delete(&id.project).unwrap();
    store.finish_delete(&id.project).unwrap();
    assert_eq!(store.backup(&id, 1).unwrap().state, BackupState::Complete);
    store.create_project(&id.project).unwrap();
    assert_eq!(begin(0).number, 11);
}

#[test]
fn a_backup_that_could_not_be_tried_again_stays_proven() {
    let bench = Bench::new();
    let (store, id) = (&bench.store, shop(&bench));
    let backup = store.begin_backup(&id, Cause::Schedule, "memory", 0).unwrap();
    let failure = Failure::new(hostkit_core::kind::Kind::Unavailable, "cannot try: no");
    let complete = store.complete_backup(&backup, &[]).unwrap();
    let untried = store.tried_backup(&complete, Some(&failure)).unwrap();
    assert_eq!(
        (untried.state, untried.failure.as_ref()),
        (BackupState::Complete, Some(&failure))
    );
    let proven = store.tried_backup(&untried, None).unwrap();
    assert_eq!((proven.state, &proven.failure), (BackupState::Proven, &None));
    assert_eq!(
        store.tried_backup(&proven, Some(&failure)).unwrap().state,
        BackupState::Proven
    );
    assert_eq!(
        store.damaged_backup(&proven, &failure).unwrap().state,
        BackupState::Damaged
    );
}

#[test]
fn the_target_is_sealed_and_the_kit_is_noted() {
    let bench = Bench::new();
    let store = &bench.store;
    assert_eq!(store.backup_target().unwrap(), None);
    let secret = Secret::new("canary-3f1b");
    let s3 = S3Settings::new("https://s3.example.com", "backups", None, "r", "id", secret);
    let target = TargetSettings::S3(s3.unwrap());
    store.set_backup_target(&target).unwrap();
    store.note_kit("confirmed", Some("abcd"), "cli").unwrap();
    assert_eq!(store.backup_target().unwrap(), Some(target));
    assert_eq!(store.confirmed_kit().unwrap().as_deref(), Some("abcd"));
    store.note_kit("shown", None, "cli").unwrap();
    assert_eq!(store.confirmed_kit().unwrap().as_deref(), Some("abcd"));
    for file in std::fs::read_dir(bench.layout().data()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap_or_default();
        assert!(!bytes.windows(11).any(|window| window == b"canary-3f1b"));
    }
}
