//! Commands under a guard: real processes, started by the real role.
#![allow(clippy::unwrap_used)] // Only inside `#[test]` functions does clippy know that this is a test.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use hostkit_core::kind::Kind;
use hostkit_core::log::LogStream;
use hostkit_core::size::ByteSize;
use hostkit_host::command::{Ending, Guard, Job, Limits, Wiring};
use hostkit_host::processes;
use hostkit_host::roles::SelfProgram;
use hostkit_host::terminal::Terminal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn guard() -> Guard {
    Guard::new(SelfProgram::at(env!("CARGO_BIN_EXE_hostkit-role")))
}

fn shell(line: &str) -> Job {
    Job {
        program: "/bin/sh".into(),
        arguments: vec!["-c".into(), line.into()],
        environment: BTreeMap::from([("PATH".into(), std::env::var("PATH").unwrap())]),
        directory: "/".into(),
        limits: Limits::default(),
    }
}

async fn lines(job: &Job) -> (Ending, Vec<(LogStream, String)>) {
    let mut lines = Vec::new();
    let ending = guard()
        .run(job, &mut |stream, line| lines.push((stream, line.to_owned())))
        .await
        .unwrap();
    (ending, lines)
}

/// Reads a process id that a test program wrote, once it is whole.
async fn pid_in(path: &Path) -> u32 {
    for _ in 0..2000 {
        if let Ok(text) = std::fs::read_to_string(path)
            && text.ends_with('\n')
        {
            return text.trim().parse().unwrap();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("nobody wrote {}", path.display());
}

async fn is_gone(pid: u32) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while processes::stat(pid).is_some_and(|s| s.state != 'Z') {
        assert!(Instant::now() < deadline, "process {pid} still runs");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn lines_streams_and_endings_are_told() {
    let (ending, lines) = lines(&shell("echo one; echo two >&2; printf three; exit 3")).await;
    assert_eq!(ending, Ending::Exited(3));
    let of = |wanted| -> Vec<&str> {
        lines
            .iter()
            .filter(|(s, _)| *s == wanted)
            .map(|(_, l)| l.as_str())
            .collect()
    };
    assert_eq!(of(LogStream::Out), ["one", "three"]);
    assert_eq!(of(LogStream::Err), ["two"]);
    let (ending, _) = self::lines(&shell("kill -TERM $$")).await;
    assert_eq!(ending, Ending::Signalled(15));
    assert_eq!(ending.code(), 143);
}

#[tokio::test]
async fn the_environment_is_exact() {
    let mut job = shell("");
    job.program = "env".into();
    job.arguments = vec!["-0".into()];
    job.environment
        .insert("ODD".into(), "$ $$ ' \" \\ # = \u{1f600}\nsecond line".into());
    let expected: Vec<String> = job.environment.iter().map(|(k, v)| format!("{k}={v}")).collect();
    let (ending, lines) = lines(&job).await;
    assert_eq!(ending, Ending::Exited(0), "{lines:?}");
    let text: Vec<String> = lines.into_iter().map(|(_, line)| line).collect();
    let text = text.join("\n");
    let mut found: Vec<&str> = text.split_terminator('\0').collect();
    found.sort();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn what_cannot_be_started_is_refused_with_the_reason() {
    let mut job = shell("");
    job.program = "no-such-program".into();
    let failure = guard().run(&job, &mut |_, _| {}).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Failed);
    assert_eq!(
        failure.message,
        "cannot start `no-such-program`: it was not found in PATH"
    );
}

#[tokio::test]
async fn a_time_limit_ends_it_with_all_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let pid_file = folder.path().join("pid");
    let mut job = shell(&format!(
        "setsid sh -c 'echo $$ > {}; exec sleep 300' & sleep 300",
        pid_file.display()
    ));
    job.limits.time = Some(Duration::from_secs(1));
    let (ending, _) = lines(&job).await;
    assert_eq!(ending, Ending::TimedOut);
    is_gone(pid_in(&pid_file).await).await;
}

#[tokio::test]
async fn a_memory_limit_counts_children_too() {
    let mut job = shell("python3 -c \"x = b'x' * 200_000_000; import time; time.sleep(60)\"; echo after");
    job.limits.memory = Some(ByteSize::mib(100));
    let (ending, lines) = lines(&job).await;
    assert_eq!((ending, lines), (Ending::OutOfMemory, vec![]));
}

#[tokio::test]
async fn daemons_left_behind_are_gone_when_the_command_ends() {
    let folder = tempfile::tempdir().unwrap();
    let pid_file = folder.path().join("pid");
    let line = format!(
        "(setsid sh -c 'echo $$ > {0}; exec sleep 300' &) ; while ! [ -s {0} ]; do sleep 0.01; done; echo done",
        pid_file.display()
    );
    let (ending, lines) = lines(&shell(&line)).await;
    assert_eq!(ending, Ending::Exited(0));
    assert_eq!(lines, [(LogStream::Out, "done".to_owned())]);
    is_gone(pid_in(&pid_file).await).await;
}

#[tokio::test]
async fn dropping_it_kills_everything() {
    let folder = tempfile::tempdir().unwrap();
    let pid_file = folder.path().join("pid");
    let line = format!(
        "setsid sh -c 'echo $$ > {}; exec sleep 300' & wait",
        pid_file.display()
    );
    let running = guard().start(&shell(&line), Wiring::Pipes).await.unwrap();
    let (outer, inner) = (running.pid, pid_in(&pid_file).await);
    drop(running);
    is_gone(outer).await;
    is_gone(inner).await;
}

#[tokio::test]
async fn input_is_passed_on_and_closed() {
    let mut running = guard()
        .start(&shell("cat; echo end"), Wiring::PipesWithInput)
        .await
        .unwrap();
    let mut input = running.input.take().unwrap();
    input.write_all(b"hello\n").await.unwrap();
    drop(input);
    let mut text = String::new();
    running
        .output
        .take()
        .unwrap()
        .read_to_string(&mut text)
        .await
        .unwrap();
    assert_eq!(text, "hello\nend\n");
    assert_eq!(running.wait().await.unwrap(), Ending::Exited(0));
}

#[tokio::test]
async fn input_that_is_a_file_can_be_opened_anew_and_from_its_beginning() {
    let mut file = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut file, b"kept").unwrap();
    let job = shell("cat /proc/self/fd/0; (cat /proc/self/fd/0)");
    let mut running = guard()
        .start(&job, Wiring::PipesWithFile(file.into()))
        .await
        .unwrap();
    assert!(running.input.is_none());
    let (mut text, mut output) = (String::new(), running.output.take().unwrap());
    output.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "keptkept");
    assert_eq!(running.wait().await.unwrap(), Ending::Exited(0));
}

#[tokio::test]
async fn a_terminal_is_one_and_knows_its_size() {
    let (terminal, end) = Terminal::open(33, 77).unwrap();
    let job = shell("test -t 0 && test -t 1 && stty size; read line; echo got $line; stty size");
    let running = guard().start(&job, Wiring::Terminal(end)).await.unwrap();
    terminal.resize(44, 88);
    terminal.write_all(b"word\n").await.unwrap();
    let (mut text, mut bytes) = (Vec::new(), [0; 1024]);
    loop {
        match terminal.read(&mut bytes).await.unwrap() {
            0 => break,
            count => text.extend_from_slice(&bytes[..count]),
        }
    }
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("got word") && text.contains("44 88"), "{text}");
    assert_eq!(running.wait().await.unwrap(), Ending::Exited(0));
}

#[tokio::test]
async fn output_of_a_hundred_thousand_lines_is_whole() {
    let (ending, lines) = lines(&shell(
        "i=0; while [ $i -lt 100000 ]; do echo line $i; i=$((i+1)); done",
    ))
    .await;
    assert_eq!(ending, Ending::Exited(0));
    assert_eq!(lines.len(), 100_000);
    assert_eq!(lines[99_999].1, "line 99999");
}

#[tokio::test]
async fn a_killed_guard_takes_its_command_along() {
    let running = guard()
        .start(&shell("exec sleep 300"), Wiring::Pipes)
        .await
        .unwrap();
    let pid = running.pid;
    let guard = processes::stat(pid).unwrap().parent;
    processes::signal(guard, nix::sys::signal::Signal::SIGKILL);
    is_gone(pid).await;
    assert!(running.wait().await.is_err());
}

#[tokio::test]
async fn a_guard_that_is_killed_leaves_nothing_and_holds_nobody_up() {
    // The inner shell is no child of the guard: the kernel does not end it with the guard.
    let job = shell("echo $PPID; sh -c 'sleep 600; true' & echo $!; wait");
    let mut told = Vec::new();
    let guard = guard();
    let mut hear = |_: LogStream, line: &str| {
        told.push(line.parse::<u32>().unwrap());
        if let [guard, _] = told[..] {
            processes::signal(guard, nix::sys::signal::Signal::SIGKILL);
        }
    };
    let failure = tokio::time::timeout(Duration::from_secs(30), guard.run(&job, &mut hear))
        .await
        .unwrap()
        .unwrap_err();
    assert!(failure.message.contains("its guard is gone"), "{failure}");
    is_gone(told[1]).await;
}
