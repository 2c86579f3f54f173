//! What starts a Node.js program: the `start` script, taken apart so that signals reach the program itself, else a
//! file with a usual name.

use std::path::Path;

use hostkit_core::manifest::Command;
use hostkit_core::names::RelativePath;
use hostkit_core::release::Program;

use crate::shared::javascript::Project;
use crate::shared::package::{Package, plain_words};
use crate::shared::programs::{Surroundings, relative};
use crate::shared::tree;
use crate::shared::workshop::arguments;

/// Files that are started where nothing else is said, the built ones of frameworks last.
const ENTRIES: [&str; 12] = [
    "index.js",
    "server.js",
    "app.js",
    "main.js",
    "index.mjs",
    "server.mjs",
    "src/index.js",
    "src/server.js",
    "dist/index.js",
    "dist/main.js",
    "build/index.js",
    ".output/server/index.mjs",
];
/// Packages that make a program which serves pages, though no script says so.
const SERVER_PACKAGES: [&str; 5] = [
    "nuxt",
    "@sveltejs/adapter-node",
    "@astrojs/node",
    "@react-router/serve",
    "@remix-run/serve",
];
/// Packages that programs listen with.
const SERVERS: [&str; 6] = ["express", "fastify", "koa", "hono", "@nestjs/core", "ws"];
/// Scripts that start a server for developers, which is nothing to run for visitors.
const DEVELOPER_SERVERS: [&str; 9] = [
    "vite",
    "react-scripts start",
    "vue-cli-service serve",
    "ng serve",
    "astro dev",
    "gatsby develop",
    "parcel",
    "eleventy --serve",
    "docusaurus start",
];

/// By what sign a folder with this package.json is a program; nothing where it is none.
pub(super) fn sign(folder: &Path, package: &Package) -> Option<String> {
    if let Some(line) = package.scripts.get("start") {
        return (!is_for_developers(line)).then(|| "package.json with a `start` script".into());
    }
    if let Some(name) = SERVER_PACKAGES.iter().find(|name| package.depends_on(name)) {
        return Some(format!("package.json with a `{name}` dependency"));
    }
    if let Some(main) = package
        .main
        .as_deref()
        .filter(|main| tree::has_file(folder, main))
    {
        return Some(format!("package.json whose `main` is `{main}`"));
    }
    if tree::has_file(folder, crate::procfile::FILE_NAME) {
        return Some("package.json and a Procfile that says what is started".into());
    }
    let entry = ENTRIES[..8].iter().find(|entry| tree::has_file(folder, entry))?;
    (!is_site(folder, package)).then(|| format!("package.json and `{entry}`"))
}

/// Whether the files with usual names are a page's, not a program's: a page is there, and a build, and no server.
fn is_site(folder: &Path, package: &Package) -> bool {
    let has_page = ["index.html", "public/index.html"]
        .iter()
        .any(|page| tree::has_file(folder, page));
    let has_server = SERVERS.iter().any(|server| package.depends_on(server));
    package.scripts.contains_key("build") && has_page && !has_server
}

/// What every Node.js program finds.
pub(super) fn surroundings() -> Surroundings {
    Surroundings {
        path: vec![relative("node_modules/.bin")],
        variables: [("NODE_ENV".to_owned(), "production".to_owned())].into(),
    }
}

/// The program to start, from the folder as it is after the build.
pub(super) fn proposal(folder: &Path, project: &Project, assumed: &mut Vec<String>) -> Option<Program> {
    let package = &project.package;
    if let Some(line) = package
        .scripts
        .get("start")
        .filter(|line| !is_for_developers(line))
    {
        return Some(from_script(line, package, project, assumed));
    }
    let main = package
        .main
        .as_deref()
        .filter(|main| RelativePath::parse(main).is_ok());
    let entry = main
        .into_iter()
        .chain(ENTRIES)
        .find(|entry| tree::has_file(folder, entry));
    let Some(entry) = entry else {
        assumed.push(
            "Nothing to start was found: add a `start` script to package.json, or a command to hostkit.toml."
                .into(),
        );
        return None;
    };
    assumed.push(format!(
        "`node {entry}` is started: package.json has no `start` script."
    ));
    Some(surroundings().program(arguments(["node", entry]), RelativePath::root()))
}

fn from_script(line: &str, package: &Package, project: &Project, assumed: &mut Vec<String>) -> Program {
    let mut surroundings = surroundings();
    let alone = !package.scripts.contains_key("prestart") && !package.scripts.contains_key("poststart");
    let command = match plain_words(line).filter(|_| alone) {
        Some((variables, command)) => {
            surroundings.variables.extend(variables);
            command
        }
        None if alone => Command::Line(line.to_owned()),
        None => project.start_by_manager(),
    };
    assumed.push(format!("The `start` script is what runs: `{line}`."));
    surroundings.program(command, RelativePath::root())
}

fn is_for_developers(line: &str) -> bool {
    let line = line.trim();
    DEVELOPER_SERVERS.iter().any(|server| {
        line == *server
            || line
                .strip_prefix(server)
                .is_some_and(|rest| rest.starts_with(' '))
    }) && !line.starts_with("vite preview")
}
