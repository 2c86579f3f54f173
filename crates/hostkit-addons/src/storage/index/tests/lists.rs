//! Lists against their definition, page by page, and at a size where reading all would show.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

async fn fill(opened: &Opened, keys: Vec<String>) {
    let fill = move |change: &Change<'_>| {
        for name in &keys {
            change.put(
                &NewObject {
                    bucket: shop(),
                    key: key(name),
                    object: Object {
                        size: 0,
                        modified: 1,
                        etag: "e".to_owned(),
                        pieces: Vec::new(),
                        details: Details::default(),
                        tags: Tags::new(),
                    },
                    quota: None,
                },
                &Condition::None,
            )?;
        }
        Ok(())
    };
    opened.index.write(Vec::new(), fill).await.unwrap();
}

fn list(opened: &Opened, query: &Query) -> ObjectList {
    opened.index.read(|c| objects(c, &shop(), query)).unwrap()
}

/// All of a list, page by page, keys and prefixes in one.
fn all(opened: &Opened, mut query: Query) -> Vec<String> {
    let mut found = Vec::new();
    loop {
        let page = list(opened, &query);
        assert!(page.objects.len() + page.prefixes.len() <= query.most);
        let mut names: Vec<String> = page.objects.into_iter().map(|one| one.key).collect();
        names.extend(page.prefixes);
        names.sort();
        found.extend(names);
        match page.next {
            Some(next) => query.from = next,
            None => return found,
        }
    }
}

/// What a list must be, by its definition.
fn expected(keys: &[&str], prefix: &str, delimiter: &str) -> Vec<String> {
    let mut found: Vec<String> = keys
        .iter()
        .filter_map(|key| {
            let rest = key.strip_prefix(prefix)?;
            match rest.find(delimiter).filter(|_| !delimiter.is_empty()) {
                Some(at) => Some(format!("{prefix}{}", &rest[..at + delimiter.len()])),
                None => Some((*key).to_owned()),
            }
        })
        .collect();
    found.sort();
    found.dedup();
    found
}

#[tokio::test]
async fn pages_of_every_size_make_the_same_list() {
    let opened = opened().await;
    let keys = [
        "a",
        "a/",
        "a/b",
        "a/b/c",
        "a/c",
        "a0",
        "dir",
        "dir/x",
        "dir//y",
        "../z",
        "/",
        "//",
        "ä/ö",
        "\u{10ffff}x",
        "z\u{7f}",
    ];
    fill(&opened, keys.iter().map(|key| (*key).to_owned()).collect()).await;
    for prefix in ["", "a", "a/", "dir", "dir/", "/", "..", "\u{10ffff}", "none"] {
        for delimiter in ["", "/", "b/", "ä"] {
            for most in [1, 2, 3, 1000] {
                let query = Query {
                    prefix: prefix.to_owned(),
                    delimiter: delimiter.to_owned(),
                    most,
                    ..Query::default()
                };
                let wanted = expected(&keys, prefix, delimiter);
                assert_eq!(all(&opened, query), wanted, "{prefix:?} {delimiter:?} {most}");
            }
        }
    }
}

#[tokio::test]
async fn a_list_begins_behind_a_key_or_a_common_prefix() {
    let opened = opened().await;
    fill(&opened, ["a", "b/1", "b/2", "c"].map(str::to_owned).to_vec()).await;
    for (marker, delimiter, wanted) in [
        ("a", "", vec!["b/1", "b/2", "c"]),
        ("b/1", "", vec!["b/2", "c"]),
        ("b/", "/", vec!["c"]),
        ("b/1", "/", vec!["b/", "c"]),
        ("zzz", "", vec![]),
        ("\u{10ffff}", "", vec![]),
    ] {
        let mut query = Query {
            delimiter: delimiter.to_owned(),
            most: 10,
            ..Query::default()
        };
        query.behind(marker);
        assert_eq!(all(&opened, query), wanted, "{marker:?} {delimiter:?}");
    }
    assert_eq!(
        list(&opened, &Query::default()),
        ObjectList::default(),
        "none are asked for"
    );
}

#[tokio::test]
async fn a_hundred_thousand_objects_are_skipped_and_not_read() {
    let opened = opened().await;
    let keys = (0..100_000).map(|n| format!("day-{:02}/{n:06}", n % 50));
    fill(&opened, keys.collect()).await;
    let folders = Query {
        delimiter: "/".to_owned(),
        most: 1000,
        ..Query::default()
    };
    // SQLite counts its own steps, so that a slow machine does not matter: 50 looks, and not 100,000 rows.
    let steps = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&steps);
    let mut connection = super::super::open::for_reading(&opened.folder.path().join("index.sqlite")).unwrap();
    let count = move || {
        counted.fetch_add(1, Ordering::Relaxed);
        false
    };
    connection.progress_handler(1, Some(count)).unwrap();
    let found = objects(&connection, &shop(), &folders).unwrap();
    assert_eq!(found.prefixes.len(), 50);
    let steps = steps.load(Ordering::Relaxed);
    assert!(steps < 5_000, "{steps} steps");
    let page = Query {
        prefix: "day-07/".to_owned(),
        most: 1000,
        ..Query::default()
    };
    assert_eq!(all(&opened, page).len(), 2_000);
}

#[test]
fn nothing_stands_behind_the_last_prefix() {
    assert_eq!(super::super::list::after_prefix(b"a/"), Some(b"a0".to_vec()));
    assert_eq!(
        super::super::list::after_prefix(b"a\xff\xff"),
        Some(b"b".to_vec())
    );
    assert_eq!(super::super::list::after_prefix(b"\xff"), None);
    assert_eq!(super::super::list::after_prefix(b""), None);
}
