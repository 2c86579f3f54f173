//! Unit files, aliases, and what starts with the machine.

use hostkit_core::kind::Kind;

use super::*;

/// Whoever asks for what is there already is told that nothing changed.
pub async fn a_file_is_written_once_and_says_so(fixture: &dyn SystemdFixture) {
    let (systemd, name) = (fixture.systemd(), service_name(fixture, "web"));
    assert!(ok(systemd.ensure_file(&name, &sleeper()).await));
    assert!(!ok(systemd.ensure_file(&name, &sleeper()).await));
    let changed = sleeper().section(Section::Service).word("Nice", 5);
    assert!(ok(systemd.ensure_file(&name, &changed).await));
    let listed = ok(systemd.list(&prefix(fixture)).await);
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert!(listed[0].has_file && listed[0].name == name && !listed[0].is_there());
    assert!(ok(systemd.remove_file(&name).await));
    assert!(!ok(systemd.remove_file(&name).await));
    assert_eq!(ok(systemd.list(&prefix(fixture)).await), []);
}

/// Half a file, or one with a line that nobody asked for, never comes into being.
pub async fn what_cannot_be_written_changes_nothing(fixture: &dyn SystemdFixture) {
    let (systemd, name) = (fixture.systemd(), service_name(fixture, "web"));
    ok(systemd.ensure_file(&name, &sleeper()).await);
    for text in ["two\nUser=root", "zero\0", "joined\\", ""] {
        let hostile = sleeper().section(Section::Unit).text("Documentation", text);
        let failure = refused(systemd.ensure_file(&name, &hostile).await);
        assert_eq!(failure.kind, Kind::Invalid);
    }
    assert!(
        !ok(systemd.ensure_file(&name, &sleeper()).await),
        "it is as it was"
    );
}

/// A name stands for one unit, then for another, and is gone without either.
pub async fn an_alias_moves_in_one_step(fixture: &dyn SystemdFixture) {
    let systemd = fixture.systemd();
    let [old, new, alias] = ["old", "new", "alias"].map(|part| service_name(fixture, part));
    for name in [&old, &new] {
        ok(systemd.ensure_file(name, &sleeper()).await);
    }
    assert_eq!(ok(systemd.alias_target(&alias).await), None);
    assert!(ok(systemd.point_alias(&alias, &old).await));
    assert!(!ok(systemd.point_alias(&alias, &old).await));
    ok(systemd.reload().await);
    assert_eq!(status(&*systemd, &alias).await.name, old);
    assert!(ok(systemd.point_alias(&alias, &new).await));
    assert_eq!(ok(systemd.alias_target(&alias).await), Some(new.clone()));
    ok(systemd.reload().await);
    assert_eq!(status(&*systemd, &alias).await.name, new);
    let listed = ok(systemd.list(&prefix(fixture)).await);
    let names: Vec<&UnitName> = listed.iter().map(|unit| &unit.name).collect();
    assert_eq!(names, [&new, &old], "an alias is no unit of its own");
    assert!(ok(systemd.remove_alias(&alias).await));
    assert!(!ok(systemd.remove_alias(&alias).await));
    ok(systemd.reload().await);
    assert_eq!(
        status(&*systemd, &alias).await.load,
        hostkit_host::systemd::LoadState::NotFound
    );
}

/// What is a unit itself is neither replaced by an alias nor removed as one; a service is no slice.
pub async fn an_alias_takes_no_unit_s_place(fixture: &dyn SystemdFixture) {
    let systemd = fixture.systemd();
    let [one, two] = ["one", "two"].map(|part| service_name(fixture, part));
    for name in [&one, &two] {
        ok(systemd.ensure_file(name, &sleeper()).await);
    }
    let failure = refused(systemd.point_alias(&one, &two).await);
    assert_eq!(failure.kind, Kind::Conflict);
    assert!(!ok(systemd.remove_alias(&one).await));
    assert!(
        !ok(systemd.ensure_file(&one, &sleeper()).await),
        "it is as it was"
    );
    let slice = UnitName::slice(&[fixture.prefix()]).unwrap_or_else(|e| panic!("{e}"));
    let failure = refused(systemd.point_alias(&slice, &one).await);
    assert_eq!(failure.kind, Kind::Invalid);
}

/// It is enabled as long as somebody wants it, also when its file went first.
pub async fn enabling_can_be_repeated_and_taken_back(fixture: &dyn SystemdFixture) {
    let (systemd, name) = (fixture.systemd(), service_name(fixture, "web"));
    let failure = refused(systemd.enable(&name).await);
    assert_eq!(failure.kind, Kind::NotFound, "{failure}");
    assert!(failure.message.contains(name.as_str()), "{failure}");
    install(&*systemd, &name, &sleeper()).await;
    assert!(!status(&*systemd, &name).await.is_enabled);
    assert!(ok(systemd.enable(&name).await));
    assert!(!ok(systemd.enable(&name).await));
    ok(systemd.reload().await);
    assert!(status(&*systemd, &name).await.is_enabled);
    assert!(ok(systemd.disable(&name).await));
    assert!(!ok(systemd.disable(&name).await));
    ok(systemd.reload().await);
    assert!(!status(&*systemd, &name).await.is_enabled);
    ok(systemd.enable(&name).await);
    ok(systemd.remove_file(&name).await);
    assert!(ok(systemd.disable(&name).await), "nothing of it is left behind");
}

/// Removing is idempotent from the first time on.
pub async fn what_is_not_there_is_removed_already(fixture: &dyn SystemdFixture) {
    let (systemd, name) = (fixture.systemd(), service_name(fixture, "nobody"));
    assert!(!ok(systemd.remove_file(&name).await));
    assert!(!ok(systemd.remove_alias(&name).await));
    assert!(!ok(systemd.disable(&name).await));
    ok(systemd.stop(&name).await);
    ok(systemd.reset_failed(&name).await);
    assert_eq!(ok(systemd.list(&prefix(fixture)).await), []);
}
