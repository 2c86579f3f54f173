//! What we import from others: banned packages are absent, heavy ones stay below their owner, licences are
//! in the list. The lists are read from `deny.toml`, so that `cargo deny` judges by the same.

use anyhow::{Context, Result};
use spdx::{Expression, ParseMode};
use toml::Table;

use crate::finding::Finding;
use crate::metadata::{self, Package};
use crate::tree;

/// Everything that `deny.toml` does not allow.
pub(crate) fn check() -> Result<Vec<Finding>> {
    let text = std::fs::read_to_string(tree::root().join("deny.toml")).context("cannot read `deny.toml`")?;
    let rules: Table = text.parse().context("cannot read `deny.toml`")?;
    let packages = metadata::packages()?;
    let mut findings = bans(&rules, &packages);
    findings.extend(licences(&rules, &packages));
    Ok(findings)
}

/// A package with `wrappers` may be imported by those alone, one without by nobody.
fn bans(rules: &Table, packages: &[Package]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for ban in tables(rules, "bans", "deny") {
        let Some(name) = ban.get("crate").and_then(|name| name.as_str()) else {
            continue;
        };
        let wrappers: Vec<&str> = strings(ban.get("wrappers")).collect();
        let reason = ban
            .get("reason")
            .and_then(|reason| reason.as_str())
            .unwrap_or("banned");
        for package in packages.iter().filter(|package| package.used) {
            let imported = package.imports.contains(name) || package.test_imports.contains(name);
            if imported && !wrappers.contains(&package.name.as_str()) {
                findings.push(Finding::fail(
                    &package.name,
                    format!("imports `{name}`: {reason}"),
                ));
            }
        }
    }
    findings
}

fn licences(rules: &Table, packages: &[Package]) -> Vec<Finding> {
    let allowed: Vec<&str> = strings(rules.get("licenses").and_then(|table| table.get("allow"))).collect();
    let mut findings = Vec::new();
    for package in packages.iter().filter(|package| package.used && !package.member) {
        let place = format!("{} {}", package.name, package.version);
        let Some(licence) = &package.license else {
            findings.push(Finding::fail(place, "names no licence"));
            continue;
        };
        if !is_allowed(licence, &allowed) {
            findings.push(Finding::fail(
                place,
                format!("its licence `{licence}` is not in `deny.toml`"),
            ));
        }
    }
    findings
}

fn is_allowed(licence: &str, allowed: &[&str]) -> bool {
    Expression::parse_mode(licence, ParseMode::LAX).is_ok_and(|expression| {
        expression.evaluate(|needed| {
            let needed = needed.to_string();
            allowed.contains(&needed.as_str())
        })
    })
}

fn tables<'a>(rules: &'a Table, section: &str, key: &str) -> impl Iterator<Item = &'a Table> {
    let list = rules
        .get(section)
        .and_then(|table| table.get(key))
        .and_then(|list| list.as_array());
    list.into_iter().flatten().filter_map(|entry| entry.as_table())
}

fn strings(list: Option<&toml::Value>) -> impl Iterator<Item = &str> {
    list.and_then(|list| list.as_array())
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_banned_and_every_licence_known() {
        crate::finding::assert_none(&check().unwrap());
    }

    #[test]
    fn licence_expressions() {
        let allowed = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"];
        assert!(is_allowed("MIT/Apache-2.0", &allowed));
        assert!(is_allowed("GPL-3.0 OR MIT", &allowed));
        assert!(is_allowed("Apache-2.0 WITH LLVM-exception", &allowed));
        assert!(!is_allowed("MIT AND AGPL-3.0", &allowed));
        assert!(!is_allowed("AGPL-3.0-only", &allowed));
        assert!(!is_allowed("no licence at all", &allowed));
    }

    #[test]
    fn a_ban_and_an_owner_are_found() {
        let rules: Table = r#"
            [bans]
            deny = [{ crate = "openssl-sys" }, { crate = "rusqlite", wrappers = ["hostkit-store"] }]
        "#
        .parse()
        .unwrap();
        let package = |name: &str, import: &str| Package {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            license: None,
            member: false,
            used: true,
            imports: [import.to_owned()].into(),
            test_imports: Default::default(),
        };
        let packages = [
            package("native", "openssl-sys"),
            package("hostkit-store", "rusqlite"),
            package("hostkit-engine", "rusqlite"),
        ];
        let findings = bans(&rules, &packages);
        let places: Vec<&str> = findings.iter().map(|finding| finding.place.as_str()).collect();
        assert_eq!(places, ["native", "hostkit-engine"]);
    }
}
