//! The page in the repository is the one the table makes.

use std::path::Path;

use super::*;

#[test]
fn the_page_in_the_repository_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/api.md");
    let page = page();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/api.md is not what the table says: run `UPDATE=1 cargo test -p hostkit-api`"
    );
}

#[test]
fn every_endpoint_and_every_type_it_links_to_is_on_the_page() {
    let page = page();
    for name in Name::ALL {
        let row = name.endpoint();
        assert!(page.contains(&format!("### {} {}\n", row.method, row.path)));
    }
    for link in page.split("](#").skip(1) {
        let anchor = link.split(')').next().unwrap();
        let found = page.lines().any(|l| {
            l.strip_prefix("### ")
                .is_some_and(|t| t.to_ascii_lowercase() == anchor)
        });
        assert!(found, "{anchor}");
    }
}
