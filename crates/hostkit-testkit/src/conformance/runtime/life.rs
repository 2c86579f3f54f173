//! How programs end and begin again.

use std::time::Duration;

use hostkit_core::log::LogStream;
use hostkit_core::manifest::StopSignal;
use hostkit_core::size::{ByteSize, Span};

use super::*;

/// A line that leaves a daemon in a session of its own, as far away as it can get, and notes its process id.
fn daemon(file: &Path) -> String {
    let file = file.display();
    format!(
        "(setsid sh -c 'trap \"\" TERM HUP; echo $$ > {file}; while :; do sleep 600; done' &); while ! [ -s {file} ]; do sleep 0.01; done"
    )
}

async fn pid_in(file: &Path) -> u32 {
    whole_file(file)
        .await
        .trim()
        .parse()
        .unwrap_or_else(|e| panic!("{e}"))
}

/// It is started again and again, counted, and said to be in a crash loop; the exit code is kept.
pub async fn crashes_are_followed_by_restarts_and_a_crash_loop(fixture: &dyn RuntimeFixture) {
    let runtime = fixture.runtime();
    let wanted = line("shop", "web", 1, "echo started; exit 7");
    ensure(&*runtime, &wanted).await;
    let looping = instance_when(&*runtime, &wanted.id, "it is in a crash loop", |i| {
        i.state == InstanceState::CrashLoop
    })
    .await;
    assert!(looping.restarts >= 2, "{looping:?}");
    let exit = looping.last_exit.unwrap_or_else(|| panic!("no exit"));
    assert_eq!(
        (exit.code, exit.signal, exit.out_of_memory),
        (Some(7), None, false)
    );
    instance_when(&*runtime, &wanted.id, "it is started again all the same", |i| {
        i.restarts > looping.restarts
    })
    .await;
    // Still one instance, for whoever asks, and it can be ended at any time.
    assert_eq!(ensure(&*runtime, &wanted).await.len(), 1);
    remove(&*runtime, &wanted.id).await;
}

/// A signal is not an exit code.
pub async fn signals_are_recorded_as_such(fixture: &dyn RuntimeFixture) {
    let runtime = fixture.runtime();
    let wanted = line("shop", "web", 1, "kill -9 $$");
    ensure(&*runtime, &wanted).await;
    let ended = instance_when(&*runtime, &wanted.id, "it was killed", |i| i.last_exit.is_some()).await;
    let exit = ended.last_exit.unwrap_or_else(|| panic!("no exit"));
    assert_eq!(
        (exit.code, exit.signal, exit.out_of_memory),
        (None, Some(9), false)
    );
}

/// The memory of all children counts.
pub async fn too_much_memory_is_recorded_as_such(fixture: &dyn RuntimeFixture) {
    let runtime = fixture.runtime();
    // `tail` keeps what may be its last line: all of it.
    let mut wanted = line(
        "shop",
        "web",
        1,
        "(head -c 400000000 /dev/zero; sleep 600) | tail; sleep 600",
    );
    wanted.memory = Some(ByteSize::mib(64));
    let started = ensure(&*runtime, &wanted).await;
    assert!(started[0].memory.is_some());
    let ended = instance_when(&*runtime, &wanted.id, "it was killed for memory", |i| {
        i.last_exit.as_ref().is_some_and(|e| e.out_of_memory)
    })
    .await;
    assert_eq!(
        ended.last_exit.map(|e| e.to_string()),
        Some("killed: used more than its memory limit of 64MB".into())
    );
}

/// The signal that was asked for reaches the program, and its last words are kept.
pub async fn the_stop_signal_is_honoured(fixture: &dyn RuntimeFixture) {
    let runtime = fixture.runtime();
    let ready = fixture.scratch().join("ready");
    let text = format!(
        "trap 'echo got INT; exit 0' INT; echo on > {}; while :; do sleep 0.05; done",
        ready.display()
    );
    let mut wanted = line("shop", "web", 1, &text);
    wanted.stop.signal = StopSignal::Int;
    ensure(&*runtime, &wanted).await;
    whole_file(&ready).await;
    remove(&*runtime, &wanted.id).await;
    let printed = lines(&*runtime, &wanted.id.environment, LogQuery::default()).await;
    assert!(
        printed
            .iter()
            .any(|l| l.text == "got INT" && l.stream == LogStream::Out),
        "{printed:?}"
    );
}

/// After the grace there is no asking any more.
pub async fn what_ignores_the_signal_is_killed(fixture: &dyn RuntimeFixture) {
    let runtime = fixture.runtime();
    let ready = fixture.scratch().join("ready");
    let text = format!(
        "trap '' TERM; echo on > {}; while :; do sleep 0.05; done",
        ready.display()
    );
    let mut wanted = line("shop", "web", 1, &text);
    wanted.stop.grace = Span(Duration::from_millis(300));
    let pid = ensure(&*runtime, &wanted).await[0].pid.unwrap_or_default();
    whole_file(&ready).await;
    remove(&*runtime, &wanted.id).await;
    assert!(!runs(pid));
}

/// Nothing gets away, also what left the session and ignores signals.
pub async fn daemons_are_ended_with_their_instance(fixture: &dyn RuntimeFixture) {
    let runtime = fixture.runtime();
    let file = fixture.scratch().join("daemon");
    let mut wanted = line("shop", "web", 1, &format!("{}; sleep 600", daemon(&file)));
    wanted.stop.grace = Span(Duration::from_millis(300));
    ensure(&*runtime, &wanted).await;
    let pid = pid_in(&file).await;
    assert!(runs(pid));
    remove(&*runtime, &wanted.id).await;
    assert!(!runs(pid));
}

/// A program that crashes does not leave children that hold its port.
pub async fn daemons_are_ended_with_their_crashed_program(fixture: &dyn RuntimeFixture) {
    let runtime = fixture.runtime();
    let file = fixture.scratch().join("daemon");
    let kept = fixture.scratch().join("kept");
    let text = format!(
        "test -s {1} && exec sleep 600; {0}; cp {2} {1}; exit 1",
        daemon(&file),
        kept.display(),
        file.display()
    );
    let wanted = line("shop", "web", 1, &text);
    ensure(&*runtime, &wanted).await;
    let again = instance_when(&*runtime, &wanted.id, "it runs again", |i| {
        is_running(i) && i.restarts > 0
    })
    .await;
    assert_eq!(again.last_exit.and_then(|e| e.code), Some(1));
    is_gone(pid_in(&kept).await).await;
}

/// It gets a new program at once, whatever the pause was, and no crash is counted.
pub async fn a_restart_is_not_a_crash(fixture: &dyn RuntimeFixture) {
    let runtime = fixture.runtime();
    let wanted = line("shop", "web", 1, "sleep 600");
    let before = ensure(&*runtime, &wanted).await.remove(0);
    runtime
        .restart(&before.id)
        .await
        .unwrap_or_else(|e| panic!("{e}"));
    let after = instance_when(&*runtime, &wanted.id, "it runs", is_running).await;
    assert_ne!(after.pid, before.pid);
    assert_eq!((after.restarts, after.address), (0, before.address));
    is_gone(before.pid.unwrap_or_default()).await;
}
