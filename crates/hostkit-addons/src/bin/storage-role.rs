//! The role of a storage server, for tests of this crate, which has no `hostkit`: `storage-role SETTINGS`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use hostkit_addons::storage::server::{Moment, run};

fn main() -> ExitCode {
    let Some(settings) = std::env::args_os().nth(1).map(PathBuf::from) else {
        return ExitCode::from(64);
    };
    let told = |moment| {
        if let Moment::Serving(addresses) = moment {
            drop(writeln!(std::io::stdout(), "serving {addresses:?}"));
        }
    };
    match run(&settings, Vec::new(), told) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            drop(writeln!(std::io::stderr(), "{why}"));
            ExitCode::FAILURE
        }
    }
}
