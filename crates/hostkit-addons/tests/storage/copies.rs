//! Copies of a storage: what every kind of copies promises, and what is a storage's own. A copy is of one moment, whatever
//! is written and removed while it is made, and nothing is left of one.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt};
use hostkit_addons::storage::addon::StorageCopies;
use hostkit_core::addon::AddonOrder;
use hostkit_core::backup::part::{Counts, PartName};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::traits::{Addon, Buckets, Copies, CopyOf, Pieces};
use hostkit_testkit::conformance::copies::CopiesFixture;
use hostkit_testkit::copies_tests;

use crate::addon::{Installation, name, order};
use crate::house::went_well;

const PATIENCE: Duration = Duration::from_secs(60);

/// An environment with a bucket, and what makes copies of it.
pub(crate) struct Kept {
    pub(crate) house: Installation,
    pub(crate) order: AddonOrder,
    pub(crate) copies: StorageCopies,
}

impl Kept {
    pub(crate) async fn new() -> Self {
        let (house, order) = (Installation::new(), order("shop"));
        house.addon.ensure(&order).await.unwrap();
        let copies = StorageCopies::new(house.services(), house.addon.clone());
        Kept { house, order, copies }
    }

    /// Another environment of the same installation.
    async fn beside(&self, project: &str) -> AddonOrder {
        let order = order(project);
        self.house.addon.ensure(&order).await.unwrap();
        order
    }

    pub(crate) async fn run(&self, script: &str) -> String {
        went_well(&self.house.boto3(&self.order, script).await)
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.house.services().place(&name(&self.order)).data
    }

    pub(crate) async fn export(&self) -> (Vec<u8>, Counts) {
        let export = self.copies.export(&self.of(), &part()).await.unwrap();
        let bytes: Vec<Vec<u8>> = export.pieces.try_collect().await.unwrap();
        (bytes.concat(), export.counting.get().unwrap().clone())
    }

    pub(crate) async fn stage(&self, bytes: &[u8]) -> Result<Counts, Failure> {
        self.copies.stage(&self.of(), &part(), content(bytes)).await
    }

    /// The files that objects consist of, as they lie on the disk.
    fn files(&self) -> BTreeSet<String> {
        files(&self.folder().join("objects/contents"))
    }
}

pub(crate) fn part() -> PartName {
    "storage".parse().unwrap()
}

pub(crate) fn content(bytes: &[u8]) -> Pieces {
    let pieces: Vec<std::io::Result<Vec<u8>>> =
        bytes.chunks(30_001).map(|piece| Ok(piece.to_vec())).collect();
    Box::pin(futures_util::stream::iter(pieces))
}

fn files(contents: &Path) -> BTreeSet<String> {
    let folders = std::fs::read_dir(contents).unwrap();
    let names = folders.flat_map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap());
    names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn is_clean(folder: &Path) -> bool {
    let copying = std::fs::read_dir(folder.join("copying"));
    let is_copying = copying.is_ok_and(|mut entries| entries.next().is_some());
    !is_copying && !folder.join("restore").exists() && !folder.join("restore.begun").exists()
}

#[async_trait]
impl CopiesFixture for Kept {
    fn copies(&self) -> &dyn Copies {
        &self.copies
    }

    fn of(&self) -> CopyOf {
        CopyOf {
            environment: self.order.id.environment.clone(),
            order: Some(self.order.clone()),
        }
    }

    async fn fill(&self, word: &str) {
        let fill = format!(
            "for one in client.list_objects_v2(Bucket=bucket).get('Contents', []):\n\
             \x20   client.delete_object(Bucket=bucket, Key=one['Key'])\n\
             client.put_object(Bucket=bucket, Key='../{word}', Body=b'{word}' * 10000, Metadata={{'a': 'b'}})\n\
             upload = client.create_multipart_upload(Bucket=bucket, Key='large')['UploadId']\n\
             put = lambda number, body: dict(PartNumber=number, ETag=client.upload_part(\n\
             \x20   Bucket=bucket, Key='large', UploadId=upload, PartNumber=number, Body=body)['ETag'])\n\
             parts = [put(1, b'1' * (5 << 20)), put(2, b'2')]\n\
             client.complete_multipart_upload(\n\
             \x20   Bucket=bucket, Key='large', UploadId=upload, MultipartUpload=dict(Parts=parts))\n\
             client.copy_object(Bucket=bucket, Key='copy', CopySource=dict(Bucket=bucket, Key='large'))\n\
             upload = client.create_multipart_upload(Bucket=bucket, Key='begun')['UploadId']\n\
             client.upload_part(Bucket=bucket, Key='begun', UploadId=upload, PartNumber=1, Body=b'3')\n"
        );
        self.run(&fill).await;
    }

    async fn word(&self) -> String {
        let look = "keys = [one['Key'] for one in client.list_objects_v2(Bucket=bucket)['Contents']]\n\
             assert keys[1:] == ['copy', 'large'], keys\n\
             found = client.get_object(Bucket=bucket, Key=keys[0])\n\
             word = keys[0].removeprefix('../')\n\
             assert found['Body'].read() == word.encode() * 10000 and found['Metadata'] == {'a': 'b'}\n\
             for key in keys[1:]:\n\
             \x20   assert client.get_object(Bucket=bucket, Key=key)['Body'].read() == b'1' * (5 << 20) + b'2'\n\
             print(word)\n";
        self.run(look).await.trim().to_owned()
    }

    async fn is_clean(&self) -> bool {
        let begin = Instant::now();
        // A copy that nobody takes any more ends when that is noticed.
        while !is_clean(&self.folder()) && begin.elapsed() < Duration::from_secs(10) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        is_clean(&self.folder())
    }
}

copies_tests!([cfg(test)], Kept::new().await);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_go_while_a_copy_is_made_and_are_whole_in_it() {
    let kept = Kept::new().await;
    let put = "for n in range(40): client.put_object(Bucket=bucket, Key=f'k{n}', Body=b'x' * 200000)\n";
    kept.run(put).await;
    let before = kept.files();
    let export = kept.copies.export(&kept.of(), &part()).await.unwrap();
    // It has begun, and most of it is not read yet: all that it is of goes.
    kept.run("for n in range(40): client.delete_object(Bucket=bucket, Key=f'k{n}')\nclient.put_object(Bucket=bucket, Key='new', Body=b'new')\n")
        .await;
    assert!(kept.files().is_superset(&before), "removed too early");
    let bytes: Vec<Vec<u8>> = export.pieces.try_collect().await.unwrap();
    let counts = export.counting.get().unwrap();
    assert_eq!((counts["objects"], counts["bytes of objects"]), (40, 8_000_000));
    until("what was removed is still there", || kept.files().len() == 1).await;
    assert_eq!(&kept.stage(&bytes.concat()).await.unwrap(), counts);
    kept.copies.take_place(&kept.of(), &part()).await.unwrap();
    assert_eq!(kept.house.addon.report(&kept.order).await.unwrap().objects, 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_is_given_up_holds_nothing_back() {
    let kept = Kept::new().await;
    let put = "for n in range(20): client.put_object(Bucket=bucket, Key=f'k{n}', Body=b'x' * 2000000)\n";
    kept.run(put).await;
    let mut export = kept.copies.export(&kept.of(), &part()).await.unwrap();
    export.pieces.next().await.unwrap().unwrap();
    kept.run("for n in range(20): client.delete_object(Bucket=bucket, Key=f'k{n}')\n")
        .await;
    assert_eq!(kept.files().len(), 20);
    drop(export);
    until("what was removed is still there", || kept.files().is_empty()).await;
    until("a copied index is left", || is_clean(&kept.folder())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_copy_under_load_is_whole() {
    let kept = Kept::new().await;
    let load = "import random, time\n\
                end = time.time() + 300\n\
                sizes = [0, 10, 70000, 300000]\n\
                while time.time() < end and not os.path.exists(os.environ['S3_BUCKET_END']):\n\
                \x20   key = f'k{random.randrange(60)}'\n\
                \x20   if random.random() < 0.4: client.delete_object(Bucket=bucket, Key=key)\n\
                \x20   else: client.put_object(Bucket=bucket, Key=key, Body=os.urandom(random.choice(sizes)))\n";
    let end = kept.folder().with_file_name("end");
    let load = load.replace(
        "os.environ['S3_BUCKET_END']",
        &format!("{:?}", end.to_str().unwrap()),
    );
    let over = AtomicBool::new(false);
    let writers = async {
        let (one, two) = tokio::join!(
            kept.house.boto3(&kept.order, &load),
            kept.house.boto3(&kept.order, &load)
        );
        assert!(over.load(Ordering::Relaxed), "the load ended too early");
        went_well(&one);
        went_well(&two);
    };
    let copying = async {
        until("no load", || kept.files().len() > 20).await;
        for _ in 0..8 {
            let (bytes, counts) = kept.export().await;
            assert_eq!(kept.stage(&bytes).await.unwrap(), counts);
        }
        over.store(true, Ordering::Relaxed);
        std::fs::write(&end, "").unwrap();
    };
    tokio::join!(writers, copying);
    kept.copies.discard(&kept.of(), &part()).await.unwrap();
    let objects = kept.house.addon.report(&kept.order).await.unwrap().objects;
    until("files are left", || kept.files().len() as u64 == objects).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trial_takes_no_room_for_what_is_there() {
    let kept = Kept::new().await;
    kept.run("for n in range(2): client.put_object(Bucket=bucket, Key=f'k{n}', Body=b'x' * 2000000)\n")
        .await;
    let (bytes, _) = kept.export().await;
    kept.run("client.delete_object(Bucket=bucket, Key='k0')\n").await;
    kept.stage(&bytes).await.unwrap();
    let staged = kept.folder().join("restore/contents");
    let links: Vec<u64> = files(&staged)
        .iter()
        .map(|name| {
            std::fs::metadata(staged.join(&name[..2]).join(name))
                .unwrap()
                .nlink()
        })
        .collect();
    assert_eq!(
        links.iter().sum::<u64>(),
        3,
        "one is there twice, one anew: {links:?}"
    );
    kept.copies.take_place(&kept.of(), &part()).await.unwrap();
    kept.run("for n in range(2): assert client.get_object(Bucket=bucket, Key=f'k{n}')['Body'].read() == b'x' * 2000000\n")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_comes_back_as_that_of_another_environment() {
    let kept = Kept::new().await;
    let rules = "client.put_object(Bucket=bucket, Key='a', Body=b'a')\n\
                 client.put_bucket_cors(Bucket=bucket, CORSConfiguration={'CORSRules': [\n\
                 \x20   {'AllowedMethods': ['GET'], 'AllowedOrigins': ['https://shop.example.com']}]})\n";
    kept.run(rules).await;
    let (bytes, counts) = kept.export().await;
    let blog = kept.beside("blog").await;
    let of = CopyOf {
        environment: blog.id.environment.clone(),
        order: Some(blog.clone()),
    };
    assert_eq!(
        kept.copies.stage(&of, &part(), content(&bytes)).await.unwrap(),
        counts
    );
    kept.copies.take_place(&of, &part()).await.unwrap();
    let look = "assert bucket == 'blog' and client.get_object(Bucket=bucket, Key='a')['Body'].read() == b'a'\n\
                rules = client.get_bucket_cors(Bucket=bucket)['CORSRules']\n\
                assert rules[0]['AllowedOrigins'] == ['https://shop.example.com'], rules\n";
    went_well(&kept.house.boto3(&blog, look).await);
    let report = kept.house.addon.report(&blog).await.unwrap();
    assert_eq!((report.objects, report.bytes), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_cannot_take_the_place_leaves_what_was_there() {
    let kept = Kept::new().await;
    kept.run("client.put_object(Bucket=bucket, Key='a', Body=b'old')\n")
        .await;
    let (bytes, _) = kept.export().await;
    kept.run("client.put_object(Bucket=bucket, Key='a', Body=b'new')\n")
        .await;
    kept.stage(&bytes).await.unwrap();
    std::fs::write(kept.folder().join("restore/index.sqlite"), "broken meanwhile").unwrap();
    let refused = kept.copies.take_place(&kept.of(), &part()).await.unwrap_err();
    assert_eq!(refused.kind, Kind::Unavailable, "{refused}");
    kept.run("assert client.get_object(Bucket=bucket, Key='a')['Body'].read() == b'new'\n")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_down_is_said_and_nothing_is_staged() {
    let kept = Kept::new().await;
    let (bytes, _) = kept.export().await;
    kept.house.services().stop(&name(&kept.order)).await.unwrap();
    let refused = kept.copies.export(&kept.of(), &part()).await.err().unwrap();
    assert_eq!(refused.kind, Kind::Unavailable);
    assert!(refused.hint.unwrap().contains("hostkit addon list shop"));
    let refused = kept.stage(&bytes).await.unwrap_err();
    assert_eq!(refused.kind, Kind::Unavailable);
    assert!(is_clean(&kept.folder()));
}
