//! Which program a Python project is: the framework by the call that makes its application, else the usual files.

mod calls;
mod django;

use std::collections::BTreeMap;
use std::path::Path;

use hostkit_core::manifest::Command;
use hostkit_core::names::RelativePath;

use self::calls::{Framework, Object, find_call, module_of};
use self::django::django;
use crate::shared::tree::has_file;
use crate::shared::workshop::arguments;

/// What was recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Application {
    /// What starts it.
    pub(super) command: Option<Command>,
    /// Where it starts.
    pub(super) directory: RelativePath,
    /// What is run once when a release is built.
    pub(super) prepare: Option<Command>,
    /// Variables it needs.
    pub(super) variables: BTreeMap<String, String>,
    /// The sentence for the deploy log.
    pub(super) because: String,
}

impl Application {
    fn new(command: Option<Command>, because: String) -> Self {
        // Without it Python holds back what a program prints when nobody watches a terminal.
        let variables = BTreeMap::from([("PYTHONUNBUFFERED".to_owned(), "1".to_owned())]);
        Application {
            command,
            directory: RelativePath::root(),
            prepare: None,
            variables,
            because,
        }
    }
}

/// Recognises the application of a folder with its finished virtual environment.
pub(super) fn recognise(source: &Path, venv: &Path) -> Application {
    if let Some(app) = django(source, venv) {
        return app;
    }
    if let Some((path, framework, object)) = find_call(source) {
        return by_framework(source, venv, &path, framework, &object);
    }
    let package = ["app", "src"]
        .iter()
        .find(|name| has_file(&source.join(name), "__main__.py"));
    if let Some(name) = package {
        return Application::new(
            Some(arguments(["python", "-m", name])),
            format!("`python -m {name}` is run: there is `{name}/__main__.py`."),
        );
    }
    if has_file(source, "app.py") {
        return Application::new(
            Some(arguments(["python", "-m", "app"])),
            "`python -m app` is run: there is `app.py`.".into(),
        );
    }
    for name in [
        "main.py",
        "server.py",
        "bot.py",
        "run.py",
        "app/main.py",
        "src/main.py",
    ] {
        if has_file(source, name) {
            return Application::new(
                Some(arguments(["python", name])),
                format!("`python {name}` is run."),
            );
        }
    }
    Application::new(
        None,
        "Nothing to start was found: name a command in hostkit.toml or in a Procfile.".into(),
    )
}

fn by_framework(
    source: &Path,
    venv: &Path,
    path: &str,
    framework: Framework,
    object: &Object,
) -> Application {
    let (module, on_path) = module_of(source, path);
    let target = format!("{module}:{}", object.name);
    let found = |name: &str| format!("{name} was found in `{path}` (`{}`)", object.name);
    let mut app = match framework {
        Framework::Asgi(name) if has_package(venv, "uvicorn") => {
            let mut command = vec![
                "python", "-m", "uvicorn", &target, "--host", "$HOST", "--port", "$PORT",
            ];
            if object.is_factory {
                command.push("--factory");
            }
            Application::new(
                Some(arguments(command)),
                format!("{}: started with uvicorn.", found(name)),
            )
        }
        Framework::Asgi(name) => Application::new(
            None,
            format!(
                "{}, but nothing to serve it with is installed: add `uvicorn` to the requirements.",
                found(name)
            ),
        ),
        Framework::Flask if has_package(venv, "gunicorn") => {
            let call = if object.is_factory {
                format!("{target}()")
            } else {
                target
            };
            let command = arguments(["python", "-m", "gunicorn", "--bind", "$HOST:$PORT", &call]);
            Application::new(
                Some(command),
                format!("{}: started with gunicorn.", found("Flask")),
            )
        }
        Framework::Flask => {
            let command = arguments([
                "python", "-m", "flask", "--app", &target, "run", "--host", "$HOST", "--port", "$PORT",
            ]);
            let because = format!(
                "{}: started with Flask's own server, which is for development. Add `gunicorn` to the requirements.",
                found("Flask")
            );
            Application::new(Some(command), because)
        }
    };
    if on_path {
        app.variables.insert("PYTHONPATH".into(), "src".into());
    }
    app
}

/// Whether a package is installed in a virtual environment.
fn has_package(venv: &Path, name: &str) -> bool {
    let Ok(versions) = std::fs::read_dir(venv.join("lib")) else {
        return false;
    };
    versions
        .flatten()
        .any(|version| version.path().join("site-packages").join(name).is_dir())
}
