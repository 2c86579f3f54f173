//! A binary that is nothing but the roles that services of this crate are started in, for its tests.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    let settings = args.get(2).map(Path::new).unwrap_or(Path::new(""));
    let ended = match args.get(1).and_then(|role| role.to_str()) {
        Some("redis-rest") => Some(hostkit_addons::redis_rest::run(settings)),
        Some("storage-server") => Some(hostkit_addons::storage::server::run(settings, Vec::new(), |_| {})),
        _ => None,
    };
    match ended {
        Some(Ok(())) => return ExitCode::SUCCESS,
        Some(Err(why)) => {
            drop(std::io::Write::write_fmt(
                &mut std::io::stderr(),
                format_args!("ERROR {why}\n"),
            ));
            return ExitCode::FAILURE;
        }
        None => {}
    }
    ExitCode::from(hostkit_host::roles::dispatch(&args).unwrap_or(64) as u8)
}
