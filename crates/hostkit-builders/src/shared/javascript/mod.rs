//! Installing the dependencies of a JavaScript project, or bringing them from an earlier time, and running its build.

mod key;
mod package_manager;

use std::fs;
use std::path::{Path, PathBuf};

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::manifest::Command;

use self::package_manager::Manager;
use super::dependency_sets::{DependencySets, clone_dependencies};
use super::package::Package;
use super::versions;
use super::workshop::{Step, Workshop, arguments};
use crate::blocking::{aside, cannot};

/// What is known of a JavaScript project before anything is run.
pub(crate) struct Project {
    pub(crate) package: Package,
    manager: Manager,
    /// The version of the installed Node.js: `v20.11.1`.
    pub(crate) node: String,
}

impl Project {
    /// Reads the project of a build and checks that the installed Node.js fits it.
    pub(crate) async fn open(workshop: &Workshop<'_>, assumed: &mut Vec<String>) -> Result<Self, Failure> {
        let source = &workshop.job.source;
        let package = Package::read(source)?.unwrap_or_default();
        let node = node_version(workshop).await?;
        let asked = workshop.job.rule.node.as_deref();
        let (rule, by) = match (asked, package.node_rule()) {
            (Some(rule), _) => (rule, "hostkit.toml"),
            (None, Some(rule)) => (rule, "`engines` in package.json"),
            (None, None) => ("*", ""),
        };
        if !versions::fits(rule, &node) {
            return Err(Failure::new(
                Kind::Invalid,
                format!("cannot build the source: {by} asks for Node.js `{rule}`, installed is {node}"),
            )
            .hint("install a Node.js that fits and put it first in PATH of HostKit, or change the rule"));
        }
        let manager = Manager::of(source, &package, assumed);
        Ok(Project {
            package,
            manager,
            node,
        })
    }

    /// Makes the dependencies be there: cloned from an earlier build with the same lockfile, else installed.
    pub(crate) async fn install(&self, workshop: &Workshop<'_>) -> Result<(), Failure> {
        let source = workshop.job.source.clone();
        if let Some(command) = &workshop.job.rule.install {
            return workshop
                .run(self.with_binaries(workshop, Step::new(INSTALL, command.clone())))
                .await;
        }
        if !self.package.has_dependencies() && !self.manager.has_lockfile() {
            return Ok(());
        }
        let sets = DependencySets::new(&workshop.job.cache, "node");
        let (package, manager, node) = (self.package.clone(), self.manager.clone(), self.node.clone());
        let (folder, found) = (source.clone(), sets.clone());
        let (key, brought) = aside(move || {
            forget_uploaded(&folder)?;
            let key = key::key_of(&folder, &package, &manager, &node)?;
            let brought = found.find(&key).is_some_and(|set| bring(&set, &folder));
            Ok((key, brought))
        })
        .await?;
        if brought {
            workshop.say("dependencies are unchanged: taken from the cache");
            return Ok(());
        }
        self.run_install(workshop).await?;
        aside(move || keep(&sets, &key, &source)).await
    }

    async fn run_install(&self, workshop: &Workshop<'_>) -> Result<(), Failure> {
        let mut step = Step::new(INSTALL, Command::Arguments(self.manager.install(workshop.tools)));
        step.hint = install_hint;
        step.variables.push(("YARN_NODE_LINKER", "node-modules".into()));
        step.variables.push(("YARN_ENABLE_GLOBAL_CACHE", "false".into()));
        if self.manager.name() == "pnpm" {
            step.variables
                .push(("npm_config_store_dir", workshop.cache("pnpm")));
        }
        workshop.run(step).await
    }

    /// Runs the build: the command of the manifest, else the `build` script, else `fallback`. The result says whether
    /// anything was run.
    pub(crate) async fn build(
        &self,
        workshop: &Workshop<'_>,
        fallback: Option<Command>,
        hint: fn(&str) -> Option<&'static str>,
    ) -> Result<bool, Failure> {
        let command = match &workshop.job.rule.command {
            Some(own) => own.clone(),
            None if self.package.scripts.contains_key("build") => {
                Command::Arguments(self.manager.run_script(workshop.tools, "build"))
            }
            None => match fallback {
                Some(command) => command,
                None => return Ok(false),
            },
        };
        let mut step = self.with_binaries(workshop, Step::new("build the source", command));
        step.hint = hint;
        workshop.run(step).await.map(|()| true)
    }

    fn with_binaries(&self, workshop: &Workshop<'_>, mut step: Step) -> Step {
        step.path.push(workshop.job.source.join("node_modules/.bin"));
        step
    }

    /// What starts a script as the package manager does, when nothing simpler will do.
    pub(crate) fn start_by_manager(&self) -> Command {
        arguments(["npm", "start", "--silent"])
    }
}

const INSTALL: &str = "install the dependencies";

async fn node_version(workshop: &Workshop<'_>) -> Result<String, Failure> {
    let Some(node) = workshop.tools.find("node") else {
        return Err(Failure::new(
            Kind::Unavailable,
            "cannot build the source: Node.js is not installed (no `node` in PATH)",
        )
        .hint("on a server: `languages = [\"node\"]` in /etc/hostkit/server.toml, then `sudo hostkit server setup`; else install it, for example with `apt install nodejs npm`, and start HostKit again"));
    };
    if let Some(version) = workshop.tools.known(&node) {
        return Ok(version);
    }
    let version = workshop.ask(&node, &["--version"]).await?;
    workshop.tools.remember(&node, &version);
    Ok(version)
}

/// Dependencies that were uploaded were made on another machine, for another system: they are not used.
fn forget_uploaded(source: &Path) -> Result<(), Failure> {
    let uploaded = source.join("node_modules");
    hostkit_host::files::remove_tree(&uploaded).map_err(cannot("remove the uploaded", &uploaded))
}

/// Clones every `node_modules` of a set to its place. A set that cannot be cloned whole is not used at all.
fn bring(set: &Path, source: &Path) -> bool {
    let folders = node_modules_below(set);
    let all = folders.iter().all(|folder| {
        source.join(folder).parent().is_some_and(Path::is_dir)
            && clone_dependencies(&set.join(folder), &source.join(folder)).is_ok()
    });
    if !all {
        for folder in &folders {
            // What is left over is found by the install that follows, which replaces it.
            let _ = hostkit_host::files::remove_tree(&source.join(folder));
        }
    }
    all
}

/// Keeps what an install made.
fn keep(sets: &DependencySets, key: &str, source: &Path) -> Result<(), Failure> {
    let made = sets.begin()?;
    for folder in node_modules_below(source) {
        let to = made.path().join(&folder);
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).map_err(cannot("keep the dependencies in", parent))?;
        }
        clone_dependencies(&source.join(&folder), &to).map_err(cannot("keep the dependencies in", &to))?;
    }
    sets.finish(made, key).map(drop)
}

/// Every `node_modules` of a tree (a workspace has several), as paths in it.
fn node_modules_below(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut ahead = vec![PathBuf::new()];
    while let Some(folder) = ahead.pop() {
        let Ok(entries) = fs::read_dir(root.join(&folder)) else {
            continue;
        };
        for entry in entries.flatten() {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            let path = folder.join(entry.file_name());
            if entry.file_name() == "node_modules" {
                found.push(path);
            } else if entry.file_name() != ".git" {
                ahead.push(path);
            }
        }
    }
    found.sort();
    found
}

fn install_hint(output: &str) -> Option<&'static str> {
    if output.contains("EUSAGE") || output.contains("frozen-lockfile") || output.contains("OUTDATED_LOCKFILE")
    {
        Some("package.json and the lockfile do not agree: install locally, and deploy the new lockfile")
    } else if ["ENOTFOUND", "ETIMEDOUT", "ECONNREFUSED", "EAI_AGAIN"]
        .iter()
        .any(|code| output.contains(code))
    {
        Some("the package registry was not reached: try again, or set NPM_CONFIG_REGISTRY for HostKit")
    } else if output.contains("E404") {
        Some("a dependency is not in the registry: check its name and version in package.json")
    } else if output.contains("gyp ERR") {
        Some("a dependency is compiled on install: `apt install build-essential python3` on the server")
    } else {
        None
    }
}
