//! Repository checks and chores: `cargo xtask tidy`, `layers`, `packages`, `fixtures`, `timings`.
//! The checks are tests of this package as well, so that `cargo test` runs them.

// A chore talks to the person who started it.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod finding;
mod fixtures;
mod layers;
mod metadata;
mod packages;
mod tidy;
mod timings;
mod tree;

use std::process::ExitCode;

use anyhow::{Result, bail};

use finding::Level;

const USAGE: &str = "\
usage: cargo xtask CHORE

  check      all of the next four
  tidy       sizes, headers, names and texts of the files in this repository
  layers     which crate may import which
  packages   banned packages, owners of heavy ones, licences (the lists are in deny.toml)
  fixtures   every sample app says what it shows and what to expect
  timings    how long a build takes: from nothing, after a change at the bottom, at the top, of nothing
";

fn main() -> ExitCode {
    let chore = std::env::args().nth(1).unwrap_or_default();
    match run(&chore) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether the repository passed.
fn run(chore: &str) -> Result<bool> {
    let findings = match chore {
        "check" => {
            let mut all = tidy::check()?;
            all.extend(layers::check()?);
            all.extend(packages::check()?);
            all.extend(fixtures::check()?);
            all
        }
        "tidy" => tidy::check()?,
        "layers" => layers::check()?,
        "packages" => packages::check()?,
        "fixtures" => fixtures::check()?,
        "timings" => return timings::run().map(|()| true),
        "" | "help" | "--help" | "-h" => {
            print!("{USAGE}");
            return Ok(true);
        }
        other => bail!("there is no chore `{other}`\n{USAGE}"),
    };
    for finding in &findings {
        println!("{finding}");
    }
    let failed = findings
        .iter()
        .filter(|finding| finding.level == Level::Fail)
        .count();
    println!("{chore}: {failed} to mend, {} to watch", findings.len() - failed);
    Ok(failed == 0)
}
