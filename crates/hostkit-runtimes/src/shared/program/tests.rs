//! Words and environments.

use hostkit_core::names::VariableName;
use hostkit_core::secret::Secret;

use super::*;
use crate::process::tests::workload;

fn words(command: Command) -> Vec<String> {
    let mut workload = workload("shop", "web", 1);
    workload.command = command;
    let launch = launch(&workload, Some(([127, 0, 0, 1], 20123).into()));
    std::iter::once(launch.program).chain(launch.arguments).collect()
}

#[test]
fn port_and_host_are_filled_in_and_nothing_else() {
    let arguments = [
        "app",
        "--port=$PORT",
        "${PORT}",
        "$HOST:$PORT",
        "$PORTAL",
        "a$$b",
        "${X",
        "$",
        "${HOME}",
        "$X$PORT",
    ];
    let found = words(Command::Arguments(
        arguments.iter().map(|a| (*a).to_owned()).collect(),
    ));
    assert_eq!(
        found,
        [
            "app",
            "--port=20123",
            "20123",
            "127.0.0.1:20123",
            "$PORTAL",
            "a$$b",
            "${X",
            "$",
            "${HOME}",
            "$X20123"
        ]
    );
}

#[test]
fn plain_lines_replace_the_shell() {
    for (line, expected) in [
        ("sleep 5 --x=$PORT", "exec sleep 5 --x=$PORT"),
        ("cd app", "cd app"),
        ("A=1 sleep 5", "A=1 sleep 5"),
        ("sleep 5 && sleep 6", "sleep 5 && sleep 6"),
        ("sleep 'a b'", "sleep 'a b'"),
        ("no-such-program", "no-such-program"),
    ] {
        assert_eq!(words(Command::Line(line.into())), ["/bin/sh", "-c", expected]);
    }
}

#[test]
fn a_program_without_a_port_is_told_none() {
    let mut workload = workload("shop", "worker", 1);
    workload.port_variable = None;
    workload
        .variables
        .insert(VariableName::parse("A").unwrap(), Secret::new("$PORT"));
    let launch = launch(&workload, None);
    assert_eq!(launch.environment["A"], "$PORT");
    assert!(!launch.environment.contains_key("PORT") && !launch.environment.contains_key("HOST"));
}
