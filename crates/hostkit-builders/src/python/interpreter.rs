//! Which installed Python builds and runs a project.

use std::path::{Path, PathBuf};

use hostkit_core::kind::{Failure, Kind};

use crate::shared::tree;
use crate::shared::versions::fits;
use crate::shared::workshop::Workshop;

/// Names under which interpreters are looked for.
const NAMES: [&str; 7] = [
    "python3",
    "python3.14",
    "python3.13",
    "python3.12",
    "python3.11",
    "python3.10",
    "python3.9",
];
/// Asks an interpreter what it is: version, version of its pip, then the file that really runs (behind a version
/// switcher).
const QUESTION: [&str; 2] = [
    "-c",
    "import platform, sys\n\
     try:\n  from importlib.metadata import version; pip = version('pip')\n\
     except Exception: pip = '0'\n\
     print(platform.python_version(), pip, sys._base_executable or sys.executable)",
];

/// An interpreter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Interpreter {
    pub(super) program: PathBuf,
    pub(super) version: String,
    /// Whether its own pip can install into a virtual environment that has none.
    pub(super) installs_elsewhere: bool,
}

/// Chooses the first installed interpreter that fits the rule: the manifest's, else `requires-python`. What
/// `.python-version` says is a wish: the machine it was written on is another one.
pub(super) async fn choose(
    workshop: &Workshop<'_>,
    assumed: &mut Vec<String>,
) -> Result<Interpreter, Failure> {
    let source = &workshop.job.source;
    let wish = wished(source);
    let (rule, by) = match (&workshop.job.rule.python, required(source)) {
        (Some(rule), _) => (rule.clone(), "hostkit.toml"),
        (None, Some(rule)) => (rule, "`requires-python` in pyproject.toml"),
        (None, None) => ("*".to_owned(), ""),
    };
    let mut fitting: Option<Interpreter> = None;
    let mut installed: Vec<String> = Vec::new();
    for name in NAMES {
        let Some(found) = ask(workshop, name).await else {
            continue;
        };
        if fits(&rule, &found.version) {
            let is_wished = wish.as_deref().is_none_or(|wish| fits(wish, &found.version));
            if is_wished {
                return Ok(found);
            }
            fitting.get_or_insert(found);
        } else if !installed.contains(&found.version) {
            installed.push(found.version);
        }
    }
    if let Some(found) = fitting {
        if let Some(wish) = wish {
            assumed.push(format!(
                "`.python-version` names {wish}, which is not installed: Python {} is used.",
                found.version
            ));
        }
        return Ok(found);
    }
    if installed.is_empty() {
        return Err(Failure::new(
            Kind::Unavailable,
            "cannot build the source: Python is not installed (no `python3` in PATH)",
        )
        .hint("on a server: `sudo hostkit server setup`; else install it, for example with `apt install python3 python3-venv`, and start HostKit again"));
    }
    Err(Failure::new(
        Kind::Invalid,
        format!(
            "cannot build the source: {by} asks for Python `{rule}`, installed is {}",
            installed.join(", ")
        ),
    )
    .hint("install a Python that fits and put it in PATH of HostKit, or change the rule"))
}

async fn ask(workshop: &Workshop<'_>, name: &str) -> Option<Interpreter> {
    let program = workshop.tools.find(name)?;
    let answer = match workshop.tools.known(&program) {
        Some(answer) => answer,
        None => {
            // One that does not run (a version switcher without that version) counts as not installed.
            let answer = workshop.ask(&program, &QUESTION).await.unwrap_or_default();
            workshop.tools.remember(&program, &answer);
            answer
        }
    };
    let mut parts = answer.splitn(3, ' ');
    let (version, pip, real) = (parts.next()?, parts.next()?, parts.next()?);
    Some(Interpreter {
        program: PathBuf::from(real),
        version: version.to_owned(),
        installs_elsewhere: fits(">=22.3", pip),
    })
}

fn required(source: &Path) -> Option<String> {
    let document: toml::Table = tree::text(source, "pyproject.toml")?.parse().ok()?;
    Some(
        document
            .get("project")?
            .get("requires-python")?
            .as_str()?
            .to_owned(),
    )
}

/// The minor version that `.python-version` or Heroku's `runtime.txt` names.
fn wished(source: &Path) -> Option<String> {
    let text = tree::text(source, ".python-version").or_else(|| tree::text(source, "runtime.txt"))?;
    let line = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with('#'))?;
    let mut parts = line.trim_start_matches("python-").split('.');
    let (major, minor) = (
        parts.next()?.parse::<u32>().ok()?,
        parts.next()?.parse::<u32>().ok()?,
    );
    Some(format!("{major}.{minor}"))
}
