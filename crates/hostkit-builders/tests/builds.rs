//! Real builds of the sample apps, with real package managers and registries, and what a second build costs.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use hostkit_builders::{BuilderSettings, catalogue, operator_environment_from, search_path};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::log::LogStream;
use hostkit_core::manifest::{BuildRule, Command};
use hostkit_core::names::{ProcessName, VariableName};
use hostkit_core::release::Artifact;
use hostkit_core::secret::Secret;
use hostkit_core::size::{ByteSize, Span};
use hostkit_core::traits::{BuildJob, BuildLog, Builder};
use hostkit_host::command::{Guard, Job};
use hostkit_host::files::{CloneMode, clone_tree, folder_size};
use hostkit_host::roles::SelfProgram;

#[derive(Default)]
struct Lines(Mutex<Vec<(LogStream, String)>>);

impl BuildLog for Lines {
    fn line(&self, stream: LogStream, text: &str) {
        self.0.lock().unwrap().push((stream, text.to_owned()));
    }
}

impl Lines {
    fn text(&self) -> String {
        self.0
            .lock()
            .unwrap()
            .iter()
            .map(|(_, line)| format!("{line}\n"))
            .collect()
    }
}

/// A project that is built again and again.
struct Project {
    place: tempfile::TempDir,
    builders: Vec<Arc<dyn Builder>>,
    path: String,
    rule: BuildRule,
    variables: BTreeMap<VariableName, Secret>,
    builds: u32,
}

struct Built {
    artifact: Artifact,
    output: PathBuf,
    log: String,
}

fn own() -> SelfProgram {
    SelfProgram::at(env!("CARGO_BIN_EXE_builders-role"))
}

impl Project {
    fn new() -> Self {
        let operator_environment = operator_environment_from(std::env::vars());
        Project {
            place: tempfile::tempdir().unwrap(),
            path: search_path(&operator_environment),
            builders: catalogue(BuilderSettings {
                own: own(),
                operator_environment,
                min_free: ByteSize(1),
            }),
            rule: BuildRule::default(),
            variables: BTreeMap::new(),
            builds: 0,
        }
    }

    fn of(fixture: &str) -> Self {
        let project = Project::new();
        let from = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../fixtures/apps")
            .join(fixture);
        clone_tree(&from, &project.sources(), CloneMode::Copy).unwrap();
        project
    }

    fn with(files: &[(&str, &str)]) -> Self {
        let project = Project::new();
        for (name, text) in files {
            project.write(name, text);
        }
        project
    }

    fn sources(&self) -> PathBuf {
        self.place.path().join("sources")
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.sources().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    async fn try_build(&mut self) -> (Result<Artifact, Failure>, PathBuf, String) {
        self.builds += 1;
        let at = |name: &str| self.place.path().join(format!("{name}-{}", self.builds));
        let job = BuildJob {
            project: "shop".parse().unwrap(),
            source: at("source"),
            output: at("output"),
            cache: self.place.path().join("cache"),
            rule: self.rule.clone(),
            variables: self.variables.clone(),
        };
        clone_tree(&self.sources(), &job.source, CloneMode::Copy).unwrap();
        let builder = self
            .builders
            .iter()
            .find(|builder| builder.detect(&job.source).is_some())
            .unwrap();
        let log = Lines::default();
        let began = std::time::Instant::now();
        let result = builder.build(&job, &log).await;
        eprintln!(
            "build {} with {}: {:?}",
            self.builds,
            builder.name(),
            began.elapsed()
        );
        (result, job.output, log.text())
    }

    async fn build(&mut self) -> Built {
        let (result, output, log) = self.try_build().await;
        match result {
            Ok(artifact) => Built {
                artifact,
                output,
                log,
            },
            Err(failure) => panic!("{failure}\n{:?}\n{log}", failure.hint),
        }
    }

    /// Runs a program in a release, as the runtime would, after the release was renamed to its final place.
    async fn run(&self, built: &Built, program: &str, arguments: &[&str]) -> String {
        let place = self.place.path().join("release here");
        fs::rename(&built.output, &place).unwrap();
        let web = &built.artifact.programs[&ProcessName::web()];
        let mut path: Vec<String> = web
            .path
            .iter()
            .map(|p| p.under(&place).display().to_string())
            .collect();
        path.push(self.path.clone());
        let mut environment: BTreeMap<String, String> = web.variables.clone();
        environment.insert("PATH".into(), path.join(":"));
        let job = Job {
            program: program.into(),
            arguments: arguments.iter().map(|a| (*a).to_owned()).collect(),
            environment,
            directory: web.directory.under(&place),
            ..Job::default()
        };
        let mut said = String::new();
        let ending = Guard::new(own())
            .run(&job, &mut |_, line| said.push_str(&format!("{line}\n")))
            .await
            .unwrap();
        assert!(
            ending.is_success(),
            "{program} {arguments:?} ended with {ending}: {said}"
        );
        fs::rename(&place, &built.output).unwrap();
        said
    }
}

fn web(built: &Built) -> String {
    built.artifact.programs[&ProcessName::web()].command.to_string()
}

#[tokio::test]
async fn express_is_installed_once() {
    let mut project = Project::of("express");
    let first = project.build().await;
    assert_eq!(first.artifact.builder, "node");
    assert_eq!(web(&first), "node server.js");
    assert!(first.log.contains("$ npm ci"), "{}", first.log);
    let script = "import('express').then(e => console.log(typeof e.default))";
    assert_eq!(
        project.run(&first, "node", &["-e", script]).await.trim(),
        "function"
    );

    project.write("server.js", "console.log('changed')");
    let second = project.build().await;
    assert!(!second.log.contains("npm"), "{}", second.log);
    assert!(second.output.join("node_modules/express/package.json").is_file());
    assert_eq!(
        fs::read_to_string(second.output.join("server.js")).unwrap(),
        "console.log('changed')"
    );
    assert_eq!(
        folder_size(&first.output.join("node_modules")).unwrap(),
        folder_size(&second.output.join("node_modules")).unwrap()
    );

    // An install that was killed half-way is not taken for a set.
    let sets = project.place.path().join("cache/sets/node");
    for set in fs::read_dir(&sets).unwrap() {
        let set = set.unwrap().path();
        fs::rename(&set, sets.join(".unfinished-killed")).unwrap();
    }
    assert!(project.build().await.log.contains("$ npm ci"));
}

#[tokio::test]
async fn fastapi_runs_from_wherever_its_release_lies() {
    let mut project = Project::of("fastapi");
    let first = project.build().await;
    assert_eq!(first.artifact.builder, "python");
    assert_eq!(
        web(&first),
        "python -m uvicorn app.main:app --host $HOST --port $PORT"
    );
    let said = project
        .run(
            &first,
            "python",
            &["-c", "import app.main, sys; print(sys.prefix)"],
        )
        .await;
    assert!(said.contains("release here/venv"), "{said}");
    let said = project.run(&first, "uvicorn", &["--version"]).await;
    assert!(said.contains("uvicorn"), "{said}");
    let line = ". venv/bin/activate && uvicorn --version";
    assert!(
        project
            .run(&first, "/bin/sh", &["-c", line])
            .await
            .contains("uvicorn")
    );

    project.write("app/main.py", "from fastapi import FastAPI\nother = FastAPI()\n");
    let second = project.build().await;
    assert!(!second.log.contains('$'), "{}", second.log);
    assert!(web(&second).contains("app.main:other"));
}

#[tokio::test]
async fn a_vite_site_is_built_and_the_same_source_is_not_built_again() {
    let mut project = Project::of("vite");
    let first = project.build().await;
    assert_eq!(first.artifact.builder, "static");
    assert!(first.artifact.files.is_some() && first.artifact.programs.is_empty());
    assert!(first.output.join("index.html").is_file() && first.output.join("icon.svg").is_file());
    assert!(!first.output.join("package.json").exists());

    let again = project.build().await;
    assert!(again.log.contains("built before"), "{}", again.log);
    assert_eq!(
        fs::read(again.output.join("index.html")).unwrap(),
        fs::read(first.output.join("index.html")).unwrap()
    );
    assert_eq!(again.artifact, first.artifact);

    project
        .variables
        .insert(VariableName::parse("VITE_KEY").unwrap(), Secret::new("x"));
    let with_variable = project.build().await;
    assert!(
        with_variable.log.contains("vite build"),
        "variables may be built in: {}",
        with_variable.log
    );
    assert!(!with_variable.log.contains("npm ci"), "{}", with_variable.log);
}

#[tokio::test]
async fn a_procfile_names_what_runs() {
    let mut project = Project::of("procfile");
    let built = project.build().await;
    let worker = &built.artifact.programs[&ProcessName::parse("worker").unwrap()];
    assert_eq!(worker.command, Command::Line("node worker.js".into()));
    project.write("Procfile", "web: node server.js\nbroken\n");
    let (result, _, _) = project.try_build().await;
    assert!(result.unwrap_err().message.contains("line 2"));
}

#[tokio::test]
async fn a_failing_build_tells_its_last_lines() {
    let mut project = Project::with(&[(
        "package.json",
        r#"{"scripts": {"start": "node x.js", "build": "echo before && echo why $TOKEN >&2 && exit 3"}}"#,
    )]);
    let canary = "canary-7f3a9c51e2";
    project
        .variables
        .insert(VariableName::parse("TOKEN").unwrap(), Secret::new(canary));
    let (result, output, log) = project.try_build().await;
    let failure = result.unwrap_err();
    assert_eq!(failure.kind, Kind::Failed);
    assert!(
        failure
            .message
            .starts_with("cannot build the source: `npm run build` ended with exit status"),
        "{failure}"
    );
    assert!(
        failure.details.iter().any(|line| line.starts_with("why ")),
        "{:?}",
        failure.details
    );
    assert!(!format!("{failure:?}").contains(canary), "{failure:?}");
    assert!(failure.hint.is_some() && log.contains("before") && !output.exists());
}

#[tokio::test]
async fn builds_see_their_variables_and_nothing_else_of_ours() {
    let corpus = "$ $$ ' \" \\ # = space\nnewline {\"a\": 1} -----BEGIN-----\n \u{1f980}";
    let mut project = Project::with(&[("package.json", r#"{"scripts": {"start": "node x.js"}}"#)]);
    project
        .variables
        .insert(VariableName::parse("CORPUS").unwrap(), Secret::new(corpus));
    let script = "require('fs').writeFileSync('seen.json', JSON.stringify(process.env))";
    project.rule.command = Some(Command::Arguments(vec![
        "node".into(),
        "-e".into(),
        script.into(),
    ]));
    let built = project.build().await;
    let seen: BTreeMap<String, String> =
        serde_json::from_slice(&fs::read(built.output.join("seen.json")).unwrap()).unwrap();
    assert_eq!(seen["CORPUS"], corpus);
    assert_eq!((seen["CI"].as_str(), seen["LANG"].as_str()), ("1", "C.UTF-8"));
    assert!(Path::new(&seen["HOME"]).starts_with(project.place.path()));
    for ours in ["CARGO_MANIFEST_DIR", "USER", "PWD", "CARGO"] {
        assert!(!seen.contains_key(ours), "{ours}");
    }
}

#[tokio::test]
async fn limits_end_a_build_and_everything_it_started() {
    let mut project = Project::with(&[("package.json", r#"{"scripts": {"start": "node x.js"}}"#)]);
    project.rule.timeout = Span::parse("2s").unwrap();
    let marker = project.place.path().join("still-alive");
    let line = format!("(sleep 6; touch '{}') & sleep 600", marker.display());
    project.rule.command = Some(Command::Line(line));
    let (result, _, _) = project.try_build().await;
    let failure = result.unwrap_err();
    assert!(failure.message.contains("took longer than 2s"), "{failure}");
    project.rule.timeout = Span::secs(120);
    project.rule.memory = ByteSize::mib(150);
    let hungry = "const all = []; setInterval(() => all.push(Buffer.alloc(20 << 20, 1)), 50)";
    project.rule.command = Some(Command::Arguments(vec![
        "node".into(),
        "-e".into(),
        hungry.into(),
    ]));
    let (result, _, _) = project.try_build().await;
    assert!(result.unwrap_err().message.contains("more memory than 150MB"));
    tokio::time::sleep(std::time::Duration::from_secs(6)).await;
    assert!(!marker.exists(), "nothing of a build lives on");
}

#[tokio::test]
async fn rules_on_versions_name_what_is_installed() {
    let mut node = Project::with(&[(
        "package.json",
        r#"{"scripts": {"start": "x"}, "engines": {"node": "4.x"}}"#,
    )]);
    let (result, _, _) = node.try_build().await;
    let failure = result.unwrap_err();
    assert!(
        failure.message.contains("asks for Node.js `4.x`, installed is v"),
        "{failure}"
    );
    let mut python = Project::with(&[("main.py", "print(1)")]);
    python.rule.python = Some("2.7".into());
    let (result, _, _) = python.try_build().await;
    let failure = result.unwrap_err();
    assert!(
        failure
            .message
            .contains("hostkit.toml asks for Python `2.7`, installed is 3."),
        "{failure}"
    );
}

#[tokio::test]
async fn a_custom_install_and_uv_make_environments_too() {
    let pyproject = "[project]\nname = \"x\"\nversion = \"1\"\nrequires-python = \">=3.9\"\ndependencies = [\"idna==3.10\"]\n";
    let lock = "version = 1\nrequires-python = \">=3.9\"\n\n[[package]]\nname = \"x\"\nversion = \"1\"\nsource = { virtual = \".\" }\n\
                dependencies = [{ name = \"idna\" }]\n\n[package.metadata]\nrequires-dist = [{ name = \"idna\", specifier = \"==3.10\" }]\n\n\
                [[package]]\nname = \"idna\"\nversion = \"3.10\"\nsource = { registry = \"https://pypi.org/simple\" }\n\
                sdist = { url = \"https://files.pythonhosted.org/packages/f1/70/7703c29685631f5a7590aa73f1f1d3fa9a380e654b86af429e0934a32f7d/idna-3.10.tar.gz\", hash = \"sha256:12f65c9b470abda6dc35cf8e63cc574b1c52b11df2c86030af0ac09b01b13ea9\" }\n\
                wheels = [{ url = \"https://files.pythonhosted.org/packages/76/c6/c88e154df9c4e1a2a66ccf0005a88dfb2650c1dffb6f5ce603dfbd452ce3/idna-3.10-py3-none-any.whl\", hash = \"sha256:946d195a0d259cbba61165e88e65941f16e9b36ea6ddb97f00452bae8b1287d3\" }]\n";
    let main = ("main.py", "import idna\nprint('has', idna.__version__)\n");
    let mut uv = Project::with(&[("pyproject.toml", pyproject), ("uv.lock", lock), main]);
    let built = uv.build().await;
    assert_eq!(web(&built), "python main.py");
    assert_eq!(uv.run(&built, "python", &["main.py"]).await.trim(), "has 3.10");

    let mut own = Project::with(&[("requirements.txt", "not-used-at-all\n"), main]);
    own.rule.install = Some(Command::Line("pip install -q 'idna==3.10'".into()));
    let built = own.build().await;
    assert_eq!(own.run(&built, "python", &["main.py"]).await.trim(), "has 3.10");
}
