//! `.env` files: import and export, exact to the byte.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use hostkit_api::endpoints::{ExportVariables, NoQuery};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::VariableName;
use hostkit_core::project::EnvironmentId;
use hostkit_core::variables::dotenv;
use serde_json::json;

use crate::session::Session;
use crate::stop::Stop;
use crate::upload::reason;

/// More than this is no `.env` file.
const MAX_BYTES: u64 = 16 << 20;

/// The variables of a file; `-` is stdin.
pub(super) fn read(file: &Path) -> Result<BTreeMap<VariableName, String>, Failure> {
    let stdin = file == Path::new("-");
    let shown = if stdin {
        "stdin".to_owned()
    } else {
        file.display().to_string()
    };
    let refused = |why: String| Failure::new(Kind::Invalid, format!("cannot import `{shown}`: {why}"));
    let mut bytes = Vec::new();
    let read = if stdin {
        std::io::stdin()
            .lock()
            .take(MAX_BYTES + 1)
            .read_to_end(&mut bytes)
    } else {
        std::fs::File::open(file).and_then(|opened| opened.take(MAX_BYTES + 1).read_to_end(&mut bytes))
    };
    read.map_err(|error| refused(reason(&error)))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(refused("it is too long for a .env file".to_owned()));
    }
    let text = String::from_utf8(bytes).map_err(|_| refused("it is not UTF-8".to_owned()))?;
    let pairs = dotenv::parse(&text).map_err(|problems| problems.into_failure(&shown))?;
    Ok(pairs.into_iter().collect())
}

/// All variables with their values, on stdout or in a new file that only its owner reads.
pub(super) async fn export(
    session: &Session<'_>,
    environment: &EnvironmentId,
    file: Option<&Path>,
    force: bool,
) -> Result<(), Stop> {
    let text = session
        .client()?
        .call::<ExportVariables>(environment, &NoQuery {}, &())
        .await?;
    let printer = session.printer();
    let Some(file) = file else {
        if printer.wants_json() {
            let pairs = dotenv::parse(&text).map_err(|problems| problems.into_failure("the export"))?;
            let pairs: BTreeMap<_, _> = pairs.into_iter().collect();
            return printer.json(&pairs);
        }
        return printer.out(text.as_bytes());
    };
    write(file, &text, force)?;
    if printer.wants_json() {
        return printer.json(&json!({ "file": file }));
    }
    printer.say(&format!(
        "Wrote the variables of `{environment}` to {}, with their values.",
        file.display()
    ));
    Ok(())
}

fn write(file: &Path, text: &str, force: bool) -> Result<(), Failure> {
    let shown = file.display();
    if force {
        // A new file, so that no old permissions stay.
        match std::fs::remove_file(file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Failure::new(
                    Kind::Invalid,
                    format!("cannot replace `{shown}`: {}", reason(&error)),
                ));
            }
            _ => {}
        }
    }
    let opened = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file);
    match opened.and_then(|mut opened| opened.write_all(text.as_bytes())) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Err(Failure::new(
            Kind::Conflict,
            format!("cannot write `{shown}`: it is there already"),
        )
        .hint("replace it with `--force`")),
        Err(error) => Err(Failure::new(
            Kind::Invalid,
            format!("cannot write `{shown}`: {}", reason(&error)),
        )),
    }
}
