//! The suite of [`History`].

use std::io;
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use hostkit_core::backup::history::LogPiece;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::project::EnvironmentId;
use hostkit_core::traits::{CopyOf, History, Log, Past, Pieces};
use jiff::Timestamp;

/// What the tests bring: a server that files nothing yet, with the data of `past/production`.
#[async_trait::async_trait]
pub trait HistoryFixture: Send + Sync {
    /// What files its changes.
    fn history(&self) -> Arc<dyn History>;

    /// `past/production` has this word from now on, besides what it had or in its place.
    async fn write(&self, word: &str);

    /// A moment after all that was done, and before all that is done next.
    async fn moment(&self) -> Timestamp;

    /// How many servers there are as they were.
    async fn pasts(&self) -> usize;
}

/// Tests of what files changes.
#[macro_export]
macro_rules! history_tests {
    ($attribute:tt, $fixture:expr) => {
        $crate::suite_tests!($attribute, $fixture, history:
            what_is_filed_is_read_and_forgotten, nothing_lies_filed_where_it_is_not_wanted,
            a_moment_comes_back_and_nothing_of_what_came_later, what_breaks_off_leaves_nothing);
    };
}

const WORKS: &str = "nothing stands in its way";

fn past() -> EnvironmentId {
    EnvironmentId::new(
        "past".parse().expect("the name is right"),
        "production".parse().expect("the name is right"),
    )
}

fn of_past() -> CopyOf {
    CopyOf {
        environment: past(),
        order: None,
    }
}

async fn whole(pieces: Pieces) -> Vec<u8> {
    let all: Vec<Vec<u8>> = pieces.try_collect().await.expect(WORKS);
    all.concat()
}

fn again(bytes: &[u8]) -> Pieces {
    let pieces: Vec<io::Result<Vec<u8>>> = bytes.chunks(64 << 10).map(|piece| Ok(piece.to_vec())).collect();
    Box::pin(stream::iter(pieces))
}

/// All that lies filed from a piece on.
async fn log(history: &Arc<dyn History>, from: &LogPiece) -> Log {
    let filed = history.filed().await.expect(WORKS);
    let pieces: Vec<LogPiece> = filed
        .into_iter()
        .map(|filed| filed.piece)
        .filter(|piece| piece >= from)
        .collect();
    let history = history.clone();
    Box::pin(stream::iter(pieces).then(move |piece| {
        let history = history.clone();
        async move {
            let content = history.read(&piece).await?;
            Ok::<_, Failure>((piece, content))
        }
    }))
}

fn no_log() -> Log {
    Box::pin(stream::iter([]))
}

async fn has(past: &dyn Past, word: &str) -> bool {
    let parts = past.parts(&of_past()).await.expect(WORKS);
    let part = parts.first().expect("there is one");
    let export = past.export(&of_past(), part).await.expect(WORKS);
    let bytes = whole(export.pieces).await;
    assert!(export.counting.get().is_some_and(|counts| !counts.is_empty()));
    bytes.windows(word.len()).any(|window| window == word.as_bytes())
}

/// In the order in which it was written, as often as somebody asks.
pub async fn what_is_filed_is_read_and_forgotten(fixture: &dyn HistoryFixture) {
    let history = fixture.history();
    let server = history.settle(true).await.expect(WORKS);
    assert!(server.as_ref().is_some_and(|server| !server.is_empty()));
    assert_eq!(history.settle(true).await.expect(WORKS), server);
    let before = fixture.moment().await;
    fixture.write("one").await;
    history.file_now().await.expect(WORKS);
    fixture.write("two").await;
    history.file_now().await.expect(WORKS);

    let filed = history.filed().await.expect(WORKS);

    assert!(filed.len() >= 2, "{filed:?}");
    assert!(filed.iter().any(|piece| piece.filed_at >= before), "{filed:?}");
    for pair in filed.windows(2) {
        assert_eq!(pair[0].piece.next().as_ref(), Some(&pair[1].piece));
    }
    let first = &filed[0].piece;
    let content = whole(history.read(first).await.expect(WORKS)).await;
    assert!(!content.is_empty());
    assert_eq!(whole(history.read(first).await.expect(WORKS)).await, content);
    for _ in 0..2 {
        history.forget(first).await.expect(WORKS);
        assert_eq!(history.filed().await.expect(WORKS)[..], filed[1..]);
    }
    assert_eq!(
        history.read(first).await.err().map(|why| why.kind),
        Some(Kind::NotFound)
    );
}

/// Neither from the start, nor after it was.
pub async fn nothing_lies_filed_where_it_is_not_wanted(fixture: &dyn HistoryFixture) {
    let history = fixture.history();
    for on in [false, true, false] {
        history.settle(on).await.expect(WORKS);
        fixture.write("one").await;
        history.file_now().await.expect(WORKS);
        assert_eq!(history.filed().await.expect(WORKS).is_empty(), !on);
    }
    history.settle(true).await.expect(WORKS);
    history.settle(false).await.expect(WORKS);
    assert_eq!(history.filed().await.expect(WORKS), []);
}

/// Twice, the second time in the place of the first.
pub async fn a_moment_comes_back_and_nothing_of_what_came_later(fixture: &dyn HistoryFixture) {
    let history = fixture.history();
    history.settle(true).await.expect(WORKS);
    fixture.write("earlier").await;
    let copy = history.base().await.expect(WORKS);
    let (first, base) = (copy.first, whole(copy.pieces).await);
    fixture.moment().await;
    fixture.write("before").await;
    let moment = fixture.moment().await;
    fixture.write("after").await;
    history.file_now().await.expect(WORKS);
    let late = fixture.moment().await;

    let recovered = history
        .recover(&past(), late, again(&base), log(&history, &first).await)
        .await;
    assert_eq!(recovered.err().map(|why| why.kind), Some(Kind::NotFound));
    assert_eq!(fixture.pasts().await, 0);
    for _ in 0..2 {
        let recovered = history
            .recover(&past(), moment, again(&base), log(&history, &first).await)
            .await;
        let recovered = recovered.expect(WORKS);
        assert_eq!(fixture.pasts().await, 1);
        assert!(has(&*recovered, "before").await);
        assert!(!has(&*recovered, "after").await);
        let stranger = CopyOf {
            environment: EnvironmentId::new("nobody".parse().expect("the name is right"), past().environment),
            order: None,
        };
        assert_eq!(recovered.parts(&stranger).await.expect(WORKS), []);
        recovered.end().await.expect(WORKS);
        assert_eq!(fixture.pasts().await, 0);
    }
    let left = history
        .recover(&past(), moment, again(&base), log(&history, &first).await)
        .await;
    drop(left.expect(WORKS));
    for _ in 0..2 {
        history.sweep(&past()).await.expect(WORKS);
        assert_eq!(fixture.pasts().await, 0);
    }
}

/// A base that ends too early, is none, or whose log breaks off.
pub async fn what_breaks_off_leaves_nothing(fixture: &dyn HistoryFixture) {
    let history = fixture.history();
    history.settle(true).await.expect(WORKS);
    fixture.write("before").await;
    let copy = history.base().await.expect(WORKS);
    let base = whole(copy.pieces).await;
    fixture.moment().await;
    let moment = fixture.moment().await;
    let broken = |bytes: &[u8]| -> Pieces {
        let pieces = [Ok(bytes.to_vec()), Err(io::ErrorKind::ConnectionReset.into())];
        Box::pin(stream::iter(pieces))
    };
    for base in [
        again(b""),
        again(&base[..base.len() / 2]),
        broken(&base[..base.len() / 2]),
        broken(&base),
    ] {
        assert!(history.recover(&past(), moment, base, no_log()).await.is_err());
        assert_eq!(fixture.pasts().await, 0);
    }
    let log: Log = Box::pin(stream::iter([Err(Failure::new(
        Kind::Unavailable,
        "cannot read the log",
    ))]));
    let refused = history.recover(&past(), moment, again(&base), log).await;
    assert_eq!(refused.err().map(|why| why.kind), Some(Kind::Unavailable));
    assert_eq!(fixture.pasts().await, 0);
}
