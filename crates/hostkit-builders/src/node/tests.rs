//! What is a Node.js program, and how it is started.

use super::start::sign;
use super::*;
use std::fs;

fn signed(files: &[(&str, &str)]) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    sign(folder.path(), &Package::glance(folder.path())?)
}

#[test]
fn programs_are_told_from_sites() {
    assert!(signed(&[("package.json", r#"{"scripts": {"start": "node x.js"}}"#)]).is_some());
    assert!(signed(&[("package.json", "{}"), ("index.js", "")]).is_some());
    assert!(signed(&[("package.json", r#"{"main": "lib.js"}"#), ("lib.js", "")]).is_some());
    assert!(signed(&[("package.json", r#"{"dependencies": {"nuxt": "3"}}"#)]).is_some());
    assert_eq!(
        signed(&[("package.json", r#"{"devDependencies": {"vite": "6"}}"#)]),
        None
    );
    assert_eq!(
        signed(&[("package.json", r#"{"scripts": {"start": "react-scripts start"}}"#)]),
        None
    );
    assert_eq!(
        signed(&[("package.json", r#"{"scripts": {"build": "tailwindcss"}}"#)]),
        None
    );
    let page = [
        ("package.json", r#"{"scripts": {"build": "x"}}"#),
        ("index.html", ""),
        ("index.js", ""),
    ];
    assert_eq!(signed(&page), None);
    assert_eq!(signed(&[("index.js", "")]), None);
    assert_eq!(signed(&[("package.json", "not json"), ("index.js", "")]), None);
}
