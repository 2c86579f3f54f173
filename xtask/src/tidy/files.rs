//! A file as a whole: how long it is, how it opens, what it is called, which lints it takes over.

use crate::finding::Finding;
use crate::tree::TextFile;

const AIM: usize = 300;
const LIMIT: usize = 500;

/// Names that say nothing of what is inside.
const EMPTY_NAMES: &[&str] = &[
    "common", "helper", "helpers", "manager", "misc", "util", "utils", "service", "handler", "info",
];

/// Lines that are not tests: 300 is a warning, 500 the end.
pub(super) fn size(file: &TextFile) -> Option<Finding> {
    if !file.is_rust() || file.is_test() {
        return None;
    }
    let lines = lines_before_tests(&file.text);
    let message = format!("{lines} lines that are not tests (aim at 200, {LIMIT} is the limit): split it");
    if lines > LIMIT {
        return Some(Finding::fail(&file.path, message));
    }
    (lines > AIM).then(|| Finding::warn(&file.path, message))
}

/// Every Rust file says in its first lines what it owns; `tests.rs` is about the module it lies in.
pub(super) fn header(file: &TextFile) -> Option<Finding> {
    let opens = !file.is_rust() || file.name() == "tests.rs" || file.text.starts_with("//! ");
    (!opens).then(|| Finding::fail(&file.path, "does not open with `//!` lines that say what it owns"))
}

/// No file or folder is called by what says nothing.
pub(super) fn name(file: &TextFile) -> Option<Finding> {
    if !file.is_rust() {
        return None;
    }
    let empty = file
        .path
        .trim_end_matches(".rs")
        .split('/')
        .find(|part| EMPTY_NAMES.contains(part))?;
    Some(Finding::fail(
        &file.path,
        format!("the name `{empty}` does not say what is inside"),
    ))
}

/// Every package takes over the lints of the workspace.
pub(super) fn lints(file: &TextFile) -> Option<Finding> {
    let package = file.name() == "Cargo.toml" && file.text.contains("[package]");
    let inherits = || file.text.contains("[lints]\nworkspace = true");
    (package && !inherits()).then(|| Finding::fail(&file.path, "does not take over the workspace's lints"))
}

fn lines_before_tests(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let tests = lines
        .windows(2)
        .position(|pair| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod ") && pair[1].ends_with('{'));
    tests.unwrap_or(lines.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Level;

    fn file(path: &str, text: &str) -> TextFile {
        TextFile {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn long_files_are_found_and_tests_do_not_count() {
        let long = "x\n".repeat(501);
        assert_eq!(size(&file("a/b.rs", &long)).unwrap().level, Level::Fail);
        assert_eq!(
            size(&file("a/b.rs", &"x\n".repeat(301))).unwrap().level,
            Level::Warn
        );
        assert!(size(&file("a/tests.rs", &long)).is_none());
        assert!(size(&file("a/b.md", &long)).is_none());
        assert!(
            size(&file(
                "a/b.rs",
                &format!("x\n#[cfg(test)]\nmod tests {{\n{long}}}")
            ))
            .is_none()
        );
    }

    #[test]
    fn headers_and_names() {
        assert!(header(&file("a.rs", "//! Owns a.\n")).is_none());
        assert!(header(&file("a.rs", "use b;\n")).is_some());
        assert!(name(&file("src/util.rs", "")).is_some());
        assert!(name(&file("src/helpers/disk.rs", "")).is_some());
        assert!(name(&file("src/disk.rs", "")).is_none());
    }

    #[test]
    fn packages_take_over_the_lints() {
        assert!(lints(&file("a/Cargo.toml", "[package]\n")).is_some());
        assert!(lints(&file("a/Cargo.toml", "[package]\n[lints]\nworkspace = true\n")).is_none());
        assert!(lints(&file("Cargo.toml", "[workspace]\n")).is_none());
    }
}
