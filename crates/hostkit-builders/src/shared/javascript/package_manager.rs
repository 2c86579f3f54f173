//! Package managers: which one a project uses, and how it is called.

use std::path::Path;

use super::super::package::Package;
use super::super::toolbox::Toolbox;
use super::super::tree;

/// A package manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Manager {
    /// npm, with or without its lockfile.
    Npm { locked: bool },
    /// Yarn 1.
    Yarn { locked: bool },
    /// Yarn 2 and later; the release that the project carries, if it does, else the version to fetch.
    Berry {
        release: Option<String>,
        version: String,
    },
    /// pnpm, with the version to fetch where none is installed.
    Pnpm { locked: bool, version: String },
}

impl Manager {
    /// Finds out by the lockfile, else by `packageManager`, else it is npm. A missing lockfile is a warning.
    pub(super) fn of(folder: &Path, package: &Package, assumed: &mut Vec<String>) -> Self {
        let named = package.manager.as_deref().and_then(|named| named.split_once('@'));
        let version = |of: &str, usual: &str| match named {
            Some((name, version)) if name == of => plain_version(version).unwrap_or(usual).to_owned(),
            _ => usual.to_owned(),
        };
        let has = |name: &str| tree::has_file(folder, name);
        let name = named.map_or("npm", |(name, _)| name);
        let (manager, by) = if has("pnpm-lock.yaml") {
            (
                Manager::Pnpm {
                    locked: true,
                    version: version("pnpm", "9"),
                },
                "pnpm-lock.yaml",
            )
        } else if has("yarn.lock") {
            (yarn(folder, &version("yarn", "1")), "yarn.lock")
        } else if has("package-lock.json") || has("npm-shrinkwrap.json") {
            (Manager::Npm { locked: true }, "package-lock.json")
        } else if !package.has_dependencies() {
            return Manager::Npm { locked: false };
        } else if name == "pnpm" {
            (
                Manager::Pnpm {
                    locked: false,
                    version: version("pnpm", "9"),
                },
                "",
            )
        } else if name == "yarn" {
            (Manager::Yarn { locked: false }, "")
        } else {
            (Manager::Npm { locked: false }, "")
        };
        assumed.push(if by.is_empty() {
            format!(
                "There is no lockfile: {} chooses versions when package.json changes. Commit a lockfile to always \
                 get the same ones.",
                manager.name()
            )
        } else {
            format!("Dependencies are installed with {} because of {by}.", manager.name())
        });
        manager
    }

    /// Its name.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Manager::Npm { .. } => "npm",
            Manager::Yarn { .. } | Manager::Berry { .. } => "yarn",
            Manager::Pnpm { .. } => "pnpm",
        }
    }

    pub(super) fn has_lockfile(&self) -> bool {
        match self {
            Manager::Npm { locked } | Manager::Yarn { locked } | Manager::Pnpm { locked, .. } => *locked,
            Manager::Berry { .. } => true,
        }
    }

    /// What installs everything, development dependencies included (a build needs them), also when the user's
    /// variables say `NODE_ENV=production`.
    pub(super) fn install(&self, tools: &Toolbox) -> Vec<String> {
        let further: &[&str] = match self {
            Manager::Npm { locked: true } => &[
                "ci",
                "--include=dev",
                "--prefer-offline",
                "--no-audit",
                "--no-fund",
            ],
            Manager::Npm { locked: false } => &["install", "--include=dev", "--no-audit", "--no-fund"],
            Manager::Yarn { locked: true } => &[
                "install",
                "--frozen-lockfile",
                "--production=false",
                "--non-interactive",
            ],
            Manager::Yarn { locked: false } => &["install", "--production=false", "--non-interactive"],
            Manager::Berry { .. } => &["install", "--immutable"],
            Manager::Pnpm { locked: true, .. } => &["install", "--frozen-lockfile", "--prod=false"],
            Manager::Pnpm { locked: false, .. } => &["install", "--no-frozen-lockfile", "--prod=false"],
        };
        self.call(tools, further)
    }

    /// What runs a script of package.json.
    pub(super) fn run_script(&self, tools: &Toolbox, script: &str) -> Vec<String> {
        self.call(tools, &["run", script])
    }

    /// The manager itself where it is installed, else fetched by npx into the project's cache.
    fn call(&self, tools: &Toolbox, further: &[&str]) -> Vec<String> {
        let fetched = |package: String| {
            ["npx", "--yes", "--prefer-offline", &package]
                .map(str::to_owned)
                .to_vec()
        };
        let mut call = match self {
            Manager::Npm { .. } => vec!["npm".to_owned()],
            Manager::Yarn { .. } if tools.find("yarn").is_some() => vec!["yarn".to_owned()],
            Manager::Yarn { .. } => fetched("yarn@1".into()),
            Manager::Berry {
                release: Some(file), ..
            } => vec!["node".to_owned(), file.clone()],
            Manager::Berry { version, .. } => fetched(format!("@yarnpkg/cli-dist@{version}")),
            Manager::Pnpm { .. } if tools.find("pnpm").is_some() => vec!["pnpm".to_owned()],
            Manager::Pnpm { version, .. } => fetched(format!("pnpm@{version}")),
        };
        call.extend(further.iter().map(|part| (*part).to_owned()));
        call
    }
}

fn yarn(folder: &Path, version: &str) -> Manager {
    let is_berry = tree::has_file(folder, ".yarnrc.yml")
        || tree::text(folder, "yarn.lock").is_some_and(|text| text.contains("\n__metadata:"));
    if !is_berry {
        return Manager::Yarn { locked: true };
    }
    let releases = tree::files(&folder.join(".yarn/releases"), 0, &|name| name.ends_with(".cjs"));
    Manager::Berry {
        release: releases.last().map(|name| format!(".yarn/releases/{name}")),
        version: if version == "1" {
            "4".into()
        } else {
            version.to_owned()
        },
    }
}

/// The version of `9.1.0+sha512.…`; nothing that is not a plain version goes into a command.
fn plain_version(text: &str) -> Option<&str> {
    let plain = text.split('+').next().unwrap_or(text);
    let fine = plain.starts_with(|c: char| c.is_ascii_digit())
        && plain
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'));
    fine.then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn manager(files: &[(&str, &str)]) -> (Manager, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::create_dir_all(folder.path().join(name).parent().unwrap()).unwrap();
            fs::write(folder.path().join(name), text).unwrap();
        }
        let mut assumed = Vec::new();
        let package = Package::glance(folder.path()).unwrap();
        (Manager::of(folder.path(), &package, &mut assumed), assumed)
    }

    #[test]
    fn the_lockfile_decides() {
        let package = ("package.json", r#"{"dependencies": {"a": "1"}}"#);
        assert_eq!(
            manager(&[package, ("package-lock.json", "{}")]).0,
            Manager::Npm { locked: true }
        );
        assert_eq!(
            manager(&[package, ("yarn.lock", "# yarn lockfile v1")]).0,
            Manager::Yarn { locked: true }
        );
        assert_eq!(
            manager(&[
                package,
                ("yarn.lock", "#\n\n__metadata:\n"),
                (".yarn/releases/yarn-4.1.cjs", "")
            ])
            .0,
            Manager::Berry {
                release: Some(".yarn/releases/yarn-4.1.cjs".into()),
                version: "4".into()
            }
        );
        let pnpm = Manager::Pnpm {
            locked: true,
            version: "9".into(),
        };
        assert_eq!(manager(&[package, ("pnpm-lock.yaml", "")]).0, pnpm);
        let (unlocked, assumed) = manager(&[package]);
        assert_eq!(unlocked, Manager::Npm { locked: false });
        assert!(assumed[0].contains("no lockfile"));
        let named = (
            "package.json",
            r#"{"dependencies": {"a": "1"}, "packageManager": "pnpm@9.1.0+sha512.ab"}"#,
        );
        assert_eq!(
            manager(&[named]).0,
            Manager::Pnpm {
                locked: false,
                version: "9.1.0".into()
            }
        );
        assert_eq!(plain_version("9; rm -rf /"), None);
    }
}
