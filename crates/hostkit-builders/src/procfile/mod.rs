//! `Procfile`: one program a line, `type: command`. Strict: one bad line refuses the whole file, with its number, so
//! that no program is silently missing.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::manifest::Command;
use hostkit_core::names::ProcessName;

/// The file's name at the root of a source folder.
pub const FILE_NAME: &str = "Procfile";
/// The longest file read.
const MAX_BYTES: u64 = 256 * 1024;

/// What a `Procfile` says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Procfile {
    /// The programs by name.
    pub programs: BTreeMap<ProcessName, Command>,
    /// The `release:` line: stored, run by a later version.
    pub release: Option<Command>,
}

/// Reads the `Procfile` of a folder; nothing where there is none.
pub fn procfile(folder: &Path) -> Result<Option<Procfile>, Failure> {
    let path = folder.join(FILE_NAME);
    match fs::symlink_metadata(&path) {
        Ok(found) if found.is_file() => {}
        Ok(_) => return Err(invalid("it is no regular file")),
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(why) => {
            return Err(Failure::new(
                Kind::Internal,
                format!("cannot read the Procfile: {why}"),
            ));
        }
    }
    let mut bytes = Vec::new();
    fs::File::open(&path)
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|why| Failure::new(Kind::Internal, format!("cannot read the Procfile: {why}")))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(invalid("it is longer than 256 KB"));
    }
    let text = String::from_utf8(bytes).map_err(|_| invalid("it is not UTF-8"))?;
    parse(&text).map(Some)
}

/// Reads the text of a `Procfile`. All bad lines are reported at once.
pub fn parse(text: &str) -> Result<Procfile, Failure> {
    let mut file = Procfile::default();
    let mut problems = Vec::new();
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') || line.starts_with("//") {
            continue;
        }
        if let Err(why) = take(&mut file, line) {
            problems.push(format!("line {}: {why}", index + 1));
        }
    }
    match problems.first() {
        None => Ok(file),
        Some(first) => Err(invalid(first)
            .hint("write one program a line, as in `web: python -m app`")
            .details(problems)),
    }
}

fn take(file: &mut Procfile, line: &str) -> Result<(), String> {
    let Some((name, command)) = line.split_once(':') else {
        return Err("`name: command` is expected".into());
    };
    let (name, command) = (name.trim_end(), without_comment(command.trim()));
    if command.is_empty() {
        return Err(format!("`{}` has no command", name.escape_debug()));
    }
    if command.contains('\0') {
        return Err(format!(
            "the command of `{}` has a NUL character",
            name.escape_debug()
        ));
    }
    let command = Command::Line(command.to_owned());
    let twice = if name == "release" {
        file.release.replace(command).is_some()
    } else {
        let name = ProcessName::parse(name).map_err(|why| why.to_string())?;
        file.programs.insert(name, command).is_some()
    };
    if twice {
        Err(format!("`{name}` is there twice"))
    } else {
        Ok(())
    }
}

/// A `#` begins a comment where white space stands before it and no quote is open.
fn without_comment(command: &str) -> &str {
    let mut quote = None;
    let mut before = ' ';
    for (at, c) in command.char_indices() {
        match quote {
            Some(open) if c == open && before != '\\' => quote = None,
            Some(_) => {}
            None if c == '#' && before.is_whitespace() => return command[..at].trim_end(),
            None if matches!(c, '\'' | '"') && before != '\\' => quote = Some(c),
            None => {}
        }
        before = c;
    }
    command
}

fn invalid(why: &str) -> Failure {
    Failure::new(Kind::Invalid, format!("cannot use the Procfile: {why}"))
}

#[cfg(test)]
mod tests;
