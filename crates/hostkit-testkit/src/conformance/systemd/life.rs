//! How units start, run and end.

use hostkit_core::kind::Kind;
use hostkit_host::systemd::{Ending, LoadState, Signal, UnitResult, Whom};

use super::*;

/// Starting what runs is nothing, stopping what does not neither.
pub async fn a_unit_starts_once_and_stops_once(fixture: &dyn SystemdFixture) {
    let (systemd, name) = (fixture.systemd(), service_name(fixture, "web"));
    install(&*systemd, &name, &sleeper()).await;
    ok(systemd.start(&name).await);
    let first = status(&*systemd, &name).await;
    assert_eq!(
        (&first.load, &first.active, &first.result),
        (&LoadState::Loaded, &ActiveState::Active, &UnitResult::Success)
    );
    assert!(
        first.is_running() && first.started_at.is_some() && first.last_exit.is_none(),
        "{first:?}"
    );
    assert!(first.control_group.is_some() && first.main_pid.is_some());
    ok(systemd.start(&name).await);
    assert_eq!(status(&*systemd, &name).await.main_pid, first.main_pid);
    let listed = ok(systemd.list(&prefix(fixture)).await);
    assert_eq!(listed[0].active, ActiveState::Active);
    ok(systemd.stop(&name).await);
    let last = status(&*systemd, &name).await;
    assert_eq!((last.active, last.main_pid), (ActiveState::Inactive, None));
    ok(systemd.stop(&name).await);
}

/// Also what does not run is started by a restart.
pub async fn a_restart_is_a_new_process(fixture: &dyn SystemdFixture) {
    let (systemd, name) = (fixture.systemd(), service_name(fixture, "web"));
    install(&*systemd, &name, &sleeper()).await;
    ok(systemd.restart(&name).await);
    let before = status(&*systemd, &name).await;
    ok(systemd.restart(&name).await);
    let after = status(&*systemd, &name).await;
    assert!(after.is_running() && after.main_pid.is_some());
    assert_ne!(after.main_pid, before.main_pid);
    assert_eq!(after.restarts, 0, "nothing crashed");
}

/// Its absence is an answer where it is asked for, and a failure where it is needed.
pub async fn what_nobody_knows_is_said_so(fixture: &dyn SystemdFixture) {
    let (systemd, name) = (fixture.systemd(), service_name(fixture, "nobody"));
    let found = status(&*systemd, &name).await;
    assert_eq!(
        (&found.load, &found.active),
        (&LoadState::NotFound, &ActiveState::Inactive)
    );
    for failure in [
        refused(systemd.start(&name).await),
        refused(systemd.restart(&name).await),
        refused(systemd.signal(&name, Whom::Main, Signal::SIGTERM).await),
    ] {
        assert_eq!(failure.kind, Kind::NotFound, "{failure}");
        assert!(failure.message.contains(name.as_str()), "{failure}");
    }
    assert_eq!(
        ok(systemd.list(&prefix(fixture)).await),
        [],
        "asking made no unit"
    );
}

/// The failure says which unit, why, and what to read.
pub async fn what_cannot_be_executed_names_the_unit_and_where_to_read_more(fixture: &dyn SystemdFixture) {
    let (systemd, name) = (fixture.systemd(), service_name(fixture, "web"));
    install(&*systemd, &name, &unit("/no/such/program", &[])).await;
    let failure = refused(systemd.start(&name).await);
    assert_eq!(failure.kind, Kind::Failed);
    assert_eq!(
        failure.message,
        format!("cannot start `{name}`: its program cannot be executed")
    );
    assert_eq!(failure.hint, Some(format!("journalctl -u {name}")));
    let found = status(&*systemd, &name).await;
    assert_eq!(
        (&found.active, &found.result),
        (&ActiveState::Failed, &UnitResult::ExitCode)
    );
    assert_eq!(found.last_exit.map(|exit| exit.ending), Some(Ending::Exited(203)));
    ok(systemd.reset_failed(&name).await);
    assert_eq!(status(&*systemd, &name).await.active, ActiveState::Inactive);
}

/// How it ended is told after its end, until somebody says that it is known.
pub async fn exit_codes_are_kept_until_reset(fixture: &dyn SystemdFixture) {
    let (systemd, name) = (fixture.systemd(), service_name(fixture, "web"));
    install(&*systemd, &name, &unit("/bin/sh", &["-c", "exit 7"])).await;
    // It may end before it counts as started.
    let _ = systemd.start(&name).await;
    let found = status_when(&*systemd, &name, "ended", |status| {
        status.active == ActiveState::Failed
    })
    .await;
    assert_eq!((&found.result, found.main_pid), (&UnitResult::ExitCode, None));
    assert_eq!(found.last_exit.map(|exit| exit.ending), Some(Ending::Exited(7)));
    let listed = ok(systemd.list(&prefix(fixture)).await);
    assert_eq!(listed[0].active, ActiveState::Failed);
    ok(systemd.reset_failed(&name).await);
    let found = status(&*systemd, &name).await;
    assert_eq!(
        (found.active, found.result),
        (ActiveState::Inactive, UnitResult::Success)
    );
}

/// A signal reaches the program; being killed is not an exit code.
pub async fn signals_end_it_and_are_told(fixture: &dyn SystemdFixture) {
    let (systemd, name) = (fixture.systemd(), service_name(fixture, "web"));
    install(&*systemd, &name, &sleeper()).await;
    for whom in [Whom::Main, Whom::All] {
        ok(systemd.start(&name).await);
        ok(systemd.signal(&name, whom, Signal::SIGKILL).await);
        let found = status_when(&*systemd, &name, "ended", |status| {
            status.active == ActiveState::Failed
        })
        .await;
        assert_eq!(found.result, UnitResult::Signal);
        assert_eq!(
            found.last_exit.map(|exit| exit.ending),
            Some(Ending::Signalled(9))
        );
        assert!(!found.result.eq(&UnitResult::OomKill));
        let failure = refused(systemd.signal(&name, whom, Signal::SIGKILL).await);
        assert_eq!(failure.kind, Kind::NotFound, "{failure}");
        ok(systemd.reset_failed(&name).await);
    }
}

/// What is kept running is started again, and how often is told.
pub async fn restarts_are_counted(fixture: &dyn SystemdFixture) {
    let (systemd, name) = (fixture.systemd(), service_name(fixture, "web"));
    let kept = sleeper()
        .section(Section::Service)
        .word("Restart", "always")
        .word("RestartSec", "50ms")
        .section(Section::Unit)
        .word("StartLimitIntervalSec", 0);
    install(&*systemd, &name, &kept).await;
    ok(systemd.start(&name).await);
    for round in 1..=3 {
        let before = status(&*systemd, &name).await;
        ok(systemd.signal(&name, Whom::Main, Signal::SIGKILL).await);
        let after = status_when(&*systemd, &name, "runs again", |status| {
            status.restarts == round && status.is_running() && status.main_pid.is_some()
        })
        .await;
        assert_ne!(after.main_pid, before.main_pid);
    }
    ok(systemd.stop(&name).await);
    assert!(is_down(&status(&*systemd, &name).await));
}

/// A unit whose file somebody removed while it ran is not lost sight of.
pub async fn a_unit_without_its_file_is_found_and_stopped(fixture: &dyn SystemdFixture) {
    let (systemd, name) = (fixture.systemd(), service_name(fixture, "web"));
    install(&*systemd, &name, &sleeper()).await;
    ok(systemd.start(&name).await);
    ok(systemd.remove_file(&name).await);
    ok(systemd.reload().await);
    let listed = ok(systemd.list(&prefix(fixture)).await);
    assert_eq!(listed.len(), 1);
    assert!(
        !listed[0].has_file && listed[0].active == ActiveState::Active,
        "{listed:?}"
    );
    assert!(status(&*systemd, &name).await.is_running());
    ok(systemd.stop(&name).await);
    eventually("it is forgotten", || async {
        ok(systemd.list(&prefix(fixture)).await).is_empty().then_some(())
    })
    .await;
}

/// `shop` is not `shopping`.
pub async fn names_that_begin_alike_are_kept_apart(fixture: &dyn SystemdFixture) {
    let systemd = fixture.systemd();
    let (shop, shopping) = (
        service_name(fixture, "shop.web"),
        service_name(fixture, "shopping.web"),
    );
    for name in [&shop, &shopping] {
        install(&*systemd, name, &sleeper()).await;
        ok(systemd.start(name).await);
    }
    let listed = ok(systemd.list(&format!("{}shop.", prefix(fixture))).await);
    assert_eq!(listed.iter().map(|unit| &unit.name).collect::<Vec<_>>(), [&shop]);
    assert_eq!(ok(systemd.list(&prefix(fixture)).await).len(), 2);
    // A prefix is a text, whatever it would mean as a pattern.
    for pattern in ["hostkit-*", "hostkit-[a-z]", "*"] {
        assert_eq!(ok(systemd.list(pattern).await), []);
    }
}

/// Nothing is kept by the caller.
pub async fn a_second_view_sees_the_same(fixture: &dyn SystemdFixture) {
    let name = service_name(fixture, "web");
    install(&*fixture.systemd(), &name, &sleeper()).await;
    ok(fixture.systemd().start(&name).await);
    let (one, two) = (fixture.systemd(), fixture.systemd());
    assert_eq!(
        status(&*one, &name).await.main_pid,
        status(&*two, &name).await.main_pid
    );
    ok(two.stop(&name).await);
    assert!(is_down(&status(&*one, &name).await));
}
