//! Uploads: plan, contents, commit; archives; and everything hostile about them.

use std::time::Instant;

use bytes::Bytes;
use futures_util::stream;
use hostkit_api::endpoints::{CommitSource, NoQuery, PlanSource, PutContents, UploadArchive};
use hostkit_api::source::{Entry, Tree};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::RelativePath;
use hostkit_core::source::{SourceContent, SourceFile};
use tokio::io::AsyncWriteExt;

use crate::contents::{archive, hash, odd};
use crate::house::{House, project, until};

fn tree(contents: &[&[u8]]) -> Tree {
    let entry = |(n, bytes): (usize, &&[u8])| {
        Entry(SourceFile {
            path: RelativePath::parse(&format!("src/file-{n}.js")).unwrap(),
            content: SourceContent::File {
                hash: hash(bytes),
                size: bytes.len() as u64,
                executable: n % 2 == 0,
            },
        })
    };
    Tree {
        files: contents.iter().enumerate().map(entry).collect(),
    }
}

fn pieces(bytes: Vec<u8>) -> impl futures_util::Stream<Item = std::io::Result<Bytes>> + Send + 'static {
    let pieces: Vec<_> = bytes
        .chunks(1000)
        .map(|c| Ok(Bytes::copy_from_slice(c)))
        .collect();
    stream::iter(pieces)
}

/// Nothing of an upload is left in the project's folder.
fn is_clean(house: &House) -> bool {
    let folder = house.layout.project(&project("shop"));
    let left = std::fs::read_dir(folder).into_iter().flatten().flatten();
    left.filter(|e| e.file_name().to_string_lossy().starts_with(".upload-"))
        .count()
        == 0
}

#[tokio::test]
async fn a_source_arrives_in_three_calls_and_then_in_one() {
    let house = House::with_shop().await;
    let (client, shop, no) = (house.client(), project("shop"), NoQuery {});
    let contents: [&[u8]; 4] = [b"one", b"two", b"", b"one"];
    let tree = tree(&contents);
    let plan = client.call::<PlanSource>(&shop, &no, &tree).await.unwrap();
    assert_eq!((plan.missing.len(), &plan.source), (3, &None));
    let zstd = zstd::encode_all(&archive(&contents[..2])[..], 3).unwrap();
    let stored = client
        .upload::<PutContents>(&shop, &no, pieces(zstd))
        .await
        .unwrap();
    assert_eq!((stored.contents, stored.bytes), (2, 6));
    let plain = archive(&contents[2..3]);
    let stored = client
        .upload::<PutContents>(&shop, &no, pieces(plain))
        .await
        .unwrap();
    assert_eq!((stored.contents, stored.bytes), (1, 0));
    let made = client.call::<CommitSource>(&shop, &no, &tree).await.unwrap();
    let plan = client.call::<PlanSource>(&shop, &no, &tree).await.unwrap();
    assert_eq!(plan.source, Some(made.source));
    assert!(plan.missing.is_empty() && is_clean(&house));
}

#[tokio::test]
async fn an_archive_becomes_a_source() {
    let house = House::with_shop().await;
    let body = pieces(b"not looked into by the fake".to_vec());
    let source = house
        .client()
        .upload::<UploadArchive>(&project("shop"), &NoQuery {}, body)
        .await
        .unwrap();
    assert!(house.sources.trees(&project("shop")).contains(&source.source));
    assert!(is_clean(&house));
}

#[tokio::test]
async fn hostile_contents_are_refused_and_leave_nothing() {
    use tar::EntryType;
    let house = House::with_shop().await;
    let (client, shop) = (house.client(), project("shop"));
    let name = "0".repeat(64);
    let mut cut = archive(&[&[1; 5000]]);
    cut.truncate(2000);
    let bomb = zstd::encode_all(&odd(&name, EntryType::Regular, &vec![0; 9 << 20])[..], 3).unwrap();
    assert!(bomb.len() < 10_000);
    for (what, body, kind) in [
        ("no archive", vec![b'x'; 3000], Kind::Invalid),
        ("a cut archive", cut, Kind::Invalid),
        (
            "zstd of nonsense",
            [&[0x28, 0xb5, 0x2f, 0xfd][..], &[1; 100]].concat(),
            Kind::Invalid,
        ),
        (
            "a path",
            odd("../../etc/passwd", EntryType::Regular, b"x"),
            Kind::Invalid,
        ),
        (
            "a folder",
            odd(&format!("{}/", &name[..63]), EntryType::Directory, b""),
            Kind::Invalid,
        ),
        ("a link", odd(&name, EntryType::Symlink, b""), Kind::Invalid),
        ("a device", odd(&name, EntryType::Char, b""), Kind::Invalid),
        (
            "a long name",
            odd("././@LongLink", EntryType::GNULongName, &[b'a'; 4000]),
            Kind::Invalid,
        ),
        ("a bomb", bomb, Kind::TooLarge),
    ] {
        let refused = client
            .upload::<PutContents>(&shop, &NoQuery {}, pieces(body))
            .await;
        let failure = refused.expect_err(what);
        assert_eq!(failure.kind, kind, "{what}: {failure}");
    }
    let twenty_one_thousand: Vec<&[u8]> = vec![b""; 20_001];
    let many = zstd::encode_all(&archive(&twenty_one_thousand)[..], 1).unwrap();
    let failure = client
        .upload::<PutContents>(&shop, &NoQuery {}, pieces(many))
        .await
        .unwrap_err();
    assert_eq!(failure.kind, Kind::TooLarge, "{failure}");
    until("nothing is left", || is_clean(&house)).await;
}

#[tokio::test]
async fn what_the_store_of_sources_refuses_comes_back_as_it_was() {
    let house = House::with_shop().await;
    let failure = Failure::new(
        Kind::Invalid,
        "cannot store a content: it is not what its hash says",
    )
    .hint("send it again");
    house.sources.faults.fail_next("put", failure.clone());
    // Large, so that the sender is still at it when the answer is known.
    let contents = vec![5u8; 4 << 20];
    let body = pieces(archive(&[b"small", &contents]));
    let told = house
        .client()
        .upload::<PutContents>(&project("shop"), &NoQuery {}, body)
        .await
        .unwrap_err();
    assert_eq!(told, failure);
}

#[tokio::test]
async fn a_sender_that_goes_away_leaves_nothing() {
    let house = House::with_shop().await;
    for path in ["blobs", "archives"] {
        let method = if path == "blobs" { "PUT" } else { "POST" };
        let mut stream = tokio::net::UnixStream::connect(house.socket()).await.unwrap();
        let head = format!(
            "{method} /api/projects/shop/{path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\ncontent-length: 100000\r\n\r\n",
            house.admin
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&archive(&[&[1; 5000]])[..3000]).await.unwrap();
        until("it is being written", || !is_clean(&house)).await;
        drop(stream);
        until("nothing is left", || is_clean(&house)).await;
    }
}

#[tokio::test]
async fn trees_beyond_the_limits_are_refused_before_anything_is_asked() {
    let house = House::with_shop().await;
    let (client, shop) = (house.client(), project("shop"));
    let mut large = tree(&[b"x"]);
    let SourceContent::File { size, .. } = &mut large.files[0].0.content else {
        panic!("no file");
    };
    *size = u64::MAX;
    let doubled = Tree {
        files: vec![large.files[0].clone(), large.files[0].clone()],
    };
    let many = Tree {
        files: vec![tree(&[b"x"]).files[0].clone(); 20_001],
    };
    for tree in [large, doubled, many] {
        let failure = client
            .call::<PlanSource>(&shop, &NoQuery {}, &tree)
            .await
            .unwrap_err();
        assert_eq!(failure.kind, Kind::TooLarge, "{failure}");
        assert!(failure.hint.unwrap().contains(".hostkitignore"));
    }
}

#[tokio::test]
async fn five_thousand_files_are_planned_in_one_small_call() {
    let house = House::with_shop().await;
    let contents: Vec<Vec<u8>> = (0..5000u32).map(|n| n.to_be_bytes().to_vec()).collect();
    let slices: Vec<&[u8]> = contents.iter().map(Vec::as_slice).collect();
    let tree = tree(&slices);
    let bytes = serde_json::to_vec(&tree).unwrap().len();
    assert!(bytes < 600_000, "{bytes}");
    let began = Instant::now();
    let plan = house
        .client()
        .call::<PlanSource>(&project("shop"), &NoQuery {}, &tree)
        .await
        .unwrap();
    assert_eq!(plan.missing.len(), 5000);
    println!(
        "5,000 files: {bytes} bytes, planned in {:?} (unoptimised)",
        began.elapsed()
    );
}
