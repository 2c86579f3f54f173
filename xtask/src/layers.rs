//! Which crate of ours may import which. Imports point down; a new edge is a reviewed one-line change here.

use anyhow::Result;

use crate::finding::Finding;
use crate::metadata::{self, Package};

/// Crate, and the crates of ours it may import. The binary `hostkit` is the one place that sees them all.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("hostkit-core", &[]),
    ("hostkit-host", &["hostkit-core"]),
    ("hostkit-images", &["hostkit-core"]),
    ("hostkit-outbound", &["hostkit-core"]),
    ("hostkit-store", &["hostkit-core"]),
    ("hostkit-certificates", &["hostkit-core"]),
    ("hostkit-proxy", &["hostkit-certificates", "hostkit-core"]),
    ("hostkit-api", &["hostkit-core"]),
    ("hostkit-addons", &["hostkit-core", "hostkit-host"]),
    ("hostkit-runtimes", &["hostkit-core", "hostkit-host"]),
    ("hostkit-builders", &["hostkit-core", "hostkit-host"]),
    ("hostkit-engine", &["hostkit-core", "hostkit-store"]),
    (
        "hostkit-server",
        &["hostkit-api", "hostkit-core", "hostkit-engine", "hostkit-store"],
    ),
    ("hostkit-cli", &["hostkit-api", "hostkit-core"]),
    ("hostkit-testkit", &["hostkit-core", "hostkit-host"]),
    ("xtask", &[]),
];

/// Imported by tests alone.
const FOR_TESTS: &str = "hostkit-testkit";

/// Every import that the table does not know.
pub(crate) fn check() -> Result<Vec<Finding>> {
    let packages = metadata::packages()?;
    let ours: Vec<&Package> = packages.iter().filter(|package| package.member).collect();
    Ok(ours.iter().flat_map(|package| judge(package, &ours)).collect())
}

fn judge(package: &Package, ours: &[&Package]) -> Vec<Finding> {
    let is_ours = |name: &str| ours.iter().any(|other| other.name == name);
    let place = package.name.as_str();
    let mut findings = Vec::new();
    let allowed = MAY_IMPORT
        .iter()
        .find(|(name, _)| *name == package.name)
        .map(|(_, allowed)| *allowed);
    if allowed.is_none() && package.name != "hostkit" {
        findings.push(Finding::fail(
            place,
            "is not in the table of `xtask/src/layers.rs`",
        ));
    }
    for import in package.imports.iter().filter(|import| is_ours(import)) {
        if import == FOR_TESTS {
            findings.push(Finding::fail(
                place,
                format!("imports `{import}` outside of its tests"),
            ));
        } else if allowed.is_some_and(|allowed| !allowed.contains(&import.as_str())) {
            findings.push(Finding::fail(
                place,
                format!("imports `{import}`, which the layers do not allow"),
            ));
        }
    }
    if package.test_imports.iter().any(|import| import == "hostkit") || package.imports.contains("hostkit") {
        findings.push(Finding::fail(place, "imports `hostkit`, which nobody may"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_point_down() {
        crate::finding::assert_none(&check().unwrap());
    }

    #[test]
    fn an_edge_upwards_is_found() {
        let package = |name: &str, imports: &[&str]| Package {
            name: name.to_owned(),
            version: "0.1.0".to_owned(),
            license: None,
            member: true,
            used: true,
            imports: imports.iter().map(|import| (*import).to_owned()).collect(),
            test_imports: Default::default(),
        };
        let engine = package("hostkit-engine", &["hostkit-core", "hostkit-proxy", "serde"]);
        let proxy = package("hostkit-proxy", &["hostkit-testkit"]);
        let testkit = package("hostkit-testkit", &[]);
        let ours = [&engine, &proxy, &testkit];
        assert_eq!(judge(&engine, &ours).len(), 1);
        assert_eq!(judge(&proxy, &ours).len(), 1);
        assert_eq!(judge(&package("hostkit-new", &[]), &ours).len(), 1);
    }
}
