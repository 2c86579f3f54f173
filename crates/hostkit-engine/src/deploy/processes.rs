//! Which processes a release has, from what the user said, the Procfile, and what the builders made. Pure.

use std::collections::{BTreeMap, BTreeSet};

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::manifest::{Manifest, ProcessRule, Reach};
use hostkit_core::names::{ProcessName, RelativePath};
use hostkit_core::release::{Artifact, FrozenProcess, Program};

use super::build::Build;
use crate::parts::Procfile;

/// Adds what was built of a folder of its own: for each process that lives there the program of its name, or else the
/// one the builder proposes as `web`.
pub(super) fn merge(whole: &mut Artifact, manifest: &Manifest, root: &RelativePath, part: Artifact) {
    let part = Build::seen_from_root(root, part);
    for (name, rule) in manifest.processes.iter().filter(|(_, rule)| rule.root == *root) {
        if let Some(program) = part
            .programs
            .get(name)
            .or_else(|| part.programs.get(&ProcessName::web()))
        {
            whole.programs.insert(name.clone(), program.clone());
        }
        if rule.reach == Reach::Public && whole.files.is_none() {
            whole.files = part.files.clone();
        }
    }
    whole.assumed.extend(
        part.assumed
            .into_iter()
            .map(|sentence| format!("{root}: {sentence}")),
    );
}

/// The processes of a release with every default filled in.
pub(super) fn freeze(
    manifest: &Manifest,
    procfile: Option<&Procfile>,
    artifact: &Artifact,
) -> Result<BTreeMap<ProcessName, FrozenProcess>, Failure> {
    let of_procfile = procfile.iter().flat_map(|p| p.programs.keys());
    let mut names: BTreeSet<&ProcessName> = manifest.processes.keys().chain(of_procfile).collect();
    if names.is_empty() {
        names = artifact.programs.keys().collect();
    }
    let mut frozen = BTreeMap::new();
    for name in names {
        let rule = manifest
            .processes
            .get(name)
            .cloned()
            .unwrap_or_else(|| ProcessRule::named(name));
        match program(name, &rule, procfile, artifact) {
            Some(program) => {
                frozen.insert(name.clone(), FrozenProcess { rule, program });
            }
            // A static site needs no program: the front door serves its files.
            None if rule.reach == Reach::Public && artifact.files.is_some() => {}
            None => {
                return Err(Failure::new(
                    Kind::Invalid,
                    format!("cannot run process `{name}`: nobody says how it is started"),
                )
                .hint(format!("add `command` to [process.{name}] in hostkit.toml")));
            }
        }
    }
    if frozen.is_empty() && artifact.files.is_none() {
        return Err(Failure::new(
            Kind::Invalid,
            "cannot deploy: the source has nothing to run and nothing to serve",
        )
        .hint("name a process with a `command` in hostkit.toml"));
    }
    check_public(&frozen)?;
    check_paths(manifest, &frozen)?;
    Ok(frozen)
}

fn check_public(frozen: &BTreeMap<ProcessName, FrozenProcess>) -> Result<(), Failure> {
    let public: Vec<String> = frozen
        .iter()
        .filter(|(_, p)| p.rule.reach == Reach::Public)
        .map(|(name, _)| format!("`{name}`"))
        .collect();
    if public.len() <= 1 {
        return Ok(());
    }
    let message = format!(
        "cannot deploy: {} are all public, but one process gets the outside traffic",
        public.join(" and ")
    );
    Err(Failure::new(Kind::Invalid, message).hint(
        "set `internal = true` for the others, to which `[[routes]]` can lead paths, or `public = false`",
    ))
}

/// Every path leads to a process that can be asked.
fn check_paths(manifest: &Manifest, frozen: &BTreeMap<ProcessName, FrozenProcess>) -> Result<(), Failure> {
    for path in &manifest.routing.paths {
        let (why, hint) = match frozen.get(&path.process).map(|process| process.rule.reach) {
            Some(Reach::Public | Reach::Internal) => continue,
            Some(Reach::Unreachable) => ("has no port", "set `internal = true` for it"),
            None => ("does not exist", "name one of the project's processes"),
        };
        let message = format!(
            "cannot deploy: `{}` shall lead to the process `{}`, which {why}",
            path.path, path.process
        );
        return Err(Failure::new(Kind::Invalid, message).hint(hint));
    }
    Ok(())
}

/// How a process is started: the user's command, in what the builder made around it.
fn program(
    name: &ProcessName,
    rule: &ProcessRule,
    procfile: Option<&Procfile>,
    artifact: &Artifact,
) -> Option<Program> {
    let own = artifact.programs.get(name);
    let command = rule.command.clone();
    let command = command.or_else(|| procfile.and_then(|p| p.programs.get(name).cloned()));
    let mut program = match (own, command) {
        (Some(own), None) => own.clone(),
        (own, Some(command)) => {
            let around = own.or_else(|| surroundings(rule, artifact));
            Program {
                command,
                directory: rule.root.clone(),
                path: around.map(|p| p.path.clone()).unwrap_or_default(),
                variables: around.map(|p| p.variables.clone()).unwrap_or_default(),
            }
        }
        (None, None) => return None,
    };
    if !rule.directory.is_root() {
        program.directory = match rule.root.is_root() {
            true => rule.directory.clone(),
            false => RelativePath::parse(&format!("{}/{}", rule.root, rule.directory)).ok()?,
        };
    }
    Some(program)
}

/// A program of the same folder, for its PATH and variables.
fn surroundings<'a>(rule: &ProcessRule, artifact: &'a Artifact) -> Option<&'a Program> {
    let web = artifact.programs.get(&ProcessName::web());
    let same_folder = |program: &&Program| program.directory.as_str().starts_with(rule.root.as_str());
    match rule.root.is_root() {
        true => web.or_else(|| artifact.programs.values().next()),
        false => artifact.programs.values().find(same_folder),
    }
}
