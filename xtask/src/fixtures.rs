//! The sample apps: each folder says what it shows, what to expect of it, and which line to change.

use anyhow::{Context, Result};
use toml::Table;

use crate::finding::Finding;
use crate::tree;

/// Every sample app that does not say enough of itself.
pub(crate) fn check() -> Result<Vec<Finding>> {
    let folder = tree::root().join("fixtures/apps");
    let mut findings = Vec::new();
    for entry in std::fs::read_dir(&folder).context("cannot read `fixtures/apps`")? {
        let app = entry?;
        let place = format!("fixtures/apps/{}", app.file_name().to_string_lossy());
        if !app.file_type()?.is_dir() {
            continue;
        }
        let Ok(text) = std::fs::read_to_string(app.path().join("expect.toml")) else {
            findings.push(Finding::fail(place, "has no expect.toml"));
            continue;
        };
        let expect: Table = text
            .parse()
            .with_context(|| format!("cannot read `{place}/expect.toml`"))?;
        for key in ["shows", "processes", "change", "request"] {
            if !expect.contains_key(key) {
                findings.push(Finding::fail(&place, format!("expect.toml does not say `{key}`")));
            }
        }
        if let Some(problem) = change_problem(&app.path(), &expect) {
            findings.push(Finding::fail(place, problem));
        }
    }
    Ok(findings)
}

/// A change must hit one line of one file, or scripts that deploy it change nothing or too much.
fn change_problem(app: &std::path::Path, expect: &Table) -> Option<String> {
    let change = expect.get("change")?;
    let file = change.get("file")?.as_str()?;
    let from = change.get("from")?.as_str()?;
    let text = std::fs::read_to_string(app.join(file)).unwrap_or_default();
    let hits = text.matches(from).count();
    (hits != 1).then(|| format!("`{from}` stands {hits} times in `{file}`, not once"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_sample_app_says_what_to_expect() {
        crate::finding::assert_none(&super::check().unwrap());
    }
}
