//! The suite of [`Copies`].

use std::io;

use futures_util::{TryStreamExt, stream};
use hostkit_core::backup::part::{Counts, PartName};
use hostkit_core::kind::Kind;
use hostkit_core::traits::{Copies, CopyOf, Pieces};

/// What the tests bring: one thing that copies are made of, and the ways of its owner.
#[async_trait::async_trait]
pub trait CopiesFixture: Send + Sync {
    /// Who makes the copies.
    fn copies(&self) -> &dyn Copies;

    /// Of what.
    fn of(&self) -> CopyOf;

    /// Has the owner make it another one: what is kept under `word`, and nothing else.
    async fn fill(&self, word: &str);

    /// What the owner finds in it: the word.
    async fn word(&self) -> String;

    /// Whether nothing of a copy is left beside it.
    async fn is_clean(&self) -> bool;
}

/// Tests of copies.
#[macro_export]
macro_rules! copies_tests {
    ($attribute:tt, $fixture:expr) => {
        $crate::suite_tests!($attribute, $fixture, copies:
            a_copy_comes_back_with_what_was_counted, nothing_changes_until_it_takes_the_place,
            what_is_staged_again_is_replaced, a_copy_that_breaks_off_is_not_staged,
            without_a_copy_no_place_is_taken, one_that_nobody_takes_leaves_nothing);
    };
}

const WORKS: &str = "nothing stands in its way";

async fn part(fixture: &dyn CopiesFixture) -> PartName {
    let parts = fixture.copies().parts(&fixture.of()).await.expect(WORKS);
    assert_eq!(parts.len(), 1, "{parts:?}");
    parts.into_iter().next().expect(WORKS)
}

/// A copy as it is now: its bytes, and what was counted.
async fn copied(fixture: &dyn CopiesFixture) -> (Vec<u8>, Counts) {
    let part = part(fixture).await;
    let export = fixture.copies().export(&fixture.of(), &part).await.expect(WORKS);
    let bytes: Vec<Vec<u8>> = export.pieces.try_collect().await.expect(WORKS);
    let counts = export.counting.get().cloned();
    (bytes.concat(), counts.expect("it is counted at the end"))
}

fn content(bytes: &[u8]) -> Pieces {
    let pieces: Vec<io::Result<Vec<u8>>> = bytes.chunks(3001).map(|piece| Ok(piece.to_vec())).collect();
    Box::pin(stream::iter(pieces))
}

async fn stage(fixture: &dyn CopiesFixture, bytes: &[u8]) -> Counts {
    let (of, part) = (fixture.of(), part(fixture).await);
    fixture
        .copies()
        .stage(&of, &part, content(bytes))
        .await
        .expect(WORKS)
}

async fn take_place(fixture: &dyn CopiesFixture) {
    let (of, part) = (fixture.of(), part(fixture).await);
    fixture.copies().take_place(&of, &part).await.expect(WORKS);
}

/// All of it, and twice in a row.
pub async fn a_copy_comes_back_with_what_was_counted(fixture: &dyn CopiesFixture) {
    fixture.fill("first").await;
    let (first, counted) = copied(fixture).await;
    for _ in 0..2 {
        fixture.fill("second").await;
        assert_eq!(stage(fixture, &first).await, counted);
        take_place(fixture).await;
        assert_eq!(fixture.word().await, "first");
        assert!(fixture.is_clean().await);
    }
}

/// Neither by bringing it in nor by taking it away again.
pub async fn nothing_changes_until_it_takes_the_place(fixture: &dyn CopiesFixture) {
    fixture.fill("first").await;
    let (first, _) = copied(fixture).await;
    fixture.fill("second").await;
    stage(fixture, &first).await;
    assert_eq!(fixture.word().await, "second");
    let (of, part) = (fixture.of(), part(fixture).await);
    for _ in 0..2 {
        fixture.copies().discard(&of, &part).await.expect(WORKS);
        assert!(fixture.is_clean().await);
    }
    assert_eq!(fixture.word().await, "second");
}

/// Also by one that does not come to its end.
pub async fn what_is_staged_again_is_replaced(fixture: &dyn CopiesFixture) {
    fixture.fill("first").await;
    let (first, _) = copied(fixture).await;
    fixture.fill("second").await;
    let (second, _) = copied(fixture).await;
    fixture.fill("third").await;
    stage(fixture, &first).await;
    stage(fixture, &second).await;
    take_place(fixture).await;
    assert_eq!(fixture.word().await, "second");
}

/// What was staged before is gone as well.
pub async fn a_copy_that_breaks_off_is_not_staged(fixture: &dyn CopiesFixture) {
    fixture.fill("first").await;
    let (first, _) = copied(fixture).await;
    fixture.fill("second").await;
    stage(fixture, &first).await;
    let (of, part) = (fixture.of(), part(fixture).await);
    let half = first[..first.len() / 2].to_vec();
    let broken = stream::iter([Ok(half), Err(io::ErrorKind::ConnectionReset.into())]);
    let refused = fixture.copies().stage(&of, &part, Box::pin(broken)).await;
    refused.expect_err("it broke off");
    assert!(fixture.is_clean().await);
    let refused = fixture.copies().take_place(&of, &part).await;
    assert_eq!(refused.expect_err("nothing is staged").kind, Kind::NotFound);
    assert_eq!(fixture.word().await, "second");
}

/// And what is there goes on.
pub async fn without_a_copy_no_place_is_taken(fixture: &dyn CopiesFixture) {
    fixture.fill("first").await;
    let (of, part) = (fixture.of(), part(fixture).await);
    let refused = fixture.copies().take_place(&of, &part).await;
    assert_eq!(refused.expect_err("nothing is staged").kind, Kind::NotFound);
    assert_eq!(fixture.word().await, "first");
}

/// And the next one is whole.
pub async fn one_that_nobody_takes_leaves_nothing(fixture: &dyn CopiesFixture) {
    fixture.fill("first").await;
    let part = part(fixture).await;
    for _ in 0..3 {
        let export = fixture.copies().export(&fixture.of(), &part).await.expect(WORKS);
        drop(export);
    }
    let (first, _) = copied(fixture).await;
    fixture.fill("second").await;
    stage(fixture, &first).await;
    take_place(fixture).await;
    assert_eq!(fixture.word().await, "first");
    assert!(fixture.is_clean().await);
}
