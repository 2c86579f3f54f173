//! A binary that is nothing but the roles of `hostkit-host`, for the tests of this crate.

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    ExitCode::from(hostkit_host::roles::dispatch(&args).unwrap_or(64) as u8)
}
