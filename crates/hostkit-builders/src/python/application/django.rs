//! Django projects: known by `manage.py`, served by what is installed.

use std::path::Path;

use hostkit_core::names::RelativePath;

use super::{Application, has_package};
use crate::shared::programs::relative;
use crate::shared::tree::{files, has_file, text};
use crate::shared::workshop::arguments;

/// Recognises a Django project at the root, or one folder below it.
pub(super) fn django(source: &Path, venv: &Path) -> Option<Application> {
    let manage = files(source, 1, &|path| {
        path == "manage.py" || path.ends_with("/manage.py")
    })
    .into_iter()
    .next_back()?;
    let folder = manage.strip_suffix("manage.py")?.trim_end_matches('/');
    let directory = if folder.is_empty() {
        RelativePath::root()
    } else {
        relative(folder)
    };
    let root = directory.under(source);
    let settings = quoted_after(&text(&root, "manage.py")?, "DJANGO_SETTINGS_MODULE")?;
    let project = settings.split('.').next()?.to_owned();
    let has = |file: &str| has_file(&root.join(&project), file);
    let found = format!("Django was found (`{manage}`, settings `{settings}`)");
    let mut app = if has("wsgi.py") && has_package(venv, "gunicorn") {
        let target = format!("{project}.wsgi");
        let command = arguments(["python", "-m", "gunicorn", "--bind", "$HOST:$PORT", &target]);
        Application::new(Some(command), format!("{found}: started with gunicorn."))
    } else if has("asgi.py") && has_package(venv, "uvicorn") {
        let target = format!("{project}.asgi:application");
        let command = arguments([
            "python", "-m", "uvicorn", &target, "--host", "$HOST", "--port", "$PORT",
        ]);
        Application::new(Some(command), format!("{found}: started with uvicorn."))
    } else {
        let command = arguments(["python", "manage.py", "runserver", "--noreload", "$HOST:$PORT"]);
        Application::new(
            Some(command),
            format!(
                "{found}: started with its own server, which is for development. Add `gunicorn` to the requirements."
            ),
        )
    };
    let settings_files = files(&root.join(&project), 2, &|path| {
        path.contains("settings") && path.ends_with(".py")
    });
    let collects = settings_files
        .iter()
        .filter_map(|path| text(&root.join(&project), path))
        .any(|text| {
            text.lines()
                .any(|line| line.trim_start().starts_with("STATIC_ROOT"))
        });
    if collects {
        let script = directory
            .under(Path::new(""))
            .join("manage.py")
            .display()
            .to_string();
        let script = script.trim_start_matches("./").to_owned();
        app.prepare = Some(arguments(["python", &script, "collectstatic", "--noinput"]));
    }
    app.directory = directory;
    Some(app)
}

/// The first text in quotes after a name: `'shop.settings'`.
fn quoted_after(text: &str, name: &str) -> Option<String> {
    let rest = &text[text.find(name)? + name.len()..];
    let rest = rest.trim_start_matches(['\'', '"', ' ', ',', '\n', '\r', '\t', ']', '=']);
    let module: String = rest
        .chars()
        .take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '.'))
        .collect();
    (!module.is_empty()).then_some(module)
}
