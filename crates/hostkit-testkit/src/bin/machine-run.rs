//! Runs a test program on a machine of its own: `machine-run PROGRAM ARGUMENT…`, as cargo starts it for the lane `host`.
//! The machine sees the folder cargo builds into, so the program finds the other programs of its package where it was told.
//! One whose name begins with `on_a_bare_machine` gets a machine as a hoster delivers it, every other one that is set up.

use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};

use hostkit_testkit::machine::{Flavour, Machine, Shown, World};

/// Where the machine sees what cargo built.
const PROGRAMS: &str = "/opt/hostkit-test";
/// All tests of one program together.
const LIMIT: Duration = Duration::from_secs(20 * 60);

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let program = arguments.next().expect("a program is named: machine-run PROGRAM");
    let program = PathBuf::from(program)
        .canonicalize()
        .expect("the program is there");
    let arguments: Vec<String> = arguments.collect();
    let code = run(&program, &arguments);
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

fn run(program: &Path, arguments: &[String]) -> i32 {
    let built = program
        .ancestors()
        .nth(2)
        .expect("cargo builds tests into a folder of its folder");
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    let flavour = if name.starts_with("on_a_bare_machine") {
        Flavour::Bare
    } else {
        Flavour::Ready
    };
    let world = World::new();
    let shown = Shown {
        from: built.to_owned(),
        at: PROGRAMS.into(),
    };
    let machine = Machine::boot_with(&world, flavour, &[shown]);
    show_under_its_own_path(&machine, built);

    let inside = format!("{PROGRAMS}/deps/{name}");
    let mut whole = vec![inside.as_str()];
    whole.extend(arguments.iter().map(String::as_str));
    let mut running = machine
        .command(&whole)
        .env("HOSTKIT_TEST_PROGRAMS", PROGRAMS)
        .env("RUST_BACKTRACE", "1")
        .stdout(Stdio::inherit())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("`nsenter` can be started");
    let started = Instant::now();
    let code = loop {
        match running.try_wait().expect("a program can be waited for") {
            Some(status) => break status.code().unwrap_or(1),
            None if started.elapsed() > LIMIT => break 124,
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    if code != 0 {
        tell(&machine, code);
    }
    drop(machine);
    running.wait().ok();
    code
}

/// Cargo tells a test at its build where the programs of its package are: that path leads there on the machine, too.
fn show_under_its_own_path(machine: &Machine, built: &Path) {
    let parent = built.parent().unwrap_or(Path::new("/")).to_string_lossy();
    machine.exec(&["mkdir", "-p", "--", &parent]).ok();
    let path = built.to_string_lossy();
    machine.exec(&["ln", "-s", "--", PROGRAMS, &path]).ok();
}

fn tell(machine: &Machine, code: i32) {
    use std::io::Write;
    let journal = machine.exec(&[
        "journalctl",
        "--boot",
        "--no-pager",
        "--lines=80",
        "--output=short-monotonic",
    ]);
    let mut error = std::io::stderr().lock();
    writeln!(
        error,
        "\n== it ended with {code}; the machine's journal\n{}",
        journal.all()
    )
    .ok();
}
