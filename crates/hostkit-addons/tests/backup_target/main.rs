//! Backups in a bucket of our own storage server, a real process: the suite of targets, and what goes wrong between the two.

#![allow(clippy::unwrap_used)]

mod between;
mod faults;
#[path = "../storage/house.rs"]
#[allow(dead_code, reason = "other tests of the storage need more of it")]
mod house;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{TryStreamExt, stream};
use hostkit_core::backup::target::{S3Settings, TargetSettings};
use hostkit_core::names::BackupPath;
use hostkit_core::secret::Secret;
use hostkit_core::traits::{BackupTarget, Pieces};
use hostkit_outbound::targets::s3::{Patience, S3Target};
use hostkit_testkit::backup_target_tests;
use hostkit_testkit::conformance::backup_target::BackupTargetFixture;

use house::{ACCESS, House, SECRET};

/// Long enough for a loaded machine, short enough to wait for.
const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(5),
    silence: Duration::from_secs(2),
    retries: 2,
    pause: Duration::from_millis(20),
};

fn settings(endpoint: &str, bucket: &str, prefix: Option<&str>, secret: &str) -> S3Settings {
    let prefix = prefix.map(|prefix| BackupPath::parse(prefix).unwrap());
    S3Settings::new(endpoint, bucket, prefix, "local", ACCESS, Secret::new(secret)).unwrap()
}

fn target(endpoint: &str) -> S3Target {
    S3Target::with_patience(&settings(endpoint, "shop", Some("of/host"), SECRET), PATIENCE).unwrap()
}

fn path(text: &str) -> BackupPath {
    BackupPath::parse(text).unwrap()
}

fn pieces(parts: Vec<Vec<u8>>) -> Pieces {
    Box::pin(stream::iter(parts.into_iter().map(io::Result::Ok)))
}

async fn read(target: &dyn BackupTarget, name: &str) -> io::Result<Vec<u8>> {
    let pieces = target.get(&path(name)).await.map_err(io::Error::other)?;
    let all: Vec<Vec<u8>> = pieces.try_collect().await?;
    Ok(all.concat())
}

/// How many uploads the storage has that were begun and neither completed nor aborted.
fn uploads(house: &House) -> i64 {
    let index = house.settings.folder.join("objects/index.sqlite");
    let index = rusqlite::Connection::open(index).unwrap();
    index
        .query_row("SELECT count(*) FROM upload", [], |row| row.get(0))
        .unwrap()
}

struct Bucket {
    house: House,
    prefix: Option<&'static str>,
}

impl BackupTargetFixture for Bucket {
    fn target(&self) -> Arc<dyn BackupTarget> {
        let settings = settings(&self.house.endpoint(), "shop", self.prefix, SECRET);
        hostkit_outbound::targets::open(&TargetSettings::S3(settings)).unwrap()
    }
}

backup_target_tests!(
    [cfg(test)],
    Bucket {
        house: House::start(),
        prefix: None
    }
);

mod below_a_prefix {
    use super::*;

    backup_target_tests!(
        [cfg(test)],
        Bucket {
            house: House::start(),
            prefix: Some("of/host")
        }
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_file_goes_in_parts_and_others_of_the_bucket_are_not_seen() {
    let house = House::start();
    let target = target(&house.endpoint());
    let others = S3Target::open(&settings(&house.endpoint(), "shop", None, SECRET)).unwrap();
    others
        .put(&path("of/hostess/1"), pieces(vec![vec![1]]))
        .await
        .unwrap();
    // Pieces that are cut by the parts, and an end exactly at one.
    for (name, bytes) in [("cut", 40_000_003), ("even", 2 * (16 << 20))] {
        let content: Vec<u8> = (0..bytes).map(|at: u32| (at % 251) as u8).collect();
        let parts = content.chunks(1_000_000).map(<[u8]>::to_vec).collect();
        assert_eq!(
            target.put(&path(name), pieces(parts)).await.unwrap(),
            u64::from(bytes)
        );
        assert!(read(&target, name).await.unwrap() == content);
    }

    let found = target.list(None).await.unwrap();
    assert_eq!(
        found.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(),
        ["cut", "even"]
    );
    assert_eq!(uploads(&house), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_has_more_than_one_page() {
    let house = House::start();
    let target = target(&house.endpoint());
    for first in (0..1_100_u32).step_by(50) {
        let puts = (first..first + 50).map(|at| {
            let (target, name) = (target.clone(), path(&format!("shop/{at}/manifest")));
            async move { target.put(&name, pieces(vec![vec![7]])).await }
        });
        futures_util::future::try_join_all(puts).await.unwrap();
    }

    let found = target.list(Some(&path("shop"))).await.unwrap();

    assert_eq!(found.len(), 1_100);
    assert!(found.is_sorted());
}
