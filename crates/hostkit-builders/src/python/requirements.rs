//! What a Python project wants installed, and from which files it follows.

use std::collections::BTreeSet;
use std::path::Path;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::RelativePath;

use crate::shared::tree::{bytes, has_file, text};

/// Dependencies to install.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Nothing.
    Nothing,
    /// What `requirements.txt` lists.
    Requirements {
        /// Every file it takes in, itself first.
        files: Vec<String>,
        /// Whether something of the project itself is installed, so that its code decides too.
        own_code: bool,
    },
    /// What `uv.lock` lists.
    Uv,
    /// What pyproject.toml lists, with no lockfile.
    Listed(Vec<String>),
}

/// Reads what a folder wants.
pub(super) fn read(source: &Path, assumed: &mut Vec<String>) -> Result<Wanted, Failure> {
    if has_file(source, "uv.lock") && has_file(source, "pyproject.toml") {
        assumed.push("Dependencies are installed with uv because of uv.lock.".into());
        return Ok(Wanted::Uv);
    }
    if has_file(source, "requirements.txt") {
        assumed.push("Dependencies are installed with pip because of requirements.txt.".into());
        let mut files = Vec::new();
        let mut own_code = false;
        take_in(
            source,
            "requirements.txt",
            &mut files,
            &mut BTreeSet::new(),
            &mut own_code,
        );
        return Ok(Wanted::Requirements { files, own_code });
    }
    if has_file(source, "pyproject.toml") {
        return listed(source, assumed);
    }
    if has_file(source, "Pipfile") {
        return Err(
            Failure::new(Kind::Invalid, "cannot build the source: a Pipfile is not read")
                .hint("run `pipenv requirements > requirements.txt` and deploy that file"),
        );
    }
    assumed.push("No requirements.txt: nothing is installed.".into());
    Ok(Wanted::Nothing)
}

/// Follows `-r` and `-c` lines through the files of the project.
fn take_in(
    source: &Path,
    name: &str,
    files: &mut Vec<String>,
    seen: &mut BTreeSet<String>,
    own_code: &mut bool,
) {
    let Some(content) = text(source, name) else { return };
    if !seen.insert(name.to_owned()) {
        return;
    }
    files.push(name.to_owned());
    for line in content.lines().map(str::trim) {
        let option = ["--requirement", "--constraint", "-r", "-c"]
            .iter()
            .find_map(|option| line.strip_prefix(option));
        if let Some(rest) = option {
            let named = rest
                .trim_start_matches(['=', ' ', '\t'])
                .split_whitespace()
                .next()
                .unwrap_or_default();
            let folder = name
                .rsplit_once('/')
                .map_or(String::new(), |(folder, _)| format!("{folder}/"));
            if let Some(path) = clean(&format!("{folder}{named}")) {
                take_in(source, &path, files, seen, own_code);
            }
        } else if line.starts_with('.')
            || line.starts_with("-e")
            || line.starts_with("--editable")
            || line.contains("file:")
        {
            *own_code = true;
        }
    }
}

fn clean(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    RelativePath::parse(&parts.join("/"))
        .ok()
        .map(|path| path.to_string())
}

fn listed(source: &Path, assumed: &mut Vec<String>) -> Result<Wanted, Failure> {
    let document: toml::Table = text(source, "pyproject.toml")
        .unwrap_or_default()
        .parse()
        .map_err(|why| {
            Failure::new(Kind::Invalid, format!("cannot use pyproject.toml: {why}")).hint("mend the file")
        })?;
    let project = document.get("project");
    let list = project
        .and_then(|project| project.get("dependencies"))
        .and_then(toml::Value::as_array);
    let poetry = document.get("tool").and_then(|tool| tool.get("poetry")).is_some();
    match list {
        Some(list) => {
            assumed.push(
                "Dependencies are installed with pip from pyproject.toml. There is no uv.lock: pip chooses versions \
                 when the list changes."
                    .into(),
            );
            Ok(Wanted::Listed(
                list.iter()
                    .filter_map(toml::Value::as_str)
                    .map(str::to_owned)
                    .collect(),
            ))
        }
        None if poetry => Err(Failure::new(
            Kind::Invalid,
            "cannot build the source: dependencies in Poetry's own form are not read",
        )
        .hint("run `poetry export -f requirements.txt -o requirements.txt` and deploy that file")),
        None => Ok(Wanted::Nothing),
    }
}

impl Wanted {
    /// Adds everything that decides what gets installed to a hash. The result says whether anything does.
    pub(super) fn add_to(&self, source: &Path, hasher: &mut blake3::Hasher) -> Result<bool, Failure> {
        let mut add = |name: &str, content: &[u8]| {
            hasher
                .update(name.as_bytes())
                .update(b"\0")
                .update(&(content.len() as u64).to_le_bytes())
                .update(content);
        };
        match self {
            Wanted::Nothing => return Ok(false),
            Wanted::Uv => {
                for name in ["uv.lock", "pyproject.toml", "uv.toml"] {
                    add(name, &bytes(source, name).unwrap_or_default());
                }
            }
            Wanted::Listed(list) => add("pyproject.toml", list.join("\n").as_bytes()),
            Wanted::Requirements { files, own_code } => {
                for name in files {
                    add(name, &bytes(source, name).unwrap_or_default());
                }
                if *own_code {
                    crate::shared::tree::fingerprint(source, hasher)?;
                }
            }
        }
        Ok(true)
    }
}
