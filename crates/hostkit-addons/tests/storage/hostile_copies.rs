//! Copies that somebody made to do harm, or that are broken: refused, with nothing of them left and nothing changed.

use std::io::{Read, Write};

use hostkit_core::kind::Kind;
use rusqlite::Connection;
use tar::{Archive, Builder, EntryType, Header};

use crate::copies::Kept;
use hostkit_testkit::conformance::copies::CopiesFixture;

/// An entry: its kind, path, bytes.
type One = (EntryType, String, Vec<u8>);

fn entries(tar: &[u8]) -> Vec<One> {
    let mut archive = Archive::new(tar);
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        (entry.header().entry_type(), path, bytes)
    });
    entries.collect()
}

/// With names as they are, which [`Builder`] would refuse.
fn packed(entries: &[One]) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    for (kind, path, bytes) in entries {
        let mut header = Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_size(bytes.len() as u64);
        header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_cksum();
        tar.append(&header, bytes.as_slice()).unwrap();
    }
    tar.into_inner().unwrap()
}

/// The same with another index: what `change` makes of it.
fn with_index(good: &[One], change: &str) -> Vec<u8> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&good[0].2).unwrap();
    let index = Connection::open(file.path()).unwrap();
    index.pragma_update(None, "writable_schema", true).unwrap();
    index.execute_batch(change).unwrap();
    drop(index);
    let mut entries = good.to_vec();
    entries[0].2 = std::fs::read(file.path()).unwrap();
    packed(&entries)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_is_none_is_refused_and_nothing_of_it_is_left() {
    let kept = Kept::new().await;
    kept.fill("good").await;
    let (tar, counts) = kept.export().await;
    let good = entries(&tar);
    assert!(good.len() > 3);
    let file = |kind, path: &str| (kind, path.to_owned(), b"hostile".to_vec());
    let with = |one: One| packed(&[good.clone(), vec![one]].concat());
    let unknown = format!("contents/00/{}", "0".repeat(32));
    let changed = |act: &dyn Fn(&mut Vec<One>)| {
        let mut entries = good.clone();
        act(&mut entries);
        packed(&entries)
    };
    let hostile: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", Vec::new()),
        ("no archive", b"hostile".repeat(1000)),
        ("only its end", packed(&[])),
        ("no index", packed(&good[1..])),
        ("another name", with(file(EntryType::Regular, "other"))),
        ("a way out", with(file(EntryType::Regular, "../../../escaped"))),
        (
            "a way out below",
            with(file(EntryType::Regular, "contents/../../escaped")),
        ),
        ("an absolute path", with(file(EntryType::Regular, "/tmp/escaped"))),
        ("a link", with(file(EntryType::Symlink, &unknown))),
        ("a second name", with(file(EntryType::Link, &unknown))),
        ("a device", with(file(EntryType::Block, &unknown))),
        ("a pipe", with(file(EntryType::Fifo, &unknown))),
        ("a folder", with(file(EntryType::Directory, "contents/00"))),
        (
            "a long name",
            with((EntryType::GNULongName, "x".into(), vec![b'x'; 1 << 20])),
        ),
        ("a file of nobody's", with(file(EntryType::Regular, &unknown))),
        ("a file twice", with(good[1].clone())),
        ("a file that is missing", changed(&|all| drop(all.pop()))),
        (
            "a file that is shorter",
            changed(&|all| assert!(all[1].2.pop().is_some())),
        ),
        ("a file that is longer", changed(&|all| all[1].2.push(0))),
        ("a file with another byte", changed(&|all| all[1].2[0] ^= 1)),
        (
            "a part with another byte",
            changed(&|all| {
                let part = all.iter_mut().find(|one| one.2 == b"3").unwrap();
                part.2[0] = b'4';
            }),
        ),
        ("cut off", tar[..tar.len() / 2].to_vec()),
        (
            "an index that is none",
            changed(&|all| all[0].2 = b"hostile".repeat(1000)),
        ),
        ("an index that is empty", changed(&|all| all[0].2.clear())),
        (
            "a broken index",
            changed(&|all| {
                let length = all[0].2.len();
                all[0].2[length / 2..].fill(7);
            }),
        ),
        ("another database", with_index(&good, "PRAGMA application_id = 7")),
        ("a newer one", with_index(&good, "PRAGMA user_version = 9")),
        (
            "a trigger",
            with_index(
                &good,
                "CREATE TRIGGER t AFTER UPDATE ON bucket BEGIN DELETE FROM object; END",
            ),
        ),
        ("a view", with_index(&good, "CREATE VIEW v AS SELECT 1")),
        (
            "more uses",
            with_index(&good, "UPDATE content_use SET uses = uses + 1"),
        ),
        (
            "files of nobody's",
            with_index(&good, "INSERT INTO content_use VALUES (zeroblob(16), 1)"),
        ),
        ("fewer bytes", with_index(&good, "UPDATE bucket SET bytes = 0")),
        (
            "an object of no bucket",
            with_index(&good, "PRAGMA foreign_keys = OFF; UPDATE object SET bucket = 99"),
        ),
        (
            "another size",
            with_index(
                &good,
                "UPDATE object SET size = size + 1 WHERE key = CAST('copy' AS BLOB)",
            ),
        ),
        (
            "another tag",
            with_index(&good, "UPDATE object SET etag = 'e' || substr(etag, 2)"),
        ),
        (
            "no key",
            with_index(
                &good,
                "UPDATE object SET key = x'ff' WHERE key = CAST('copy' AS BLOB)",
            ),
        ),
        (
            "no bucket's name",
            with_index(&good, "UPDATE bucket SET name = '../x'"),
        ),
        (
            "pieces that are none",
            with_index(&good, "UPDATE object SET pieces = x'00'"),
        ),
        (
            "details that are none",
            with_index(&good, "UPDATE object SET details = '{'"),
        ),
    ];
    for (what, tar) in hostile {
        let refused = kept.stage(&tar).await;
        let refused = refused.expect_err(what);
        assert_eq!(refused.kind, Kind::Failed, "{what}: {refused}");
        assert!(kept.is_clean().await, "{what}");
    }
    let above = kept.folder().join("../../..");
    assert!(!above.join("escaped").exists() && !std::path::Path::new("/tmp/escaped").exists());
    assert_eq!(kept.word().await, "good");
    assert_eq!(
        kept.stage(&packed(&good)).await.unwrap(),
        counts,
        "else this proves nothing"
    );
}
