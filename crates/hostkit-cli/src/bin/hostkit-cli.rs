//! The command line as a process of its own, for tests of pipes, exit codes and start-up time. Local mode is not there.
use hostkit_cli::local::Hooks;
use hostkit_core::kind::{Failure, Kind};

fn main() -> std::process::ExitCode {
    let hooks = Hooks {
        up: |options| Err(Failure::new(Kind::Unavailable, format!("cannot run here: {options:?}")).into()),
        down: |data| match data.join("down").exists() {
            true => Ok(format!("stopped HostKit for `{}`", data.display())),
            false => Err(Failure::new(Kind::NotFound, "HostKit is not up").into()),
        },
        control: |_| Ok(()),
        proxy: |_| Ok(()),
    };
    hostkit_cli::run(std::env::args_os().collect(), hooks).into()
}
