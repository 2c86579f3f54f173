//! What a reader may rely on in every file: its size, its header, its name, its words.

mod catalogues;
mod files;
mod links;
mod texts;

use anyhow::Result;

use crate::finding::Finding;
use crate::tree;

/// Everything that is out of order.
pub(crate) fn check() -> Result<Vec<Finding>> {
    let files = tree::text_files()?;
    let mut findings = Vec::new();
    for file in &files {
        findings.extend(files::size(file));
        findings.extend(files::header(file));
        findings.extend(files::name(file));
        findings.extend(files::lints(file));
        findings.extend(links::check(file));
        findings.extend(texts::paths(file));
        findings.extend(texts::registries(file));
        findings.extend(texts::promises(file));
        findings.extend(texts::shells(file));
        findings.extend(texts::starts(file));
    }
    findings.extend(catalogues::check(&files));
    Ok(findings)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_repository_is_tidy() {
        crate::finding::assert_none(&super::check().unwrap());
    }
}
