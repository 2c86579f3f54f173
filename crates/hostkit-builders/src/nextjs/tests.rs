//! Releases from folders as `next build` leaves them, without Next.js itself.

use std::fs;
use std::path::PathBuf;

use hostkit_core::manifest::BuildRule;
use hostkit_core::names::ProcessName;

use super::output::{collect, is_built};
use super::*;

struct Folder {
    folder: tempfile::TempDir,
    job: BuildJob,
}

fn built(files: &[&str]) -> Folder {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| -> PathBuf { folder.path().join(name) };
    let job = BuildJob {
        project: "shop".parse().unwrap(),
        source: place("source"),
        output: place("output"),
        cache: place("cache"),
        rule: BuildRule::default(),
        variables: Default::default(),
    };
    fs::create_dir_all(&job.cache).unwrap();
    for file in files {
        let path = job.source.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, file).unwrap();
    }
    Folder { folder, job }
}

fn web(artifact: &Artifact) -> String {
    let program = &artifact.programs[&ProcessName::web()];
    format!("{}: {}", program.directory, program.command)
}

#[test]
fn standalone_servers_get_their_static_files() {
    let made = built(&[
        ".next/standalone/server.js",
        ".next/standalone/.next/BUILD_ID",
        ".next/standalone/node_modules/next/package.json",
        ".next/static/chunk.js",
        "public/icon.svg",
        "page.tsx",
    ]);
    let artifact = collect(&made.job, &Package::default(), Vec::new()).unwrap();
    assert_eq!(web(&artifact), ".: env HOSTNAME=$HOST node server.js");
    for file in ["server.js", ".next/static/chunk.js", "public/icon.svg"] {
        assert!(made.job.output.join(file).is_file(), "{file}");
    }
    assert!(!made.job.output.join("page.tsx").exists());
    assert!(
        is_built(&made.job.output),
        "a standalone release can be deployed as it is"
    );
    assert!(made.folder.path().exists());
}

#[test]
fn a_procfile_line_that_cannot_work_is_replaced() {
    for (line, runs) in [
        ("npm start", "env HOSTNAME=$HOST node server.js"),
        ("node x.js", "node x.js"),
    ] {
        let made = built(&[".next/standalone/server.js", ".next/standalone/.next/BUILD_ID"]);
        fs::write(made.job.source.join("Procfile"), format!("web: {line}")).unwrap();
        let artifact = collect(&made.job, &Package::default(), Vec::new()).unwrap();
        assert_eq!(web(&artifact), format!(".: {runs}"));
    }
}

#[test]
fn a_server_below_a_folder_is_found() {
    let made = built(&[
        ".next/standalone/package.json",
        ".next/standalone/node_modules/x/server.js",
        ".next/standalone/apps/web/server.js",
        ".next/standalone/apps/web/.next/BUILD_ID",
        ".next/static/chunk.js",
    ]);
    let artifact = collect(&made.job, &Package::default(), Vec::new()).unwrap();
    assert_eq!(web(&artifact), "apps/web: env HOSTNAME=$HOST node server.js");
    assert!(made.job.output.join("apps/web/.next/static/chunk.js").is_file());
}

#[test]
fn exports_are_files_and_the_rest_runs_whole() {
    let export = built(&[".next/BUILD_ID", "out/index.html"]);
    let artifact = collect(&export.job, &Package::default(), Vec::new()).unwrap();
    assert!(artifact.files.is_some() && artifact.programs.is_empty());
    assert!(export.job.output.join("index.html").is_file());

    let whole = built(&[".next/BUILD_ID", "page.tsx"]);
    let artifact = collect(&whole.job, &Package::default(), Vec::new()).unwrap();
    assert_eq!(web(&artifact), ".: next start -p $PORT -H $HOST");

    let broken = built(&[".next/standalone/package.json"]);
    assert!(collect(&broken.job, &Package::default(), Vec::new()).is_err());
}

#[test]
fn fonts_that_cannot_be_fetched_are_explained() {
    let hint = build_hint("Failed to fetch `Geist` from Google Fonts.\n  at next/font: getaddrinfo").unwrap();
    assert!(hint.contains("fonts.googleapis.com"));
    assert_eq!(build_hint("something else"), None);
}
