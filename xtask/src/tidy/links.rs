//! What the documents point to is there: links to files, and paths of this repository in backticks.

use std::path::Path;

use crate::finding::Finding;
use crate::tree::{self, TextFile};

const FOLDERS: &[&str] = &[
    "bench/",
    "crates/",
    "docs/",
    "fixtures/",
    "schemas/",
    "script/",
    "xtask/",
];

/// Written by `script/bench` on the machine that measures; a clone may be without it.
const MADE_BY_MEASURING: &str = "bench/results.md";

/// Links and paths that lead nowhere.
pub(super) fn check(file: &TextFile) -> Vec<Finding> {
    judge(file, &|path| {
        path == Path::new(MADE_BY_MEASURING) || tree::root().join(path).exists()
    })
}

fn judge(file: &TextFile, exists: &dyn Fn(&Path) -> bool) -> Vec<Finding> {
    if !file.path.ends_with(".md") {
        return Vec::new();
    }
    let here = Path::new(&file.path).parent().unwrap_or(Path::new(""));
    let mut findings = Vec::new();
    for (at, line) in file.text.lines().enumerate() {
        let linked = links(line).map(|target| plain(&here.join(target)));
        let named = paths(line).map(|target| Path::new(target).to_path_buf());
        for path in linked.chain(named).filter(|path| !exists(path)) {
            let place = format!("{}:{}", file.path, at + 1);
            findings.push(Finding::fail(
                place,
                format!("points to `{}`, which is not there", path.display()),
            ));
        }
    }
    findings
}

/// `[text](target)`, without what leads elsewhere or into the same page.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .filter_map(|target| {
            let file = target.split('#').next().unwrap_or(target);
            (!file.is_empty() && !target.contains("://") && !target.starts_with("mailto:")).then_some(file)
        })
}

/// Paths of this repository in backticks; one with a gap such as `<name>` is a pattern.
fn paths(line: &str) -> impl Iterator<Item = &str> {
    line.split('`')
        .skip(1)
        .step_by(2)
        .filter(|text| FOLDERS.iter().any(|folder| text.starts_with(folder)))
        .filter(|text| !text.contains(['<', '*', ' ', '{', '…']))
}

/// The path without `..`.
fn plain(path: &Path) -> std::path::PathBuf {
    let mut plain = std::path::PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_nowhere_is_found() {
        let text =
            "see [a](../b.md#part), [out](https://x.example/c), `crates/lost/a.rs`, `crates/<name>/b.rs`\n";
        let file = TextFile {
            path: "docs/guides/one.md".to_owned(),
            text: text.to_owned(),
        };
        let findings = judge(&file, &|path| path == Path::new("docs/b.md"));
        assert_eq!(findings.len(), 1);
        assert!(findings[0].message.contains("crates/lost/a.rs"));
    }
}
