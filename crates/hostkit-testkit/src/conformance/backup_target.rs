//! The suite of [`BackupTarget`].

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::BackupPath;
use hostkit_core::traits::{BackupTarget, Pieces};

/// What the tests bring: a target with nothing in it.
pub trait BackupTargetFixture: Send + Sync {
    /// A new view of one and the same target at every call.
    fn target(&self) -> Arc<dyn BackupTarget>;
}

/// Tests of backup targets.
#[macro_export]
macro_rules! backup_target_tests {
    ($attribute:tt, $fixture:expr) => {
        $crate::suite_tests!($attribute, $fixture, backup_target:
            what_was_put_is_got_and_listed, files_are_empty_or_long, what_is_put_again_is_replaced,
            a_stream_that_breaks_off_leaves_what_was_there, a_call_that_is_dropped_leaves_what_was_there,
            what_is_not_there_is_not_found, removing_is_done_once_or_twice, only_a_folder_is_listed,
            two_at_once_do_not_mix);
    };
}

const WORKS: &str = "nothing stands in its way";

fn path(text: &str) -> BackupPath {
    BackupPath::parse(text).expect("the path is right")
}

fn pieces(parts: &[&[u8]]) -> Pieces {
    let parts: Vec<io::Result<Vec<u8>>> = parts.iter().map(|part| Ok(part.to_vec())).collect();
    Box::pin(stream::iter(parts))
}

async fn read(target: &dyn BackupTarget, name: &str) -> Result<Vec<u8>, Failure> {
    let pieces = target.get(&path(name)).await?;
    let all: Vec<Vec<u8>> = pieces.try_collect().await.expect(WORKS);
    Ok(all.concat())
}

async fn names(target: &dyn BackupTarget) -> Vec<(String, u64)> {
    let files = target.list(None).await.expect(WORKS);
    files
        .into_iter()
        .map(|file| (file.path.to_string(), file.bytes))
        .collect()
}

/// By another view as well.
pub async fn what_was_put_is_got_and_listed(fixture: &dyn BackupTargetFixture) {
    let put = fixture
        .target()
        .put(&path("shop/production/12/postgres"), pieces(&[b"one ", b"two"]))
        .await;

    assert_eq!(put.expect(WORKS), 7);
    let target = fixture.target();
    assert_eq!(
        read(&*target, "shop/production/12/postgres").await.expect(WORKS),
        b"one two"
    );
    assert_eq!(
        names(&*target).await,
        [("shop/production/12/postgres".to_owned(), 7)]
    );
    assert!(!target.place().is_empty());
}

/// A file of nothing is a file; one of several megabytes is not held in memory, which no test sees.
pub async fn files_are_empty_or_long(fixture: &dyn BackupTargetFixture) {
    let target = fixture.target();
    assert_eq!(target.put(&path("empty"), pieces(&[])).await.expect(WORKS), 0);
    let piece: Vec<u8> = (0..70_000_u32).map(|at| (at % 251) as u8).collect();
    let parts: Vec<&[u8]> = (0..200).map(|_| piece.as_slice()).collect();
    assert_eq!(
        target.put(&path("long"), pieces(&parts)).await.expect(WORKS),
        14_000_000
    );

    assert_eq!(read(&*target, "empty").await.expect(WORKS), b"");
    assert!(read(&*target, "long").await.expect(WORKS) == piece.repeat(200));
}

/// As a whole.
pub async fn what_is_put_again_is_replaced(fixture: &dyn BackupTargetFixture) {
    let target = fixture.target();
    target
        .put(&path("a/b"), pieces(&[b"a long first one"]))
        .await
        .expect(WORKS);
    target.put(&path("a/b"), pieces(&[b"second"])).await.expect(WORKS);

    assert_eq!(read(&*target, "a/b").await.expect(WORKS), b"second");
    assert_eq!(names(&*target).await, [("a/b".to_owned(), 6)]);
}

/// The old file, or none; and nothing half.
pub async fn a_stream_that_breaks_off_leaves_what_was_there(fixture: &dyn BackupTargetFixture) {
    let target = fixture.target();
    target.put(&path("old"), pieces(&[b"old"])).await.expect(WORKS);
    for name in ["old", "new"] {
        let broken: Vec<io::Result<Vec<u8>>> =
            vec![Ok(vec![7; 100_000]), Err(io::ErrorKind::BrokenPipe.into())];
        target
            .put(&path(name), Box::pin(stream::iter(broken)))
            .await
            .expect_err("the stream broke off");
    }

    assert_eq!(read(&*target, "old").await.expect(WORKS), b"old");
    assert_eq!(names(&*target).await, [("old".to_owned(), 3)]);
}

/// The same, where the caller loses interest.
pub async fn a_call_that_is_dropped_leaves_what_was_there(fixture: &dyn BackupTargetFixture) {
    let target = fixture.target();
    target.put(&path("old"), pieces(&[b"old"])).await.expect(WORKS);
    for name in ["old", "new"] {
        let endless: Pieces = Box::pin(pieces(&[b"some"]).chain(stream::pending()));
        let path = path(name);
        let put = target.put(&path, endless);
        tokio::time::timeout(Duration::from_millis(50), put)
            .await
            .expect_err("the stream has no end");
    }

    assert_eq!(read(&*target, "old").await.expect(WORKS), b"old");
    assert_eq!(names(&*target).await, [("old".to_owned(), 3)]);
}

/// Also a folder that others are in.
pub async fn what_is_not_there_is_not_found(fixture: &dyn BackupTargetFixture) {
    let target = fixture.target();
    target.put(&path("a/b/c"), pieces(&[b"x"])).await.expect(WORKS);
    for name in ["x", "a/b/d", "a/b", "a/b/c/d"] {
        let why = read(&*target, name).await.expect_err("it is not there");
        assert_eq!(why.kind, Kind::NotFound, "{name}: {why}");
    }
}

/// What else is there stays.
pub async fn removing_is_done_once_or_twice(fixture: &dyn BackupTargetFixture) {
    let target = fixture.target();
    for name in ["a/b/1", "a/b/2"] {
        target.put(&path(name), pieces(&[b"x"])).await.expect(WORKS);
    }
    for _ in 0..2 {
        target.remove(&path("a/b/1")).await.expect(WORKS);
    }
    target.remove(&path("never/there")).await.expect(WORKS);

    assert_eq!(names(&*target).await, [("a/b/2".to_owned(), 1)]);
}

/// `shop` is not `shop-two`.
pub async fn only_a_folder_is_listed(fixture: &dyn BackupTargetFixture) {
    let target = fixture.target();
    for name in ["shop/2", "shop/10", "shop-two/1", "shop/a/1", "blog/1"] {
        target.put(&path(name), pieces(&[b"x"])).await.expect(WORKS);
    }
    let listed = async |folder: &str| {
        let files = target.list(Some(&path(folder))).await.expect(WORKS);
        files
            .into_iter()
            .map(|file| file.path.to_string())
            .collect::<Vec<_>>()
    };

    assert_eq!(listed("shop").await, ["shop/10", "shop/2", "shop/a/1"]);
    assert_eq!(listed("shop/a").await, ["shop/a/1"]);
    assert_eq!(listed("sho").await, Vec::<String>::new());
    assert_eq!(listed("shop/2").await, Vec::<String>::new());
}

/// Of two that write one name, one wins as a whole.
pub async fn two_at_once_do_not_mix(fixture: &dyn BackupTargetFixture) {
    let target = fixture.target();
    let (ones, twos) = (vec![1_u8; 30_000], vec![2_u8; 30_000]);
    let name = path("a/same");
    let (first, second) = tokio::join!(
        target.put(&name, pieces(&[&ones, &ones, &ones])),
        target.put(&name, pieces(&[&twos, &twos, &twos])),
    );
    first.expect(WORKS);
    second.expect(WORKS);

    let found = read(&*target, "a/same").await.expect(WORKS);
    assert_eq!(found.len(), 90_000);
    assert!(found.iter().all(|byte| *byte == found[0]));
}
