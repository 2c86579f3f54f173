//! Objects put, replaced, copied, removed, under conditions and a quota; and what is left of their files.

use std::os::unix::fs::PermissionsExt;

use super::*;

#[tokio::test]
async fn an_object_replaces_the_one_before_and_its_file() {
    let opened = opened().await;
    let first = opened.put("a", 3, "one", Condition::None).await.unwrap();
    let second = opened.put("a", 5, "two", Condition::None).await.unwrap();
    assert_eq!(opened.object("a").unwrap().etag, "two");
    assert!(!opened.is_there(first) && opened.is_there(second));
    assert_eq!(opened.usage(), Usage { objects: 1, bytes: 5 });
    let delete = |change: &Change<'_>| change.delete(&shop(), &key("a"), &Condition::None);
    assert!(opened.index.write(Vec::new(), delete).await.unwrap());
    assert!(!opened.index.write(Vec::new(), delete).await.unwrap());
    assert!(!opened.is_there(second));
    assert_eq!(opened.usage(), Usage { objects: 0, bytes: 0 });
}

#[tokio::test]
async fn of_many_that_may_only_be_the_first_one_is() {
    let opened = Arc::new(opened().await);
    let tries: Vec<_> = (0..20)
        .map(|n| {
            let opened = Arc::clone(&opened);
            tokio::spawn(async move { opened.put("a", n, &n.to_string(), Condition::Absent).await })
        })
        .collect();
    let mut won = Vec::new();
    for one in tries {
        match one.await.unwrap() {
            Ok(id) => won.push(id),
            Err(why) => assert!(matches!(why, StorageError::Precondition), "{why}"),
        }
    }
    assert_eq!(won.len(), 1);
    assert_eq!(opened.object("a").unwrap().pieces[0].content, won[0]);
    let swept = opened.contents.sweep(|ids| opened.index.known(ids)).unwrap();
    assert_eq!(swept, 0, "those who lost left files");
}

#[tokio::test]
async fn a_condition_names_what_must_be_there() {
    let opened = opened().await;
    let etag = |etag: &str| Condition::Etag(etag.to_owned());
    let none = opened.put("a", 1, "one", etag("one")).await;
    assert!(matches!(none, Err(StorageError::NoSuchKey)));
    opened.put("a", 1, "one", Condition::None).await.unwrap();
    let other = opened.put("a", 1, "two", etag("other")).await;
    assert!(matches!(other, Err(StorageError::Precondition)));
    opened.put("a", 1, "two", etag("one")).await.unwrap();
    opened.put("a", 1, "three", Condition::Present).await.unwrap();
    let before = Condition::Same("three".to_owned(), 4);
    let newer = opened
        .index
        .write(Vec::new(), move |change| {
            change.delete(&shop(), &key("a"), &before)
        })
        .await;
    assert!(matches!(newer, Err(StorageError::Precondition)));
}

#[tokio::test]
async fn a_copy_uses_the_same_files_and_outlives_the_original() {
    let opened = opened().await;
    let id = opened.put("a", 3, "one", Condition::None).await.unwrap();
    for target in ["b", "a"] {
        let copy = move |change: &Change<'_>| {
            let new = NewObject {
                bucket: shop(),
                key: key(target),
                object: change.object(&shop(), &key("a"))?,
                quota: None,
            };
            change.put(&new, &Condition::None)
        };
        opened.index.write(Vec::new(), copy).await.unwrap();
    }
    assert_eq!(opened.usage(), Usage { objects: 2, bytes: 6 });
    for (name, is_left) in [("a", true), ("b", false)] {
        opened
            .index
            .write(Vec::new(), move |change| {
                change.delete(&shop(), &key(name), &Condition::None)
            })
            .await
            .unwrap();
        assert_eq!(opened.is_there(id), is_left, "after `{name}` is gone");
    }
}

#[tokio::test]
async fn a_quota_lets_a_bucket_shrink_but_not_grow() {
    let opened = opened().await;
    opened
        .put_within("a", 8, "one", Condition::None, Some(10))
        .await
        .unwrap();
    let more = opened.put_within("b", 3, "two", Condition::None, Some(10)).await;
    assert!(matches!(
        more,
        Err(StorageError::Quota {
            quota: 10,
            needed: 11
        })
    ));
    assert!(matches!(opened.object("b"), Err(StorageError::NoSuchKey)));
    opened
        .put_within("a", 5, "two", Condition::None, Some(2))
        .await
        .unwrap();
    assert_eq!(opened.usage().bytes, 5);
}

#[tokio::test]
async fn all_is_there_again_after_a_new_start() {
    let before = opened().await;
    let id = before.put("../a", 3, "one", Condition::None).await.unwrap();
    let folder = Arc::clone(&before.folder);
    let path = folder.path().join("index.sqlite");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    before.index.copy_to(&folder.path().join("copy.sqlite")).unwrap();
    drop(before);
    let after = open_in(folder);
    assert_eq!(after.object("../a").unwrap().pieces[0].content, id);
    let copy = Index::open(&after.folder.path().join("copy.sqlite"), after.contents.clone()).unwrap();
    assert_eq!(
        copy.read(|c| objects(
            c,
            &shop(),
            &Query {
                most: 9,
                ..Query::default()
            }
        ))
        .unwrap()
        .objects
        .len(),
        1
    );
}

#[test]
fn what_is_no_index_of_ours_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let contents = Contents::open(folder.path().join("contents"), 0).unwrap();
    let path = folder.path().join("other.sqlite");
    let other = Connection::open(&path).unwrap();
    other
        .execute_batch("CREATE TABLE notes (x); PRAGMA user_version = 7")
        .unwrap();
    assert!(matches!(
        Index::open(&path, contents.clone()),
        Err(StorageError::Damaged(_))
    ));
    let text = folder.path().join("text");
    std::fs::write(
        &text,
        "not a database, but long enough to be looked at as one".repeat(20),
    )
    .unwrap();
    assert!(Index::open(&text, contents).is_err());
}

#[tokio::test]
async fn a_change_is_made_also_when_nobody_waits_for_it() {
    let opened = opened().await;
    let (begun, has_begun) = std::sync::mpsc::channel();
    let (go, may_go) = std::sync::mpsc::channel::<()>();
    let index = opened.index.clone();
    let content = opened.content(1);
    let new = NewObject {
        bucket: shop(),
        key: key("a"),
        object: Object {
            size: 1,
            modified: 1,
            etag: "e".to_owned(),
            pieces: vec![Piece {
                content: content.id(),
                size: 1,
            }],
            details: Details::default(),
            tags: Tags::new(),
        },
        quota: None,
    };
    let id = content.id();
    let asking = tokio::spawn(async move {
        index
            .write(vec![content], move |change| {
                begun.send(()).unwrap();
                may_go.recv().unwrap();
                change.put(&new, &Condition::None)
            })
            .await
    });
    tokio::task::spawn_blocking(move || has_begun.recv().unwrap())
        .await
        .unwrap();
    asking.abort();
    assert!(asking.await.unwrap_err().is_cancelled());
    go.send(()).unwrap();
    // The next change is made behind it.
    opened.index.write(Vec::new(), |_| Ok(())).await.unwrap();
    assert_eq!(opened.object("a").unwrap().pieces[0].content, id);
    assert!(opened.is_there(id));
}
