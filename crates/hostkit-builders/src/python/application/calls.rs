//! Finding the call that makes an application: `app = FastAPI()`.

use std::path::Path;

use crate::shared::tree::{files, has_file, text};

/// File names that are looked at first, in this order.
const USUAL: [&str; 10] = [
    "main.py",
    "app.py",
    "server.py",
    "api.py",
    "asgi.py",
    "wsgi.py",
    "run.py",
    "application.py",
    "__init__.py",
    "__main__.py",
];

/// Frameworks by the call that makes an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framework {
    Asgi(&'static str),
    Flask,
}

const CALLS: [(&str, Framework); 5] = [
    ("FastAPI(", Framework::Asgi("FastAPI")),
    ("Litestar(", Framework::Asgi("Litestar")),
    ("Starlette(", Framework::Asgi("Starlette")),
    ("Quart(", Framework::Asgi("Quart")),
    ("Flask(", Framework::Flask),
];

/// What stands for the application in its module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Object {
    /// Its name in the module.
    pub(super) name: String,
    /// Whether it is a function that makes the application.
    pub(super) is_factory: bool,
}

/// The first file that makes an application: usual names before others, near the root before far from it.
pub(super) fn find_call(source: &Path) -> Option<(String, Framework, Object)> {
    let mut paths = files(source, 3, &|path| {
        path.ends_with(".py")
            && !path
                .split('/')
                .any(|part| matches!(part, "tests" | "test" | "conftest.py" | "migrations"))
    });
    let rank = |path: &String| {
        let name = path.rsplit('/').next().unwrap_or(path);
        let usual = USUAL
            .iter()
            .position(|usual| *usual == name)
            .unwrap_or(USUAL.len());
        (usual == USUAL.len(), path.matches('/').count(), usual)
    };
    paths.sort_by_key(rank);
    let mut factory = None;
    for path in paths {
        let Some(content) = text(source, &path) else {
            continue;
        };
        for (call, framework) in CALLS {
            match object_in(&content, call) {
                Some(object) if !object.is_factory => return Some((path, framework, object)),
                Some(object) if factory.is_none() => factory = Some((path.clone(), framework, object)),
                _ => {}
            }
        }
    }
    factory
}

/// A top-level `NAME = CALL(…)`, else a function `create_…` or `make_…` that makes one.
fn object_in(content: &str, call: &str) -> Option<Object> {
    let mut function: Option<&str> = None;
    let mut factory = None;
    for line in content.lines() {
        if let Some(rest) = line.strip_prefix("def ") {
            function = rest.split('(').next().map(str::trim);
        } else if !line.starts_with([' ', '\t', '#', ')']) && !line.is_empty() {
            function = None;
        }
        let Some((left, right)) = line.split_once('=') else {
            continue;
        };
        let made = right.trim_start();
        let is_call = made.strip_prefix(call).is_some()
            || made.split('(').next().is_some_and(|name| {
                name.rsplit_once('.')
                    .is_some_and(|(_, last)| format!("{last}(") == call)
            });
        if !is_call {
            continue;
        }
        let name = left.split(':').next().unwrap_or(left).trim_end();
        if is_identifier(name) {
            return Some(Object {
                name: name.to_owned(),
                is_factory: false,
            });
        }
        if let Some(function) =
            function.filter(|name| name.starts_with("create_") || name.starts_with("make_"))
        {
            factory.get_or_insert(Object {
                name: function.to_owned(),
                is_factory: true,
            });
        }
    }
    factory
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty()
        && text.chars().all(|c| c.is_alphanumeric() || c == '_')
        && !text.starts_with(|c: char| c.is_numeric())
}

/// The module a file is, and whether `src` must be on the path for it.
pub(super) fn module_of(source: &Path, path: &str) -> (String, bool) {
    let bare = path.trim_end_matches(".py").trim_end_matches("/__init__");
    match bare.strip_prefix("src/") {
        Some(below) if !has_file(&source.join("src"), "__init__.py") => (below.replace('/', "."), true),
        _ => (bare.replace('/', "."), false),
    }
}
