//! What is recognised in a Python project, and environments that work where they are cloned to.

use std::fs;

use hostkit_host::files::{CloneMode, clone_tree};

use super::application::recognise;
use super::requirements::{Wanted, read};
use super::*;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn command(files: &[(&str, &str)]) -> String {
    let folder = folder(files);
    let app = recognise(folder.path(), &folder.path().join("venv"));
    let command = app
        .command
        .map(|command| command.to_string())
        .unwrap_or(app.because);
    match app.variables.get("PYTHONPATH") {
        Some(path) => format!("{path}: {command}"),
        None => command,
    }
}

const UVICORN: (&str, &str) = ("venv/lib/python3.11/site-packages/uvicorn/x", "");
const GUNICORN: (&str, &str) = ("venv/lib/python3.11/site-packages/gunicorn/x", "");

#[test]
fn asgi_frameworks_are_found_where_they_are() {
    let fastapi = "from fastapi import FastAPI\n\napi: FastAPI = FastAPI(title='x')\n";
    let serve = |target: &str| format!("python -m uvicorn {target} --host $HOST --port $PORT");
    assert_eq!(
        command(&[("app/main.py", fastapi), UVICORN]),
        serve("app.main:api")
    );
    assert_eq!(
        command(&[("main.py", fastapi), ("tests/main.py", fastapi), UVICORN]),
        serve("main:api")
    );
    assert_eq!(
        command(&[("app/__init__.py", fastapi), UVICORN]),
        serve("app:api")
    );
    assert_eq!(
        command(&[("src/shop/web.py", fastapi), UVICORN]),
        format!("src: {}", serve("shop.web:api"))
    );
    assert_eq!(
        command(&[("src/__init__.py", ""), ("src/main.py", fastapi), UVICORN]),
        serve("src.main:api")
    );
    let module = "import fastapi\napp = fastapi.FastAPI()\n";
    assert_eq!(command(&[("server.py", module), UVICORN]), serve("server:app"));
    let factory = "def create_app():\n    app = FastAPI()\n    return app\n";
    assert_eq!(
        command(&[("main.py", factory), UVICORN]),
        format!("{} --factory", serve("main:create_app"))
    );
    assert!(command(&[("main.py", fastapi)]).contains("add `uvicorn`"));
}

#[test]
fn flask_and_django_take_what_is_installed() {
    let flask = "app = Flask(__name__)\n";
    assert_eq!(
        command(&[("app.py", flask), GUNICORN]),
        "python -m gunicorn --bind $HOST:$PORT app:app"
    );
    assert_eq!(
        command(&[("app.py", flask)]),
        "python -m flask --app app:app run --host $HOST --port $PORT"
    );
    let manage = (
        "manage.py",
        "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')",
    );
    let settings = ("shop/settings.py", "STATIC_ROOT = BASE_DIR / 'static'\n");
    let (wsgi, asgi) = (("shop/wsgi.py", ""), ("shop/asgi.py", ""));
    assert_eq!(
        command(&[manage, wsgi, GUNICORN]),
        "python -m gunicorn --bind $HOST:$PORT shop.wsgi"
    );
    assert_eq!(
        command(&[manage, asgi, UVICORN]),
        "python -m uvicorn shop.asgi:application --host $HOST --port $PORT"
    );
    assert_eq!(
        command(&[manage, wsgi]),
        "python manage.py runserver --noreload $HOST:$PORT"
    );
    let folder = folder(&[manage, settings]);
    let app = recognise(folder.path(), &folder.path().join("venv"));
    assert_eq!(
        app.prepare.unwrap().to_string(),
        "python manage.py collectstatic --noinput"
    );
}

#[test]
fn the_rest_is_started_by_its_usual_name() {
    assert_eq!(command(&[("app/__main__.py", "")]), "python -m app");
    assert_eq!(command(&[("app.py", "print(1)")]), "python -m app");
    assert_eq!(command(&[("main.py", "print(1)")]), "python main.py");
    assert!(command(&[("lib.py", "")]).contains("Nothing to start"));
}

#[test]
fn wanted_dependencies_are_read() {
    let listed = |files: &[(&str, &str)]| read(folder(files).path(), &mut Vec::new());
    let requirements = [
        ("requirements.txt", "-r more/base.txt\nflask\n"),
        ("more/base.txt", "-c pins.txt\n"),
        ("more/pins.txt", ""),
    ];
    let files = ["requirements.txt", "more/base.txt", "more/pins.txt"]
        .map(str::to_owned)
        .to_vec();
    assert_eq!(
        listed(&requirements).unwrap(),
        Wanted::Requirements {
            files,
            own_code: false
        }
    );
    let own = Wanted::Requirements {
        files: vec!["requirements.txt".into()],
        own_code: true,
    };
    assert_eq!(listed(&[("requirements.txt", "-e .")]).unwrap(), own);
    let project = (
        "pyproject.toml",
        "[project]\nname = 'x'\ndependencies = ['flask>=3']\n",
    );
    assert_eq!(
        listed(&[project]).unwrap(),
        Wanted::Listed(vec!["flask>=3".into()])
    );
    assert_eq!(listed(&[project, ("uv.lock", "")]).unwrap(), Wanted::Uv);
    assert!(
        listed(&[("Pipfile", "")])
            .unwrap_err()
            .hint
            .unwrap()
            .contains("pipenv requirements")
    );
    assert!(listed(&[("pyproject.toml", "[tool.poetry]\nname = 'x'\n")]).is_err());
    assert!(listed(&[("pyproject.toml", "not toml")]).is_err());
}

#[test]
fn scripts_of_an_environment_work_where_it_is_cloned_to() {
    let place = tempfile::tempdir().unwrap();
    let venv = place.path().join("made here");
    fs::create_dir_all(venv.join("bin")).unwrap();
    let write = |name: &str, text: String| {
        let path = venv.join("bin").join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    };
    let own = format!("{}/bin/python3.11", venv.display());
    write("tool", format!("#!{own}\nimport sys\nprint(1)\n"));
    write(
        "long",
        format!("#!/bin/sh\n'''exec' \"{own}\" \"$0\" \"$@\"\n' '''\nprint(2)\n"),
    );
    write("other", "#!/bin/sh\necho 3\n".into());
    write("activate", "VIRTUAL_ENV=/old".into());
    write("activate.fish", "set VIRTUAL_ENV /old".into());
    movable::make_movable(&venv).unwrap();
    let moved = place.path().join("moved");
    clone_tree(&venv, &moved, CloneMode::HardLink).unwrap();
    let read = |name: &str| fs::read_to_string(moved.join("bin").join(name)).unwrap();
    assert!(read("tool").starts_with("#!/bin/sh\n'''exec' \"$(dirname"));
    assert!(read("tool").ends_with("' '''\nimport sys\nprint(1)\n"));
    assert!(read("long").ends_with("' '''\nprint(2)\n"));
    assert!(!read("long").contains("made here"));
    assert_eq!(read("other"), "#!/bin/sh\necho 3\n");
    assert!(!read("activate").contains("/old"));
    assert!(!moved.join("bin/activate.fish").exists());
}
