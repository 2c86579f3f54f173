//! Units without a file.

use hostkit_core::kind::Kind;
use hostkit_host::systemd::{Ending, UnitResult};

use super::*;

async fn is_forgotten(systemd: &dyn Systemd, fixture: &dyn SystemdFixture) {
    eventually("nothing of it is left", || async {
        ok(systemd.list(&prefix(fixture)).await).is_empty().then_some(())
    })
    .await;
}

/// Exit codes come back as they are, and nothing stays behind, also of a failed one.
pub async fn it_ends_as_its_program_ends(fixture: &dyn SystemdFixture) {
    let (systemd, name) = (fixture.systemd(), service_name(fixture, "build"));
    for (line, code) in [("exit 0", 0), ("exit 7", 7), ("sleep 1; exit 203", 203)] {
        let unit = transient(&name, "/bin/sh", &["-c", line]);
        let mut run = ok(systemd.start_transient(unit).await);
        assert_eq!(run.name(), &name);
        let end = ok(soon("it ends", run.wait()).await);
        assert_eq!(end.ending, Ending::Exited(code));
        assert_eq!(end.result == UnitResult::Success, code == 0, "{end:?}");
        assert!(end.at.is_some());
        drop(run);
        is_forgotten(&*systemd, fixture).await;
    }
}

/// Nor is it the memory limit.
pub async fn a_signal_is_not_an_exit_code(fixture: &dyn SystemdFixture) {
    let (systemd, name) = (fixture.systemd(), service_name(fixture, "build"));
    let unit = transient(&name, "/bin/sh", &["-c", "kill -9 $$"]);
    let mut run = ok(systemd.start_transient(unit).await);
    let end = ok(soon("it ends", run.wait()).await);
    assert_eq!(end.ending, Ending::Signalled(9));
}

/// What takes too long is ended, and that is said.
pub async fn the_time_limit_ends_it(fixture: &dyn SystemdFixture) {
    let (systemd, name) = (fixture.systemd(), service_name(fixture, "build"));
    let mut unit = transient(&name, "/bin/sleep", &["600"]);
    unit.limits.time = Some(Duration::from_secs(1));
    let mut run = ok(systemd.start_transient(unit).await);
    let end = ok(soon("it ends", run.wait()).await);
    assert_eq!((end.ending, end.result), (Ending::TimedOut, UnitResult::Timeout));
}

/// Also the name is free again.
pub async fn what_cannot_be_executed_is_a_failure_and_leaves_nothing(fixture: &dyn SystemdFixture) {
    let (systemd, name) = (fixture.systemd(), service_name(fixture, "build"));
    for _ in 0..2 {
        let unit = transient(&name, "/no/such/program", &[]);
        let failure = refused(systemd.start_transient(unit).await);
        assert_eq!(failure.kind, Kind::Failed);
        assert!(
            failure.message.contains(name.as_str()) && failure.message.contains("cannot be executed"),
            "{failure}"
        );
        assert_eq!(failure.hint, Some(format!("journalctl -u {name}")));
        is_forgotten(&*systemd, fixture).await;
    }
}

/// A second one of that name is refused and does the first no harm.
pub async fn a_name_is_used_once(fixture: &dyn SystemdFixture) {
    let (systemd, name) = (fixture.systemd(), service_name(fixture, "build"));
    let unit = transient(&name, "/bin/sleep", &["600"]);
    let mut run = ok(systemd.start_transient(unit).await);
    let second = transient(&name, "/bin/sleep", &["600"]);
    let failure = refused(systemd.start_transient(second).await);
    assert_eq!(failure.kind, Kind::Conflict, "{failure}");
    assert!(status(&*systemd, &name).await.is_running());
    ok(run.stop().await);
}

/// Nobody who waits: no reason to run.
pub async fn dropped_it_is_killed(fixture: &dyn SystemdFixture) {
    let (systemd, name) = (fixture.systemd(), service_name(fixture, "build"));
    // It would not end by being asked.
    let unit = transient(
        &name,
        "/bin/sh",
        &["-c", "trap '' TERM; while :; do sleep 600; done"],
    );
    let run = ok(systemd.start_transient(unit).await);
    assert!(status(&*systemd, &name).await.is_running());
    drop(run);
    is_forgotten(&*systemd, fixture).await;
}

/// It is asked to end; that is its end.
pub async fn it_stops_when_asked(fixture: &dyn SystemdFixture) {
    let (systemd, name) = (fixture.systemd(), service_name(fixture, "build"));
    let unit = transient(&name, "/bin/sleep", &["600"]);
    let mut run = ok(systemd.start_transient(unit).await);
    ok(soon("it stops", run.stop()).await);
    let end = ok(soon("it has ended", run.wait()).await);
    assert_eq!(end.ending, Ending::Signalled(15));
    ok(run.stop().await);
}

/// The end is not lost by asking for it in vain, and is the same when asked for again.
pub async fn waiting_can_be_given_up_and_taken_up_again(fixture: &dyn SystemdFixture) {
    let (systemd, name) = (fixture.systemd(), service_name(fixture, "build"));
    let unit = transient(&name, "/bin/sleep", &["600"]);
    let mut run = ok(systemd.start_transient(unit).await);
    let given_up = tokio::time::timeout(Duration::from_millis(50), run.wait()).await;
    assert!(given_up.is_err());
    ok(systemd.stop(&name).await);
    let end = ok(soon("it has ended", run.wait()).await);
    assert_eq!(ok(run.wait().await), end);
}

/// No grace is none, not one without end.
pub async fn without_grace_it_is_killed_at_once(fixture: &dyn SystemdFixture) {
    let (systemd, name) = (fixture.systemd(), service_name(fixture, "build"));
    let mut unit = transient(
        &name,
        "/bin/sh",
        &["-c", "trap '' TERM; while :; do sleep 600; done"],
    );
    unit.stop.grace = hostkit_core::size::Span(Duration::ZERO);
    let mut run = ok(systemd.start_transient(unit).await);
    ok(soon("it stops", run.stop()).await);
    let end = ok(soon("it has ended", run.wait()).await);
    assert!(
        matches!(end.ending, Ending::Signalled(_) | Ending::TimedOut),
        "{end:?}"
    );
}
