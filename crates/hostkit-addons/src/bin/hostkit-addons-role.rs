//! A binary that is nothing but the roles services are kept running by, for tests.

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    ExitCode::from(hostkit_host::roles::dispatch(&args).map_or(64, |code| code as u8))
}
