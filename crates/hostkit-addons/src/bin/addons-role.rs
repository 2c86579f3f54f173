//! A binary that is nothing but the roles that services of this crate are started in, for its tests.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    if args.get(1).is_some_and(|role| role == "redis-rest") {
        let settings = args.get(2).map(Path::new).unwrap_or(Path::new(""));
        return match hostkit_addons::redis_rest::run(settings) {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                drop(std::io::Write::write_fmt(
                    &mut std::io::stderr(),
                    format_args!("{why}\n"),
                ));
                ExitCode::FAILURE
            }
        };
    }
    ExitCode::from(hostkit_host::roles::dispatch(&args).unwrap_or(64) as u8)
}
