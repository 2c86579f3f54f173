//! What a set of installed dependencies depends on.

use std::path::Path;

use hostkit_core::kind::Failure;
use serde_json::Value;

use super::super::package::Package;
use super::super::tree;
use super::package_manager::Manager;

/// Fields of package.json that decide what is installed.
const FIELDS: [&str; 12] = [
    "dependencies",
    "devDependencies",
    "optionalDependencies",
    "peerDependencies",
    "bundledDependencies",
    "overrides",
    "resolutions",
    "workspaces",
    "packageManager",
    "pnpm",
    "trustedDependencies",
    "dependenciesMeta",
];
/// Files beside package.json that decide what is installed.
const FILES: [&str; 10] = [
    "package-lock.json",
    "npm-shrinkwrap.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "pnpm-workspace.yaml",
    ".npmrc",
    ".yarnrc",
    ".yarnrc.yml",
    ".pnpmfile.cjs",
    "binding.gyp",
];
/// Scripts that an install runs.
const INSTALL_SCRIPTS: [&str; 4] = ["preinstall", "install", "postinstall", "prepare"];
/// What such scripts usually are, and the folder they read.
const KNOWN_SCRIPTS: [(&str, &str); 4] = [
    ("prisma generate", "prisma"),
    ("patch-package", "patches"),
    ("husky", ".husky"),
    ("husky install", ".husky"),
];

/// The key of the dependencies of a folder.
pub(super) fn key_of(
    folder: &Path,
    package: &Package,
    manager: &Manager,
    node: &str,
) -> Result<String, Failure> {
    let mut hasher = blake3::Hasher::new();
    let mut add = |name: &str, bytes: &[u8]| {
        hasher
            .update(name.as_bytes())
            .update(b"\0")
            .update(&(bytes.len() as u64).to_le_bytes())
            .update(bytes);
    };
    add("edition", b"1");
    add("manager", format!("{manager:?}").as_bytes());
    add("node", format!("{node} {}", std::env::consts::ARCH).as_bytes());
    add_package("package.json", package, &mut add);
    for name in FILES {
        if let Some(bytes) = tree::bytes(folder, name) {
            add(name, &bytes);
        }
    }
    if package.document.contains_key("workspaces") || tree::has_file(folder, "pnpm-workspace.yaml") {
        for path in tree::files(folder, 4, &|path| path.ends_with("/package.json")) {
            let parent = folder.join(path.trim_end_matches("/package.json"));
            add_package(&path, &Package::glance(&parent).unwrap_or_default(), &mut add);
        }
    }
    for read in read_by_scripts(package) {
        let place = if read == "." {
            folder.to_owned()
        } else {
            folder.join(read)
        };
        if place.is_dir() {
            tree::fingerprint(&place, &mut hasher)?;
        }
    }
    Ok(hasher.finalize().to_hex().to_string())
}

fn add_package(name: &str, package: &Package, add: &mut impl FnMut(&str, &[u8])) {
    for field in FIELDS {
        add(
            field,
            package
                .document
                .get(field)
                .map(Value::to_string)
                .unwrap_or_default()
                .as_bytes(),
        );
    }
    for script in INSTALL_SCRIPTS {
        add(
            name,
            package
                .scripts
                .get(script)
                .map(String::as_str)
                .unwrap_or_default()
                .as_bytes(),
        );
    }
}

/// The folders that scripts run by the install read. A script nobody knows may read everything: `.`.
fn read_by_scripts(package: &Package) -> Vec<&'static str> {
    let mut read = Vec::new();
    for script in INSTALL_SCRIPTS
        .iter()
        .filter_map(|name| package.scripts.get(*name))
    {
        for part in script.split("&&").map(str::trim) {
            match KNOWN_SCRIPTS.iter().find(|(known, _)| *known == part) {
                Some((_, folder)) => read.push(*folder),
                None => return vec!["."],
            }
        }
    }
    read
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn only_what_is_installed_changes_the_key() {
        let folder = tempfile::tempdir().unwrap();
        let key = || {
            let package = Package::glance(folder.path()).unwrap();
            key_of(folder.path(), &package, &Manager::Npm { locked: true }, "v20").unwrap()
        };
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write(
            "package.json",
            r#"{"version": "1", "dependencies": {"a": "1"}, "scripts": {"start": "x"}}"#,
        );
        write("package-lock.json", "1");
        let first = key();
        write("server.js", "changed");
        write(
            "package.json",
            r#"{"version": "2", "dependencies": {"a": "1"}, "scripts": {"start": "y"}}"#,
        );
        assert_eq!(key(), first);
        write("package-lock.json", "2");
        let second = key();
        assert_ne!(second, first);
        write(
            "package.json",
            r#"{"dependencies": {"a": "1"}, "scripts": {"postinstall": "node own.js"}}"#,
        );
        let third = key();
        write("own.js", "x");
        assert_ne!(key(), third, "an unknown script may read everything");
        write(
            "package.json",
            r#"{"dependencies": {"a": "1"}, "scripts": {"postinstall": "prisma generate"}}"#,
        );
        let fourth = key();
        write("own.js", "y");
        assert_eq!(key(), fourth);
    }
}
