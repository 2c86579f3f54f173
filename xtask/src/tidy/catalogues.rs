//! A plug-in is one folder and one line in its family's catalogue: no folder without its line.

use std::collections::BTreeSet;

use crate::finding::Finding;
use crate::tree::TextFile;

/// The crates whose `src/lib.rs` is a catalogue of the folders beside it.
const FAMILIES: &[&str] = &[
    "crates/hostkit-addons/src/",
    "crates/hostkit-builders/src/",
    "crates/hostkit-runtimes/src/",
];

/// Folders that their catalogue does not use.
pub(super) fn check(files: &[TextFile]) -> Vec<Finding> {
    FAMILIES.iter().flat_map(|family| judge(family, files)).collect()
}

fn judge(family: &str, files: &[TextFile]) -> Vec<Finding> {
    let catalogue = format!("{family}lib.rs");
    let Some(text) = files
        .iter()
        .find(|file| file.path == catalogue)
        .map(|file| file.text.as_str())
    else {
        return vec![Finding::fail(catalogue, "is missing")];
    };
    let folders: BTreeSet<&str> = files
        .iter()
        .filter_map(|file| file.path.strip_prefix(family)?.split_once('/'))
        .map(|(folder, _)| folder)
        .filter(|folder| !["shared", "bin"].contains(folder))
        .collect();
    folders
        .into_iter()
        .filter(|folder| !is_listed(folder, text))
        .map(|folder| {
            Finding::fail(
                &catalogue,
                format!("does not list the folder `{folder}` beside it"),
            )
        })
        .collect()
}

/// A public module is for the binary to name; a private one has to be used by the catalogue itself.
fn is_listed(folder: &str, text: &str) -> bool {
    let public = text.contains(&format!("pub mod {folder};"));
    let private = text.contains(&format!("mod {folder};"));
    public || (private && text.contains(&format!("{folder}::")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_its_line_is_found() {
        let file = |path: &str, text: &str| TextFile {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        let files = [
            file(
                "f/src/lib.rs",
                "mod node;\nmod lost;\nfn catalogue() { node::Node }",
            ),
            file("f/src/node/mod.rs", ""),
            file("f/src/lost/mod.rs", ""),
            file("f/src/shared/tree.rs", ""),
        ];
        let findings = judge("f/src/", &files);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].message.contains("`lost`"));
    }
}
