//! A binary that is nothing but the roles of `hostkit-host` and that of this crate, for its tests.

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    let code = match args.get(1).and_then(|role| role.to_str()) {
        Some("build") => hostkit_builders::apart::run_worker(),
        _ => hostkit_host::roles::dispatch(&args).unwrap_or(64),
    };
    ExitCode::from(code as u8)
}
