//! What docs/deploying.md and docs/domains.md say to type is typed, in their order, in the folder they speak of.

use std::path::PathBuf;

use crate::harness::Installation;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The words of a line, as a shell without variables reads them.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            c => words.last_mut().unwrap().push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Types the lines of a page in a folder called `shop`, and says how many they were.
fn type_lines_of(host: &Installation, page: &str) -> usize {
    let shop = host.sources().join("shop");
    std::fs::create_dir_all(&shop).unwrap();
    for file in ["Procfile", "package.json", "server.js", "worker.js"] {
        std::fs::copy(root().join("fixtures/apps/procfile").join(file), shop.join(file)).unwrap();
    }
    let text = std::fs::read_to_string(root().join("docs").join(page)).unwrap();
    let mut typed = 0;
    for line in text.lines().filter_map(|line| line.strip_prefix("$ hostkit ")) {
        let words = words(line);
        let arguments: Vec<&str> = words.iter().map(String::as_str).collect();
        let said = host.prepared(&arguments).current_dir(&shop).output().unwrap();
        let told = String::from_utf8_lossy(&said.stderr).into_owned();
        assert!(said.status.success(), "hostkit {line}\n{told}");
        typed += 1;
    }
    typed
}

#[test]
fn the_way_from_a_folder_to_a_url_is_as_written() {
    let host = Installation::start();
    let typed = type_lines_of(&host, "deploying.md");
    assert!(typed > 20, "{typed}");
    assert_eq!(host.get("shop", "/").status, 200);
    assert_eq!(host.get("shop--staging", "/").status, 200);
}

#[test]
fn the_way_to_a_domain_is_as_written() {
    let host = Installation::start();
    let typed = type_lines_of(&host, "domains.md");
    assert!(typed > 8, "{typed}");
    assert_eq!(host.get("shop", "/").status, 200);
    assert_eq!(host.get("www.shop", "/").status, 404);
}
