//! The virtual environment of a release: made once for a lockfile, then cloned. It works wherever it is cloned to.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hostkit_core::kind::Failure;
use hostkit_core::manifest::Command;
use hostkit_host::files::{CloneMode, clone_tree, remove_tree, replace};

use super::interpreter::Interpreter;
use super::movable::make_movable;
use super::requirements::Wanted;
use crate::blocking::{aside, cannot};
use crate::shared::dependency_sets::DependencySets;
use crate::shared::tree::{files, text};
use crate::shared::workshop::{Step, Workshop, arguments};

/// Where it lies in a release.
pub(super) const VENV: &str = "venv";
const INSTALL: &str = "install the dependencies";

/// Makes `venv` be there in the source folder, with what is wanted installed.
pub(super) async fn install(
    workshop: &Workshop<'_>,
    python: &Interpreter,
    wanted: Wanted,
) -> Result<(), Failure> {
    let source = workshop.job.source.clone();
    if let Some(command) = &workshop.job.rule.install {
        let venv = source.join(VENV);
        make(workshop, python, &venv, Pip::With).await?;
        let mut step = Step::new(INSTALL, command.clone());
        step.path.push(venv.join("bin"));
        step.variables.push(("VIRTUAL_ENV", venv.display().to_string()));
        workshop.run(step).await?;
        return aside(move || make_movable(&venv).map_err(cannot("finish", &venv))).await;
    }
    let sets = DependencySets::new(&workshop.job.cache, "python");
    let (folder, listed, version) = (source.clone(), wanted.clone(), python.clone());
    let key = aside(move || {
        let mut hasher = blake3::Hasher::new();
        let interpreter = format!("edition 2 {} {}", version.version, version.program.display());
        hasher.update(interpreter.as_bytes()).update(b"\0");
        listed.add_to(&folder, &mut hasher)?;
        Ok(hasher.finalize().to_hex().to_string())
    })
    .await?;
    if bring(&sets, &key, &source).await? {
        workshop.say("dependencies are unchanged: taken from the cache");
        return Ok(());
    }
    let made = sets.begin()?;
    let venv = made.path().join(VENV);
    let pip = if python.installs_elsewhere || wanted == Wanted::Uv {
        Pip::Without
    } else {
        Pip::With
    };
    make(workshop, python, &venv, pip).await?;
    fill(workshop, python, &venv, wanted).await?;
    let finished = sets.clone();
    aside(move || {
        make_movable(&venv).map_err(cannot("finish", &venv))?;
        let set = finished.finish(made, &key)?;
        let to = source.join(VENV);
        clone_tree(&set.join(VENV), &to, CloneMode::HardLink)
            .map(drop)
            .map_err(cannot("copy the dependencies to", &to))
    })
    .await
}

/// Clones a finished set; one that cannot be cloned whole is not used.
async fn bring(sets: &DependencySets, key: &str, source: &Path) -> Result<bool, Failure> {
    let (sets, key, to) = (sets.clone(), key.to_owned(), source.join(VENV));
    aside(move || {
        let Some(set) = sets.find(&key) else {
            return Ok(false);
        };
        if clone_tree(&set.join(VENV), &to, CloneMode::HardLink).is_ok() {
            return Ok(true);
        }
        remove_tree(&to).map_err(cannot("remove", &to)).map(|()| false)
    })
    .await
}

/// Makes an empty environment. pip is a thousand files that no release needs: it stays out where it can.
async fn make(workshop: &Workshop<'_>, python: &Interpreter, venv: &Path, pip: Pip) -> Result<(), Failure> {
    let program = python.program.display().to_string();
    let place = venv.display().to_string();
    let mut command = vec![program.as_str(), "-m", "venv"];
    if pip == Pip::Without {
        command.push("--without-pip");
    }
    command.push(&place);
    let mut step = Step::new("make a virtual environment", arguments(command));
    step.hint = |output| {
        (output.contains("ensurepip") || output.contains("No module named venv"))
            .then_some("install Python's venv module on the server: `apt install python3-venv`")
    };
    workshop.run(step).await
}

/// Whether an environment has a pip of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pip {
    With,
    Without,
}

/// `pip install` into an environment, with the interpreter's own pip where that can.
fn pip_install(python: &Interpreter, venv: &Path, what: &[&str]) -> Command {
    let (outside, inside) = (
        python.program.display().to_string(),
        venv.join("bin/python").display().to_string(),
    );
    let mut command = if python.installs_elsewhere {
        vec![outside, "-m".into(), "pip".into(), "--python".into(), inside]
    } else {
        vec![inside, "-m".into(), "pip".into()]
    };
    let further = ["install", "--no-input", "--progress-bar", "off"]
        .iter()
        .chain(what);
    command.extend(further.map(|part| (*part).to_owned()));
    Command::Arguments(command)
}

async fn fill(
    workshop: &Workshop<'_>,
    python: &Interpreter,
    venv: &Path,
    wanted: Wanted,
) -> Result<(), Failure> {
    let mut step = match wanted {
        Wanted::Nothing => return Ok(()),
        Wanted::Uv => {
            let uv = uv(workshop, python).await?.display().to_string();
            let mut step = Step::new(
                INSTALL,
                arguments([
                    &uv,
                    "sync",
                    "--frozen",
                    "--no-dev",
                    "--no-install-project",
                    "--compile-bytecode",
                ]),
            );
            step.variables
                .push(("UV_PROJECT_ENVIRONMENT", venv.display().to_string()));
            let inside = venv.join("bin/python").display().to_string();
            step.variables.push(("UV_PYTHON", inside));
            step.variables.push(("UV_PYTHON_DOWNLOADS", "never".into()));
            step
        }
        Wanted::Listed(list) => {
            let file = workshop.scratch().join("requirements.txt");
            fs::write(&file, list.join("\n")).map_err(cannot("write", &file))?;
            Step::new(
                INSTALL,
                pip_install(python, venv, &["-r", &file.display().to_string()]),
            )
        }
        Wanted::Requirements { own_code, .. } => {
            let file = workshop.job.source.join("requirements.txt");
            if own_code {
                not_editable(&file).map_err(cannot("read", &file))?;
            }
            Step::new(INSTALL, pip_install(python, venv, &["-r", "requirements.txt"]))
        }
    };
    step.path.push(venv.join("bin"));
    step.hint = hint;
    workshop.run(step).await?;
    let place = venv.to_owned();
    if aside(move || Ok(needs_setuptools(&place))).await? {
        let command = pip_install(python, venv, &["setuptools<81"]);
        workshop.run(Step::new(INSTALL, command)).await?;
    }
    Ok(())
}

/// Environments used to bring setuptools along (before Python 3.12), and older packages count on it without a word.
fn needs_setuptools(venv: &Path) -> bool {
    let Ok(versions) = fs::read_dir(venv.join("lib")) else {
        return false;
    };
    versions
        .flatten()
        .map(|version| version.path().join("site-packages"))
        .any(|packages| {
            !packages.join("pkg_resources").is_dir()
                && files(&packages, 4, &|path| {
                    path.ends_with(".py") && !path.starts_with("pip/")
                })
                .iter()
                .filter_map(|path| text(&packages, path))
                .any(|text| text.contains("import pkg_resources") || text.contains("from pkg_resources"))
        })
}

/// `uv` where it is installed, else fetched once into the project's cache.
async fn uv(workshop: &Workshop<'_>, python: &Interpreter) -> Result<PathBuf, Failure> {
    if let Some(installed) = workshop.tools.find("uv") {
        return Ok(installed);
    }
    let tools = DependencySets::new(&workshop.job.cache, "tools");
    let key = format!("uv-{}", python.version);
    if let Some(set) = tools.find(&key) {
        return Ok(set.join("bin/uv"));
    }
    let made = tools.begin()?;
    let pip = if python.installs_elsewhere {
        Pip::Without
    } else {
        Pip::With
    };
    make(workshop, python, made.path(), pip).await?;
    workshop
        .run(Step::new("install uv", pip_install(python, made.path(), &["uv"])))
        .await?;
    Ok(tools.finish(made, &key)?.join("bin/uv"))
}

/// Projects that are installed in place would point to the build folder, which is renamed: they are installed as
/// copies instead. The folder is ours to change.
fn not_editable(file: &Path) -> io::Result<()> {
    let text = fs::read_to_string(file)?;
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        let bare = line.trim_start();
        let bare = ["--editable=", "--editable ", "-e "]
            .iter()
            .find_map(|option| bare.strip_prefix(option))
            .unwrap_or(line);
        out.push_str(bare.trim_end());
        out.push('\n');
    }
    replace(file, out.as_bytes(), 0o644)
}

fn hint(output: &str) -> Option<&'static str> {
    if output.contains("No matching distribution found") || output.contains("Could not find a version") {
        Some(
            "a version in the list does not exist for this Python: check it, or set `python` under `[build]` in hostkit.toml",
        )
    } else if output.contains("Connection")
        || output.contains("resolve host")
        || output.contains("name resolution")
    {
        Some("the package index was not reached: try again, or set PIP_INDEX_URL for HostKit")
    } else if output.contains("error: command 'gcc'")
        || output.contains("error: command 'cc'")
        || output.contains("Python.h")
    {
        Some("a dependency is compiled on install: `apt install build-essential python3-dev` on the server")
    } else {
        None
    }
}
