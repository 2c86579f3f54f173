//! The reference page is fresh, and the front page looks as it should.

use std::path::Path;

use crate::api::Api;

#[track_caller]
fn fresh(path: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, text).unwrap();
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        found == text,
        "`{path}` is stale: run `UPDATE=1 cargo test -p hostkit-cli`"
    );
}

#[test]
fn the_reference_is_fresh() {
    fresh("../../docs/cli.md", &hostkit_cli::reference());
}

#[test]
fn the_front_page_is_as_it_was() {
    let api = Api::start();
    let mut command = api.command(&["--help"]);
    let output = command.env("COLUMNS", "100").output().unwrap();
    fresh(
        "tests/it/front_page.txt",
        &String::from_utf8(output.stdout).unwrap(),
    );
}
