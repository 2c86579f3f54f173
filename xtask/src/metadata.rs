//! `cargo metadata`, as far as the checks need it.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::tree;

/// One package of the resolved graph.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) license: Option<String>,
    /// Whether it is ours.
    pub(crate) member: bool,
    /// Whether it is built for the machines HostKit runs on.
    pub(crate) used: bool,
    /// Names of what it imports outside of tests (normal and build dependencies).
    pub(crate) imports: BTreeSet<String>,
    /// Names of what only its tests import.
    pub(crate) test_imports: BTreeSet<String>,
}

/// The platform HostKit is made for; packages for others alone are not judged.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

/// The resolved graph with everything the lock file names for our platform.
pub(crate) fn packages() -> Result<Vec<Package>> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version=1",
            "--locked",
            "--filter-platform",
            PLATFORM,
        ])
        .current_dir(tree::root())
        .output()
        .context("cannot start `cargo metadata`")?;
    if !output.status.success() {
        bail!(
            "cannot read the package graph: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let document: Value = serde_json::from_slice(&output.stdout)?;
    Ok(read(&document))
}

fn read(document: &Value) -> Vec<Package> {
    let members: BTreeSet<&str> = list(&document["workspace_members"])
        .filter_map(Value::as_str)
        .collect();
    let names: BTreeMap<&str, &str> = list(&document["packages"])
        .filter_map(|package| Some((package["id"].as_str()?, package["name"].as_str()?)))
        .collect();
    let nodes: BTreeMap<&str, &Value> = list(&document["resolve"]["nodes"])
        .filter_map(|node| Some((node["id"].as_str()?, node)))
        .collect();
    list(&document["packages"])
        .filter_map(|package| {
            let id = package["id"].as_str()?;
            let node = nodes.get(id);
            let mut imports = BTreeSet::new();
            let mut test_imports = BTreeSet::new();
            for import in node.map(|node| list(&node["deps"])).into_iter().flatten() {
                let Some(name) = import["pkg"].as_str().and_then(|id| names.get(id)) else {
                    continue;
                };
                let only_tests = list(&import["dep_kinds"]).all(|kind| kind["kind"].as_str() == Some("dev"));
                if only_tests {
                    &mut test_imports
                } else {
                    &mut imports
                }
                .insert((*name).to_owned());
            }
            Some(Package {
                name: package["name"].as_str()?.to_owned(),
                version: package["version"].as_str()?.to_owned(),
                license: package["license"].as_str().map(str::to_owned),
                member: members.contains(id),
                used: node.is_some(),
                imports,
                test_imports,
            })
        })
        .collect()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
