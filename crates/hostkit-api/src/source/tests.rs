//! The short form of entries, there and back, and what it refuses.

use super::*;

const HASH: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn tree(json: &str) -> Result<Tree, String> {
    serde_json::from_str(json).map_err(|e| e.to_string())
}

#[test]
fn every_form_survives_the_way_there_and_back() {
    let json = format!(
        r#"{{"files":[["a.js","{HASH}",120],["bin/run","{HASH}",0,"x"],["latest","v2"],["naïve \"q\".txt","{HASH}",18446744073709551615]]}}"#
    );
    let tree = tree(&json).unwrap();
    assert_eq!(serde_json::to_string(&tree).unwrap(), json);
    assert!(matches!(
        tree.files[1].0.content,
        SourceContent::File {
            executable: true,
            size: 0,
            ..
        }
    ));
    assert!(matches!(&tree.files[2].0.content, SourceContent::Link { target } if target == "v2"));
}

#[test]
fn hostile_entries_are_refused_with_the_reason() {
    for (entry, reason) in [
        (r#"["../etc/passwd","v"]"#.to_owned(), "relative path"),
        (r#"["/etc/passwd","v"]"#.to_owned(), "relative path"),
        (format!(r#"["a","{HASH}",-1]"#), "invalid value"),
        (format!(r#"["a","{HASH}",1e400]"#), "number out of range"),
        (r#"["a","abc",1]"#.to_owned(), "64 lowercase hex"),
        (format!(r#"["a","{HASH}",1,"w"]"#), "fourth part"),
        (format!(r#"["a","{HASH}",1,"x",1]"#), "invalid length"),
        (r#"["a"]"#.to_owned(), "invalid length"),
        (r#"[]"#.to_owned(), "invalid length"),
        (r#"{}"#.to_owned(), "expected an entry"),
    ] {
        let why = tree(&format!(r#"{{"files":[{entry}]}}"#)).unwrap_err();
        assert!(why.contains(reason), "{entry}: {why}");
    }
    assert!(tree(r#"{"files":[],"filse":[]}"#).unwrap_err().contains("filse"));
}
