//! A look at whether limits of systemd units hold on a machine. Where they do not, systemd says nothing, and every test of
//! a limit would prove nothing.

use super::boot::Machine;

/// Fails unless MemoryMax and TasksMax are enforced, and unless the same programs run well without them.
pub(super) fn check(machine: &Machine) {
    let takes_memory = [
        "dd",
        "if=/dev/zero",
        "of=/dev/null",
        "bs=96M",
        "count=1",
        "status=none",
    ];
    let forks = ["sh", "-c", "(exec true) & (exec true) & wait"];
    let run = |property: &str, program: &[&str]| {
        let mut arguments = vec![
            "systemd-run",
            "--quiet",
            "--wait",
            "--collect",
            "--property",
            property,
        ];
        arguments.extend(program);
        machine.exec(&arguments)
    };
    run("MemoryMax=1G", &takes_memory).ok();
    run("TasksMax=100", &forks).ok();
    let memory = run("MemoryMax=16M", &takes_memory);
    let tasks = run("TasksMax=1", &forks);
    let held = |code: i32| if code == 0 { "NOT enforced" } else { "enforced" };
    assert!(
        memory.code != 0 && tasks.code != 0,
        "cannot test on this machine: MemoryMax is {}, TasksMax is {}\nhint: look at \
         `crates/hostkit-testkit/src/machine/init.sh`, which makes the host's cgroups usable inside",
        held(memory.code),
        held(tasks.code),
    );
}
