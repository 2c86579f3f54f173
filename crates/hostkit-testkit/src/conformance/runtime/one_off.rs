//! One-off commands.

use futures_util::StreamExt;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::traits::runtime::ExecOutput;
use hostkit_core::traits::{ExecStreams, OneOff};

use super::*;

fn command(words: &[&str]) -> OneOff {
    OneOff {
        environment: environment("shop"),
        arguments: words.iter().map(|w| (*w).to_owned()).collect(),
        directory: PathBuf::from("/"),
        variables: [variable("PATH", "/usr/local/bin:/usr/bin:/bin")].into(),
        terminal: None,
    }
}

async fn start(fixture: &dyn RuntimeFixture, command: &OneOff) -> Result<ExecStreams, Failure> {
    let runtime = fixture.runtime();
    let exec = runtime
        .exec()
        .unwrap_or_else(|| panic!("this runtime runs no one-off commands"));
    exec.exec(command).await
}

/// All output, errors and the code.
async fn finish(mut streams: ExecStreams) -> (String, String, i32) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    while let Some(item) = streams.output.next().await {
        match item {
            ExecOutput::Out(bytes) => out.extend(bytes),
            ExecOutput::Err(bytes) => err.extend(bytes),
            ExecOutput::Exit(code) => {
                assert!(
                    streams.output.next().await.is_none(),
                    "something came after the end"
                );
                return (
                    String::from_utf8_lossy(&out).into(),
                    String::from_utf8_lossy(&err).into(),
                    code,
                );
            }
        }
    }
    panic!("the stream ended without an end of the command");
}

async fn started(fixture: &dyn RuntimeFixture, command: &OneOff) -> ExecStreams {
    start(fixture, command).await.unwrap_or_else(|e| panic!("{e}"))
}

/// Input in, output and errors out, the exit code or 128 and the signal at the end.
pub async fn streams_and_exit_code_are_passed_on(fixture: &dyn RuntimeFixture) {
    let mut streams = started(
        fixture,
        &command(&["/bin/sh", "-c", "cat; echo sorry >&2; exit 5"]),
    )
    .await;
    streams
        .input
        .write(b"line\n")
        .await
        .unwrap_or_else(|e| panic!("{e}"));
    streams.input.close().await.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(finish(streams).await, ("line\n".into(), "sorry\n".into(), 5));
    let streams = started(fixture, &command(&["/bin/sh", "-c", "kill -TERM $$"])).await;
    assert_eq!(finish(streams).await.2, 143);
    // Words are words: no shell looks at them.
    let streams = started(fixture, &command(&["echo", "$HOME", "; id"])).await;
    assert_eq!(finish(streams).await.0, "$HOME ; id\n");
}

/// The variables that were given, byte for byte, and no others (ACCEPTANCE A31).
pub async fn its_environment_is_exact(fixture: &dyn RuntimeFixture) {
    let mut job = command(&["env", "-0"]);
    for (at, value) in corpus().iter().enumerate() {
        job.variables.extend([variable(&format!("CORPUS_{at}"), value)]);
    }
    let (out, _, code) = finish(started(fixture, &job).await).await;
    assert_eq!(code, 0);
    let mut found: Vec<&str> = out.split_terminator('\0').collect();
    let mut expected: Vec<String> = job
        .variables
        .iter()
        .map(|(n, v)| format!("{n}={}", v.reveal()))
        .collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

/// A caller that goes away takes the command, and everything below it, along.
pub async fn it_is_killed_when_dropped(fixture: &dyn RuntimeFixture) {
    let file = fixture.scratch().join("pid");
    let script = format!(
        "setsid sh -c 'trap \"\" TERM HUP; echo $$ > {}; sleep 600' & wait",
        file.display()
    );
    let streams = started(fixture, &command(&["/bin/sh", "-c", &script])).await;
    let pid: u32 = whole_file(&file)
        .await
        .trim()
        .parse()
        .unwrap_or_else(|e| panic!("{e}"));
    assert!(runs(pid));
    drop(streams);
    is_gone(pid).await;
}

/// With a terminal the command has one, of the caller's size, and hears of a new one.
pub async fn a_terminal_is_given(fixture: &dyn RuntimeFixture) {
    let script = "test -t 0 && test -t 1 && test -t 2 && stty size; read word; stty size; echo got $word";
    let mut job = command(&["/bin/sh", "-c", script]);
    job.terminal = Some((31, 97));
    let mut streams = started(fixture, &job).await;
    let mut seen = String::new();
    while !seen.contains("31 97") {
        match streams.output.next().await {
            Some(ExecOutput::Out(bytes)) => seen.push_str(&String::from_utf8_lossy(&bytes)),
            other => panic!("{other:?} after {seen:?}"),
        }
    }
    streams.input.resize(40, 120);
    streams
        .input
        .write(b"hello\n")
        .await
        .unwrap_or_else(|e| panic!("{e}"));
    let (rest, _, code) = finish(streams).await;
    assert!(rest.contains("40 120") && rest.contains("got hello"), "{rest}");
    assert_eq!(code, 0);
}

/// A program that does not exist is the user's mistake, told at once.
pub async fn what_is_not_there_is_a_failure(fixture: &dyn RuntimeFixture) {
    let failure = start(fixture, &command(&["no-such-program"])).await.err();
    assert_eq!(failure.map(|f| f.kind), Some(Kind::Failed));
    assert_eq!(
        start(fixture, &command(&[])).await.err().map(|f| f.kind),
        Some(Kind::Invalid)
    );
}
