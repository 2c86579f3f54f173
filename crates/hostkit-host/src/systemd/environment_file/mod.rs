//! Files for `EnvironmentFile=`: variables that systemd reads back byte for byte (ACCEPTANCE A31, A32). The form is that
//! of [`hostkit_core::variables::dotenv`], which `sh` reads alike; added here is the refusal of what systemd would drop,
//! which it does with no more than a line in its log.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::Path;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::VariableName;
use hostkit_core::secret::Secret;
use hostkit_core::variables::{MAX_ALL_BYTES, MAX_VALUE_BYTES, Variables, dotenv};

use super::unit_file::is_noncharacter;
use crate::files;

/// Variables that systemd itself gives to the programs of the system manager, whatever the unit says. `UnsetEnvironment=`
/// takes them away (see [`to_unset`]).
pub const ADDED_BY_SYSTEMD: [&str; 22] = [
    "CACHE_DIRECTORY",
    "CONFIGURATION_DIRECTORY",
    "CREDENTIALS_DIRECTORY",
    "FDSTORE",
    "HOME",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "LANG",
    "LOGNAME",
    "LOGS_DIRECTORY",
    "MAINPID",
    "MANAGERPID",
    "MEMORY_PRESSURE_WATCH",
    "MEMORY_PRESSURE_WRITE",
    "PATH",
    "RUNTIME_DIRECTORY",
    "SHELL",
    "STATE_DIRECTORY",
    "SYSTEMD_EXEC_PID",
    "TERM",
    "USER",
    "XDG_SESSION_ID",
];

/// The names for `UnsetEnvironment=` with which a program finds `variables` and nothing else: what systemd adds by
/// itself, and what its manager was told to give to everybody (`DefaultEnvironment=`, `systemctl set-environment`),
/// without those that are among `variables`.
pub fn to_unset<'a>(
    variables: &Variables,
    of_manager: impl IntoIterator<Item = &'a str>,
) -> BTreeSet<String> {
    ADDED_BY_SYSTEMD
        .into_iter()
        .chain(of_manager)
        .filter_map(|name| VariableName::parse(name).ok())
        .filter(|name| !variables.contains_key(name))
        .map(String::from)
        .collect()
}

/// The text of the file. Fails for a value that systemd cannot carry; the failure names the variable, never its value.
pub fn render(variables: &Variables) -> Result<Secret, Failure> {
    let mut all = 0;
    for (name, value) in variables {
        check(name, value)?;
        all += name.as_str().len() + value.reveal().len() + 2;
    }
    if all > MAX_ALL_BYTES {
        let message = format!(
            "cannot pass on the variables: together they have {all} bytes, more than the {MAX_ALL_BYTES} a program can be given"
        );
        return Err(Failure::new(Kind::Invalid, message).hint("put large values into files"));
    }
    let pairs: Vec<(VariableName, String)> = variables
        .iter()
        .map(|(name, value)| (name.clone(), value.reveal().to_owned()))
        .collect();
    Ok(Secret::new(dotenv::write(&pairs)))
}

/// Makes the file at `path` hold these variables, mode 0600, in one step; says whether it changed. Who owns the folder
/// sees to it that nobody else can replace the file.
pub fn ensure(path: &Path, variables: &Variables) -> Result<bool, Failure> {
    use std::os::unix::fs::MetadataExt;
    let text = render(variables)?;
    let is_there = std::fs::symlink_metadata(path)
        .is_ok_and(|found| found.is_file() && found.mode() & 0o7777 == 0o600)
        && std::fs::read(path).is_ok_and(|bytes| bytes == text.reveal().as_bytes());
    if is_there {
        return Ok(false);
    }
    files::write_atomic(path, text.reveal().as_bytes(), 0o600).map_err(|why| {
        Failure::new(
            Kind::Internal,
            format!("cannot write the variables to `{}`: {why}", path.display()),
        )
    })?;
    Ok(true)
}

fn check(name: &VariableName, value: &Secret) -> Result<(), Failure> {
    let refused = |why: &str, hint: &str| {
        Err(Failure::new(
            Kind::Invalid,
            format!("cannot pass on the variable `{name}`: {why}"),
        )
        .hint(hint))
    };
    let value = value.reveal();
    if value.contains('\0') {
        return refused(
            "its value has a zero byte, which no program can be given",
            "encode the value, for example with base64",
        );
    }
    if value.contains(is_noncharacter) {
        return refused(
            "its value has a code point that Unicode sets aside as no character (such as U+FFFF), which systemd drops",
            "encode the value, for example with base64",
        );
    }
    if value.len() > MAX_VALUE_BYTES {
        return refused(
            &format!(
                "its value has {} bytes, more than the {MAX_VALUE_BYTES} a program can be given",
                value.len()
            ),
            "put large values into files",
        );
    }
    Ok(())
}
