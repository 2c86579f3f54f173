//! What programs print when something they need does not exist: modules, files, scripts, interpreters.

use super::super::{Cause, Explanation};
use super::{Lines, quoted, short};

pub(super) fn wrong_interpreter(lines: &Lines<'_>) -> Option<Explanation> {
    let (line, _) = lines.after(&[
        "bad interpreter",
        "Exec format error",
        "exec format error",
        "/usr/bin/env: ",
    ])?;
    let sentence = if line.contains("ormat error") {
        format!(
            "`{}` starts a file that this machine cannot run: it was built for another processor or system, or is a script without a first line `#!…`",
            lines.evidence.process
        )
    } else {
        format!(
            "the interpreter named in the first line of a script does not exist: {}",
            short(line)
        )
    };
    lines.found(
        Cause::WrongInterpreter,
        sentence,
        "start the script by its interpreter (`python main.py`, `node server.js`), save it with LF line ends, and build programs for this machine",
    )
}

pub(super) fn missing_node_module(lines: &Lines<'_>) -> Option<Explanation> {
    let (_, rest) = lines.after(&["Cannot find module ", "Cannot find package "])?;
    let module = quoted(rest)?;
    if module.starts_with(['/', '.']) {
        return lines.found(
            Cause::MissingNodeModule,
            format!("Node.js cannot find the file `{module}`"),
            "check the file name in the start command and its imports; files in .gitignore are not deployed, build output needs a build command",
        );
    }
    lines.found(
        Cause::MissingNodeModule,
        format!("the Node.js module `{module}` is not installed"),
        format!("`npm install {module}` (as a dependency, not a dev dependency), then deploy with the new lockfile"),
    )
}

pub(super) fn missing_python_module(lines: &Lines<'_>) -> Option<Explanation> {
    let (_, rest) = lines.after(&["No module named "])?;
    let module = quoted(rest).unwrap_or_else(|| rest.split_whitespace().next().unwrap_or(""));
    lines.found(
        Cause::MissingPythonModule,
        format!("the Python module `{}` is not installed, and is none of the project's files", short(module)),
        "add its package to requirements.txt or pyproject.toml; for a module of your own check `directory` and the start command",
    )
}

pub(super) fn missing_application(lines: &Lines<'_>) -> Option<Explanation> {
    let (line, _) = lines.after(&[
        "Error loading ASGI app",
        "Failed to find attribute",
        "Failed to parse '",
        "Could not import module",
        "Could not locate a Flask application",
    ])?;
    lines.found(
        Cause::MissingApplication,
        format!("the server finds no application to serve: {}", short(line)),
        "name the module and the object in the start command, as in `uvicorn main:app` for `app = …` in main.py",
    )
}

pub(super) fn missing_script(lines: &Lines<'_>) -> Option<Explanation> {
    let (_, rest) = lines.after(&[
        "Missing script: ",
        "missing script: ",
        "Command \"start\" not found",
        "ERR_PNPM_NO_SCRIPT",
    ])?;
    let script = quoted(rest).unwrap_or("start");
    lines.found(
        Cause::MissingScript,
        format!("package.json has no script `{script}`"),
        format!(
            "add a `{script}` script to package.json, or name a `command` below `[process.{}]`",
            lines.evidence.process
        ),
    )
}

pub(super) fn missing_build(lines: &Lines<'_>) -> Option<Explanation> {
    lines.after(&[
        "Could not find a production build",
        "production build could not be found",
    ])?;
    lines.found(
        Cause::MissingBuild,
        format!("`{}` finds no build output", lines.evidence.process),
        "name the build command: `command = \"npm run build\"` below `[build]`",
    )
}

pub(super) fn missing_library(lines: &Lines<'_>) -> Option<Explanation> {
    let (_, rest) = lines.after(&["error while loading shared libraries: "])?;
    let library = rest.split(':').next().unwrap_or(rest).trim();
    lines.found(
        Cause::MissingLibrary,
        format!("the system's library `{}` is not installed", short(library)),
        "install the package that has it on this machine, or use a dependency that brings its own",
    )
}

pub(super) fn command_not_found(lines: &Lines<'_>) -> Option<Explanation> {
    let said = lines
        .lines
        .iter()
        .rev()
        .find(|line| line.ends_with(": not found") || line.contains("command not found"));
    let program = said.and_then(|line| {
        let before = line
            .split(": command not found")
            .next()?
            .trim_end_matches(": not found");
        before.rsplit(": ").next()
    });
    match (program, lines.exit_code()) {
        (None, code) if code != Some(127) => None,
        (program, _) => {
            let which = program.map_or("a program of the start command".to_owned(), |p| {
                format!("`{}`", short(p))
            });
            lines.found(
                Cause::CommandNotFound,
                format!("`{}` cannot be started: {which} is not installed", lines.evidence.process),
                format!("check `command` below `[process.{}]`; programs of dependencies are found when the dependency is listed (requirements.txt, package.json)", lines.evidence.process),
            )
        }
    }
}

pub(super) fn missing_file(lines: &Lines<'_>) -> Option<Explanation> {
    let (line, rest) = lines.after(&[
        "ENOENT: no such file or directory",
        "FileNotFoundError",
        "can't open file",
        "No such file or directory",
    ])?;
    let file = quoted(rest).or_else(|| quoted(line));
    let sentence = match file {
        Some(file) => format!("`{}` finds no file `{}`", lines.evidence.process, short(file)),
        None => format!("`{}` finds no file: {}", lines.evidence.process, short(line)),
    };
    lines.found(
        Cause::MissingFile,
        sentence,
        "check that the file is deployed (.gitignore and .hostkitignore leave files out) and `directory`; what outlives releases belongs into `keep`",
    )
}
