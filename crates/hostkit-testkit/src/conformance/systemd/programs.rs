//! What programs get, byte for byte. As root, on a machine of its own.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};

use hostkit_core::names::VariableName;
use hostkit_core::secret::Secret;
use hostkit_core::size::ByteSize;
use hostkit_host::systemd::{Ending, UnitResult, environment_file};
use hostkit_host::terminal::Terminal;

use super::*;
use crate::conformance::runtime::corpus;

/// Arguments that mean something to somebody on the way.
fn arguments() -> Vec<String> {
    let mut all = corpus();
    all.extend(
        [
            "%n",
            "%%",
            "%",
            "${HOME}",
            "$HOME",
            "a$b",
            "$$$",
            ";",
            "\\;",
            "\\x41",
            "'a b'",
            "@x",
            "-x",
            ":x",
            "+x",
            "!x",
            "\u{feff}x",
            "\u{85}\u{2028}\u{a0}",
            "\u{1b}[31m",
            "a\\",
        ]
        .map(str::to_owned),
    );
    all
}

/// Values that mean something to somebody on the way, and long ones.
fn values() -> Variables {
    let mut all = arguments();
    all.push("x".repeat(64 * 1024));
    all.push("'\"\\\n$`".repeat(8 * 1024));
    all.push(" both sides ".to_owned());
    all.into_iter()
        .enumerate()
        .map(|(at, value)| (variable(&format!("V{at}")), Secret::new(value)))
        .collect()
}

fn variable(name: &str) -> VariableName {
    VariableName::parse(name).unwrap_or_else(|e| panic!("{e}"))
}

/// Zero-separated texts, as `/proc` has them.
fn texts(bytes: &[u8]) -> Vec<String> {
    let mut all: Vec<String> = bytes
        .split(|byte| *byte == 0)
        .map(|text| String::from_utf8(text.to_vec()).unwrap_or_else(|e| panic!("{e}")))
        .collect();
    assert_eq!(all.pop().as_deref(), Some(""), "every one ends with a zero");
    all
}

fn environment_of(pid: u32) -> BTreeMap<String, String> {
    let bytes = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_else(|e| panic!("{e}"));
    texts(&bytes)
        .into_iter()
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or_else(|| panic!("{pair:?}"));
            (name.to_owned(), value.to_owned())
        })
        .collect()
}

fn arguments_of(pid: u32) -> Vec<String> {
    texts(&std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_else(|e| panic!("{e}")))
}

/// A shell that leaves its arguments alone and goes on.
fn keeper() -> Vec<String> {
    let mut all = vec!["-c".to_owned(), "while :; do sleep 600; done".to_owned()];
    all.extend(arguments());
    all
}

fn plain(variables: &Variables) -> BTreeMap<String, String> {
    variables
        .iter()
        .map(|(name, value)| (name.to_string(), value.reveal().to_owned()))
        .collect()
}

async fn pid_of(systemd: &dyn Systemd, name: &UnitName) -> u32 {
    let status = status(systemd, name).await;
    status.main_pid.unwrap_or_else(|| panic!("{status:?}"))
}

/// Through the text of a unit file.
pub async fn arguments_arrive_byte_for_byte_from_a_file(fixture: &dyn SystemdFixture) {
    let (systemd, name) = (fixture.systemd(), service_name(fixture, "web"));
    let file = UnitFile::new()
        .section(Section::Service)
        .word("Type", "exec")
        .command("ExecStart", "/bin/sh", &keeper());
    install(&*systemd, &name, &file).await;
    ok(systemd.start(&name).await);
    let seen = arguments_of(pid_of(&*systemd, &name).await);
    assert_eq!(seen[0], "/bin/sh");
    assert_eq!(seen[1..], keeper());
}

/// Through the bus.
pub async fn arguments_arrive_byte_for_byte_without_a_file(fixture: &dyn SystemdFixture) {
    let (systemd, name) = (fixture.systemd(), service_name(fixture, "build"));
    let mut unit = transient(&name, "/bin/sh", &[]);
    unit.arguments = keeper();
    let _run = ok(systemd.start_transient(unit).await);
    let seen = arguments_of(pid_of(&*systemd, &name).await);
    assert_eq!(seen[1..], keeper());
}

/// Through `EnvironmentFile=`, and nothing of systemd's own beside it.
pub async fn variables_arrive_byte_for_byte_and_alone_from_a_file(fixture: &dyn SystemdFixture) {
    let (systemd, name) = (fixture.systemd(), service_name(fixture, "web"));
    let path = fixture.scratch().join("variables.env");
    let variables = values();
    assert!(ok(environment_file::ensure(&path, &variables)));
    let unset = environment_file::to_unset(&variables, []);
    let file = sleeper()
        .section(Section::Service)
        .environment_file(&path)
        .words("UnsetEnvironment", unset);
    install(&*systemd, &name, &file).await;
    ok(systemd.start(&name).await);
    let seen = environment_of(pid_of(&*systemd, &name).await);
    for (at, value) in plain(&variables) {
        assert_eq!(seen.get(&at), Some(&value), "{at}");
    }
    assert_eq!(seen, plain(&variables));
}

/// Without any file.
pub async fn variables_arrive_byte_for_byte_and_alone_without_a_file(fixture: &dyn SystemdFixture) {
    let (systemd, name) = (fixture.systemd(), service_name(fixture, "build"));
    let mut unit = transient(&name, "/bin/sleep", &["600"]);
    unit.variables = values();
    unit.variables.insert(variable("PATH"), Secret::new("/only/mine"));
    let expected = plain(&unit.variables);
    let _run = ok(systemd.start_transient(unit).await);
    let seen = environment_of(pid_of(&*systemd, &name).await);
    assert_eq!(seen, expected);
    // A program without variables has none.
    let name = service_name(fixture, "bare");
    let _run = ok(systemd
        .start_transient(transient(&name, "/bin/sleep", &["600"]))
        .await);
    assert_eq!(environment_of(pid_of(&*systemd, &name).await), BTreeMap::new());
}

/// Any account may ask systemd for every property of a unit, and read what it writes below `/run/systemd`.
pub async fn a_secret_is_nowhere_to_be_asked_for(fixture: &dyn SystemdFixture) {
    let (systemd, name) = (fixture.systemd(), service_name(fixture, "build"));
    let canary = "hk-canary-3fQ9";
    let mut unit = transient(&name, "/bin/sleep", &["600"]);
    unit.variables.insert(variable("SECRET"), Secret::new(canary));
    let _run = ok(systemd.start_transient(unit).await);
    let shown = machine::run(&["systemctl", "show", "--all", name.as_str()]);
    assert!(shown.contains("/bin/sleep"), "{shown}");
    let written = machine::run(&["systemctl", "cat", name.as_str()]);
    assert!(written.contains("/bin/sleep"), "{written}");
    for text in [&shown, &written] {
        assert!(!text.contains(canary));
    }
    let found = machine::run_any(&["grep", "-rla", canary, "/run"]);
    assert_eq!(found, "", "it is in a file");
}

/// Files, pipes and sockets of the caller become the program's own.
pub async fn streams_are_passed_on(fixture: &dyn SystemdFixture) {
    let (systemd, name) = (fixture.systemd(), service_name(fixture, "build"));
    let pipe = || std::io::pipe().unwrap_or_else(|e| panic!("{e}"));
    let ((input, mut to), (mut output, out), (mut errors, err)) = (pipe(), pipe(), pipe());
    let mut unit = transient(&name, "/bin/sh", &["-c", "cat; echo to errors >&2"]);
    unit.streams = Streams::Files {
        input: Some(OwnedFd::from(input)),
        output: Some(OwnedFd::from(out)),
        errors: Some(OwnedFd::from(err)),
    };
    let mut run = ok(systemd.start_transient(unit).await);
    std::io::Write::write_all(&mut to, b"said\0\xff").unwrap_or_else(|e| panic!("{e}"));
    drop(to);
    assert_eq!(ok(soon("it ends", run.wait()).await).ending, Ending::Exited(0));
    // Their ends come only when nobody else holds the other side: neither systemd nor we.
    let mut seen = (Vec::new(), Vec::new());
    output.read_to_end(&mut seen.0).unwrap_or_else(|e| panic!("{e}"));
    errors.read_to_end(&mut seen.1).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(seen, (b"said\0\xff".to_vec(), b"to errors\n".to_vec()));
}

/// It becomes the controlling terminal, so that keys are signals.
pub async fn a_terminal_is_passed_on(fixture: &dyn SystemdFixture) {
    let (systemd, name) = (fixture.systemd(), service_name(fixture, "build"));
    let (ours, theirs) = Terminal::open(24, 80).unwrap_or_else(|e| panic!("{e}"));
    let path =
        std::fs::read_link(format!("/proc/self/fd/{}", theirs.as_raw_fd())).unwrap_or_else(|e| panic!("{e}"));
    let mut unit = transient(&name, "/bin/sh", &["-c", "tty; exec sleep 600"]);
    unit.streams = Streams::Terminal(path.clone());
    let mut run = ok(systemd.start_transient(unit).await);
    let mut said = String::new();
    soon("it says where it is", async {
        while !said.contains('\n') {
            let mut bytes = [0; 256];
            let count = ours.read(&mut bytes).await.unwrap_or_else(|e| panic!("{e}"));
            said.push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
    })
    .await;
    assert!(said.contains(&path.display().to_string()), "{said:?}");
    ours.write_all(b"\x03").await.unwrap_or_else(|e| panic!("{e}"));
    let end = ok(soon("the key ends it", run.wait()).await);
    assert_eq!(end.ending, Ending::Signalled(2));
    drop(theirs);
}

/// With that account's groups and nobody's rights.
pub async fn it_runs_as_its_account(fixture: &dyn SystemdFixture) {
    let (systemd, name) = (fixture.systemd(), service_name(fixture, "build"));
    let (mut output, out) = std::io::pipe().unwrap_or_else(|e| panic!("{e}"));
    let mut unit = transient(&name, "/usr/bin/id", &["-un"]);
    unit.account = Some("nobody".to_owned());
    unit.streams = Streams::Files {
        input: None,
        output: Some(OwnedFd::from(out)),
        errors: None,
    };
    let mut run = ok(systemd.start_transient(unit).await);
    assert_eq!(ok(soon("it ends", run.wait()).await).ending, Ending::Exited(0));
    let mut seen = String::new();
    output.read_to_string(&mut seen).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(seen, "nobody\n");
    drop(run);
    let mut unit = transient(&name, "/usr/bin/id", &["-un"]);
    unit.account = Some("no-such-account".to_owned());
    let failure = refused(systemd.start_transient(unit).await);
    assert!(
        failure.message.contains("its account does not exist"),
        "{failure}"
    );
}

/// What the whole unit uses counts. That it was the memory is said where systemd knows it (control groups of version 2).
pub async fn too_much_memory_ends_it(fixture: &dyn SystemdFixture) {
    let (systemd, name) = (fixture.systemd(), service_name(fixture, "build"));
    // `tail` keeps what may be its last line: all of it.
    let mut unit = transient(&name, "/usr/bin/tail", &["/dev/zero"]);
    unit.limits.memory = Some(ByteSize::mib(64));
    let mut run = ok(systemd.start_transient(unit).await);
    let end = ok(soon("it is ended", run.wait()).await);
    let is_known = end.result == UnitResult::OomKill;
    let expected = if is_known {
        Ending::OutOfMemory
    } else {
        Ending::Signalled(9)
    };
    assert_eq!(end.ending, expected, "{end:?}");
}
