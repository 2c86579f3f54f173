//! Words that must not stand in a file: paths of one machine, private registries, promises without an
//! issue, shell lines with data in them.

use crate::finding::Finding;
use crate::tree::TextFile;

/// Paths that exist on somebody's machine only. Written in pieces, so that this file passes its own check.
const MACHINE_PATHS: &[&str] = &[
    concat!("/work", "/main"),
    concat!("/work", "/shared"),
    concat!("/tmp/", "brief"),
];

/// Lines that name a path of one machine.
pub(super) fn paths(file: &TextFile) -> Vec<Finding> {
    lines_with(file, |line| MACHINE_PATHS.iter().any(|path| line.contains(path)))
        .map(|place| Finding::fail(place, "names a path of one machine"))
        .collect()
}

/// Lock files name the public registry or none.
pub(super) fn registries(file: &TextFile) -> Vec<Finding> {
    let foreign: fn(&str) -> bool = match file.name() {
        "package-lock.json" => |line| {
            let line = line.trim_start();
            line.starts_with("\"resolved\":") && !line.contains("\"https://registry.npmjs.org/")
        },
        "Cargo.lock" => |line| {
            line.starts_with("source = ")
                && line != "source = \"registry+https://github.com/rust-lang/crates.io-index\""
        },
        "requirements.txt" => |line| line.starts_with("-i") || line.starts_with("--") || line.contains("://"),
        _ => return Vec::new(),
    };
    lines_with(file, foreign)
        .map(|place| Finding::fail(place, "names another source than the public registry"))
        .collect()
}

/// What is left to do stands in an issue: `(#12)` follows the word.
pub(super) fn promises(file: &TextFile) -> Vec<Finding> {
    if !is_code(file) {
        return Vec::new();
    }
    let words = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
    let promise = move |line: &str| {
        words.iter().any(|word| {
            line.match_indices(word).any(|(at, _)| {
                let before = line[..at].chars().next_back();
                let after = &line[at + word.len()..];
                let whole = !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
                    && !after.starts_with(|c: char| c.is_alphanumeric() || c == '_');
                whole && !after.trim_start_matches('(').starts_with('#')
            })
        })
    };
    lines_with(file, promise)
        .map(|place| Finding::fail(place, "leaves work without naming its issue"))
        .collect()
}

/// A shell is given a user's own command as one argument; its text is never put together from data.
pub(super) fn shells(file: &TextFile) -> Vec<Finding> {
    if !file.is_rust() || file.is_test() {
        return Vec::new();
    }
    let lines: Vec<&str> = file.text.lines().collect();
    let mut findings = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let near = lines[at..lines.len().min(at + 3)].join(" ");
        let starts_shell = line.contains("\"-c\"") && !line.trim_start().starts_with("//");
        let template = line.contains("format!(\"sh -c") || line.contains("format!(\"/bin/sh -c");
        if template || (starts_shell && near.contains("format!(")) {
            let place = format!("{}:{}", file.path, at + 1);
            findings.push(Finding::fail(place, "gives a shell a text with data in it"));
        }
    }
    findings
}

/// Where programs may be started. The command line opens the user's browser by itself: it does not import the host.
const STARTERS: &[&str] = &[
    "crates/hostkit-host/",
    "crates/hostkit-cli/src/commands/open.rs",
    "xtask/",
];

/// Programs are started in one crate, where limits, environment and the end of descendants are seen to.
pub(super) fn starts(file: &TextFile) -> Vec<Finding> {
    if !file.is_rust() || file.is_test() || STARTERS.iter().any(|starter| file.path.starts_with(starter)) {
        return Vec::new();
    }
    let starts = |line: &str| line.contains(concat!("Command::", "new("));
    lines_with(file, starts)
        .map(|place| Finding::fail(place, "starts a program; only `hostkit-host` does"))
        .collect()
}

fn is_code(file: &TextFile) -> bool {
    let endings = [".rs", ".py", ".sh", ".js", ".mjs", ".ts", ".toml", ".yml"];
    endings.iter().any(|ending| file.path.ends_with(ending)) || file.path.starts_with("script/")
}

fn lines_with<'a>(
    file: &'a TextFile,
    matches: impl Fn(&str) -> bool + 'a,
) -> impl Iterator<Item = String> + 'a {
    file.text
        .lines()
        .enumerate()
        .filter(move |(_, line)| matches(line))
        .map(|(at, _)| format!("{}:{}", file.path, at + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> TextFile {
        TextFile {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn words_without_an_issue_are_found() {
        let word = concat!("TO", "DO");
        assert_eq!(promises(&file("a.rs", &format!("// {word}: later"))).len(), 1);
        assert!(promises(&file("a.rs", &format!("// {word}(#12): later"))).is_empty());
        assert!(promises(&file("a.rs", &format!("// MY{word}S"))).is_empty());
        assert!(promises(&file("a.md", word)).is_empty());
    }

    #[test]
    fn shell_lines_with_data_are_found() {
        let bad = "run(\"sh\", [\"-c\",\n  &format!(\"rm {path}\")])";
        assert_eq!(shells(&file("a.rs", bad)).len(), 1);
        assert!(shells(&file("a.rs", "run(\"/bin/sh\", [\"-c\", line])")).is_empty());
    }

    #[test]
    fn programs_are_started_in_one_place() {
        let text = concat!("let child = Command::", "new(\"git\");");
        assert_eq!(starts(&file("crates/hostkit-engine/src/a.rs", text)).len(), 1);
        assert!(starts(&file("crates/hostkit-host/src/a.rs", text)).is_empty());
    }

    #[test]
    fn private_registries_are_found() {
        let lock = "  \"resolved\": \"https://mirror.example/next.tgz\",";
        assert_eq!(registries(&file("a/package-lock.json", lock)).len(), 1);
        let public = "  \"resolved\": \"https://registry.npmjs.org/next/-/next.tgz\",";
        assert!(registries(&file("a/package-lock.json", public)).is_empty());
        assert_eq!(
            registries(&file("requirements.txt", "--index-url https://mirror.example")).len(),
            1
        );
    }
}
