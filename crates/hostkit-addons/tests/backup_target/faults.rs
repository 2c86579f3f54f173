//! A target that is down, slow, full, lying, or breaks off, and one that does not want us.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use hostkit_core::kind::Kind;

use super::*;
use crate::between::{Between, Fault};

/// Longer than one part.
const LONG: usize = 20_000_000;

fn long() -> Pieces {
    pieces((0..20).map(|_| vec![5; LONG / 20]).collect())
}

async fn house_behind() -> (House, Between, S3Target) {
    let house = House::start();
    let between = Between::before(house.address.unwrap()).await;
    let target = target(&between.endpoint());
    (house, between, target)
}

/// What is said has the place, the cause, and no secret.
fn says(why: &impl std::fmt::Display, parts: &[&str]) {
    let said = why.to_string();
    for part in parts {
        assert!(said.contains(part), "`{part}` is not in: {said}");
    }
    assert!(!said.contains(SECRET) && !said.contains("Signature="), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_down_is_said_to_be() {
    // A port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let target = target(&endpoint);

    let why = target.put(&path("a/1"), long()).await.unwrap_err();
    says(
        &why,
        &["cannot write the backup `a/1`", &endpoint, "cannot be reached"],
    );
    assert_eq!(why.kind, Kind::Unavailable);
    assert!(why.hint.is_some());
    for why in [
        target.list(None).await.err().unwrap(),
        target.get(&path("a/1")).await.err().unwrap(),
        target.remove(&path("a/1")).await.err().unwrap(),
    ] {
        says(&why, &["cannot be reached"]);
        assert_eq!(why.kind, Kind::Unavailable);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_passes_is_tried_again() {
    let (_house, between, target) = house_behind().await;
    between.set(Fault::CutsFirst(2));

    assert_eq!(
        target.put(&path("a/1"), pieces(vec![vec![1; 10]])).await.unwrap(),
        10
    );

    assert!(between.seen() > 2);
    assert_eq!(read(&target, "a/1").await.unwrap(), vec![1; 10]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_breaks_off_leaves_the_old_file_and_nothing_half() {
    let (house, between, target) = house_behind().await;
    let direct = crate::target(&house.endpoint());
    direct
        .put(&path("a/1"), pieces(vec![b"old".to_vec()]))
        .await
        .unwrap();
    // Every connection carries less than a part, so that no part ever comes through; what is small does.
    between.set(Fault::CutsSent(5_000_000));

    let why = target.put(&path("a/1"), long()).await.unwrap_err();

    says(&why, &["`a/1`", "broke off"]);
    assert_eq!(why.kind, Kind::Unavailable);
    assert_eq!(uploads(&house), 0, "what was begun is taken back");
    assert_eq!(read(&direct, "a/1").await.unwrap(), b"old");
    assert_eq!(direct.list(None).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_stalls_is_given_up() {
    let (house, between, target) = house_behind().await;
    between.set(Fault::Stalls(5_000_000));
    let begin = Instant::now();

    let why = target.put(&path("a/1"), long()).await.unwrap_err();

    says(&why, &["`a/1`", "nothing came from it for 2s"]);
    assert!(begin.elapsed() < Duration::from_secs(60), "{:?}", begin.elapsed());
    assert_eq!(uploads(&house), 0);
    assert_eq!(crate::target(&house.endpoint()).list(None).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_slow_is_waited_for() {
    let house = House::start();
    let target = target(&house.endpoint());
    // Slower than the time after which silence is given up, but never silent for so long on our side of it.
    let slow = stream::iter(0..4).then(|_| async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(vec![9; 6_000_000])
    });

    assert_eq!(
        target.put(&path("a/1"), Box::pin(slow)).await.unwrap(),
        24_000_000
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_lies_about_what_it_keeps_is_found() {
    let (house, between, _) = house_behind().await;
    for (bytes, lie) in [(12_345, "12344"), (LONG, "19999999")] {
        let target = crate::target(&between.endpoint());
        let truth = format!("content-length: {bytes}\r\n");
        between.set(Fault::Says(truth, format!("content-length: {lie}\r\n")));
        let content = pieces((0..5).map(|_| vec![3; bytes / 5]).collect());

        let why = target.put(&path("a/1"), content).await.unwrap_err();

        says(&why, &[&format!("took {bytes} bytes, and has {lie}")]);
        assert_eq!(why.kind, Kind::Unavailable);
        let left = crate::target(&house.endpoint()).list(None).await.unwrap();
        assert_eq!(left, [], "what is not whole does not stay");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_ends_with_an_error_and_never_early_without_one() {
    let (house, between, target) = house_behind().await;
    let direct = crate::target(&house.endpoint());
    direct.put(&path("a/1"), long()).await.unwrap();
    // Three connections, each with less than a third of it.
    between.set(Fault::CutsAnswers(5_000_000));
    let why = read(&target, "a/1").await.unwrap_err();
    says(&why, &["cannot read `a/1` of `http://", "to its end"]);

    // Two are enough for this one: it goes on where it was.
    between.set(Fault::CutsAnswers(11_000_000));
    assert!(read(&target, "a/1").await.unwrap() == vec![5; LONG]);

    // It claims that there is more than comes.
    let target = crate::target(&between.endpoint());
    let (truth, lie) = (
        format!("content-length: {LONG}\r\n"),
        "content-length: 20000001\r\n",
    );
    between.set(Fault::Says(truth, lie.to_owned()));
    assert!(read(&target, "a/1").await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_full_is_said_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let mut house = House::in_folder(folder.path(), u64::MAX / 2);
    house.begin();
    for content in [pieces(vec![vec![1; 1000]]), long()] {
        let why = target(&house.endpoint())
            .put(&path("a/1"), content)
            .await
            .unwrap_err();
        says(&why, &["`a/1`", "507"]);
        assert_eq!(why.kind, Kind::Unavailable);
        assert!(
            why.hint
                .as_deref()
                .is_some_and(|hint| hint.contains("no room left"))
        );
    }
    assert_eq!(uploads(&house), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_and_buckets_that_are_not_right_are_said_apart() {
    let house = House::start();
    let open = |bucket: &str, secret: &str| {
        S3Target::with_patience(&settings(&house.endpoint(), bucket, None, secret), PATIENCE).unwrap()
    };
    let stranger = open("shop", "another-secret-0123456789");
    let nowhere = open("nowhere", SECRET);
    for (target, part) in [(stranger, "SignatureDoesNotMatch"), (nowhere, "NoSuchBucket")] {
        for why in [
            target
                .put(&path("a/1"), pieces(vec![vec![1]]))
                .await
                .err()
                .unwrap(),
            target.put(&path("a/1"), long()).await.err().unwrap(),
            target.get(&path("a/1")).await.err().unwrap(),
            target.list(None).await.err().unwrap(),
            target.remove(&path("a/1")).await.err().unwrap(),
        ] {
            says(&why, &[part, &target.place()]);
            assert!(!why.to_string().contains("another-secret"), "{why}");
            assert_eq!(why.kind, Kind::Invalid, "{why}");
            assert!(why.hint.is_some(), "{why}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_dropped_takes_back_what_it_began() {
    let house = House::start();
    let target = target(&house.endpoint());
    let endless: Pieces = Box::pin(long().chain(stream::pending()));
    let name = path("a/1");
    let put = target.put(&name, endless);
    let cut = tokio::time::timeout(Duration::from_secs(600), async {
        tokio::select! {
            _ = put => panic!("the stream has no end"),
            () = async { while uploads(&house) == 0 { tokio::time::sleep(Duration::from_millis(20)).await } } => {}
        }
    });
    cut.await.unwrap();

    let begin = Instant::now();
    while uploads(&house) > 0 {
        assert!(begin.elapsed() < Duration::from_secs(60), "the upload stays");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(target.list(None).await.unwrap(), []);
}
