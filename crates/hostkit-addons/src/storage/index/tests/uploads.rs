//! Uploads in parts: completed, completed wrongly, aborted.

use super::*;

fn begun(id: &str, name: &str) -> Upload {
    Upload {
        id: id.to_owned(),
        key: name.as_bytes().to_vec(),
        created: 1,
        details: Details::default(),
        tags: Tags::new(),
    }
}

async fn begin(opened: &Opened, id: &str, name: &str) {
    let upload = begun(id, name);
    opened
        .index
        .write(Vec::new(), move |change| change.begin_upload(&shop(), &upload))
        .await
        .unwrap();
}

async fn put_part(
    opened: &Opened,
    id: &'static str,
    number: u32,
    size: usize,
    etag: &str,
) -> Result<ContentId> {
    let content = opened.content(size);
    let part = Part {
        number,
        size: size as u64,
        modified: 1,
        etag: etag.to_owned(),
        content: content.id(),
        checksums: Checksums::default(),
    };
    let put = move |change: &Change<'_>| {
        change
            .put_part(&shop(), &key("big"), id, &part, Some(20 << 20))
            .map(|()| part.content)
    };
    opened.index.write(vec![content], put).await
}

async fn complete(opened: &Opened, id: &str, chosen: &[(u32, &str)], condition: Condition) -> Result<Object> {
    let wanted = Completion {
        bucket: shop(),
        key: key("big"),
        upload: id.to_owned(),
        chosen: chosen
            .iter()
            .map(|(number, etag)| ChosenPart {
                number: *number,
                etag: (*etag).to_owned(),
                checksums: Checksums::default(),
            })
            .collect(),
        condition,
        now: 9,
        quota: Some(20 << 20),
    };
    let judge = |_: &Upload, parts: &[Part]| Ok((format!("whole-{}", parts.len()), Checksums::default()));
    opened
        .index
        .write(Vec::new(), move |change| change.complete(&wanted, judge))
        .await
}

const LEAST: usize = 5 << 20;

#[tokio::test]
async fn parts_become_an_object_and_what_was_not_chosen_goes() {
    let opened = opened().await;
    begin(&opened, "u", "big").await;
    let second = put_part(&opened, "u", 2, 7, "two").await.unwrap();
    let replaced = put_part(&opened, "u", 1, LEAST, "old").await.unwrap();
    let first = put_part(&opened, "u", 1, LEAST, "one").await.unwrap();
    let unwanted = put_part(&opened, "u", 3, 9, "three").await.unwrap();
    assert!(!opened.is_there(replaced));
    assert_eq!(opened.usage().bytes, (LEAST + 16) as u64);
    let object = complete(&opened, "u", &[(1, "one"), (2, "two")], Condition::Absent)
        .await
        .unwrap();
    assert_eq!(
        object
            .pieces
            .iter()
            .map(|piece| piece.content)
            .collect::<Vec<_>>(),
        [first, second]
    );
    assert_eq!(opened.object("big").unwrap(), object);
    assert!(!opened.is_there(unwanted) && opened.is_there(first) && opened.is_there(second));
    assert_eq!(
        opened.usage(),
        Usage {
            objects: 1,
            bytes: (LEAST + 7) as u64
        }
    );
    // Who did not hear it asks again, and is told the same.
    assert_eq!(
        complete(&opened, "u", &[(1, "one")], Condition::Absent)
            .await
            .unwrap(),
        object
    );
    let other = complete(&opened, "v", &[(1, "one")], Condition::None).await;
    assert!(matches!(other, Err(StorageError::NoSuchUpload)));
}

#[tokio::test]
async fn parts_that_are_not_there_are_not_made_up() {
    let opened = opened().await;
    begin(&opened, "u", "big").await;
    put_part(&opened, "u", 1, 3, "one").await.unwrap();
    put_part(&opened, "u", 2, 3, "two").await.unwrap();
    type Case<'a> = (&'a [(u32, &'a str)], fn(&StorageError) -> bool);
    let cases: [Case<'_>; 6] = [
        (&[], |why| matches!(why, StorageError::InvalidPart(1))),
        (&[(3, "x")], |why| matches!(why, StorageError::InvalidPart(3))),
        (&[(1, "other")], |why| matches!(why, StorageError::InvalidPart(1))),
        (&[(1, "one"), (2, "two")], |why| {
            matches!(why, StorageError::PartTooSmall(1))
        }),
        (&[(2, "two"), (1, "one")], |why| {
            matches!(why, StorageError::PartOrder)
        }),
        (&[(1, "one"), (1, "one")], |why| {
            matches!(why, StorageError::PartOrder)
        }),
    ];
    for (chosen, is_right) in cases {
        let why = complete(&opened, "u", chosen, Condition::None).await.unwrap_err();
        assert!(is_right(&why), "{chosen:?}: {why}");
    }
    opened.put("big", 1, "there", Condition::None).await.unwrap();
    let late = complete(&opened, "u", &[(1, "one")], Condition::Absent).await;
    assert!(matches!(late, Err(StorageError::Precondition)));
    let found = opened
        .index
        .read(|c| parts(c, &shop(), &key("big"), "u", 0, 1))
        .unwrap();
    assert!(
        found.is_truncated && found.parts[0].etag == "one",
        "nothing was lost by trying"
    );
}

#[tokio::test]
async fn an_upload_is_only_that_of_its_key_and_is_gone_when_aborted() {
    let opened = opened().await;
    begin(&opened, "u", "big").await;
    begin(&opened, "v", "other").await;
    let foreign = put_part(&opened, "v", 1, 1, "x").await;
    assert!(matches!(foreign, Err(StorageError::NoSuchUpload)));
    let id = put_part(&opened, "u", 1, 1, "x").await.unwrap();
    let found = opened
        .index
        .read(|c| {
            uploads(
                c,
                &shop(),
                &UploadQuery {
                    most: 1,
                    ..UploadQuery::default()
                },
            )
        })
        .unwrap();
    assert!(found.is_truncated && found.uploads == [begun("u", "big")]);
    let abort = |change: &Change<'_>| change.abort_upload(&shop(), &key("big"), "u");
    opened.index.write(Vec::new(), abort).await.unwrap();
    assert!(!opened.is_there(id));
    assert_eq!(opened.usage().bytes, 0);
    let again = opened.index.write(Vec::new(), abort).await;
    assert!(matches!(again, Err(StorageError::NoSuchUpload)));
    let too_much = {
        begin(&opened, "u", "big").await;
        put_part(&opened, "u", 1, (20 << 20) + 1, "x").await
    };
    assert!(matches!(too_much, Err(StorageError::Quota { .. })));
}
