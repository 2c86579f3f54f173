//! A base: a copy of all files of the server, from which on its log is read.

use std::sync::Arc;

use futures_util::stream;
use hostkit_core::backup::history::Base;
use hostkit_core::backup::history::paths::{self, Part};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::traits::History;
use jiff::{SignedDuration, Timestamp};

use super::shelf;
use crate::backups::Store;
use crate::backups::put::put;
use crate::context::Context;

/// A server says to the second when a copy began, and refuses moments of that second.
const ROUNDING: SignedDuration = SignedDuration::from_secs(1);
/// Pauses after the first, second … failure in a row; the last one for all further ones.
const PAUSES: [SignedDuration; 3] = [
    SignedDuration::from_mins(1),
    SignedDuration::from_mins(15),
    SignedDuration::from_hours(1),
];

/// How making bases went since the last good one.
#[derive(Debug, Default)]
pub(super) struct Tries {
    failures: usize,
    last: Option<Timestamp>,
}

impl Tries {
    /// Whether it may be tried now.
    pub(super) fn may(&self, now: Timestamp) -> bool {
        let Some(last) = self.last.filter(|_| self.failures > 0) else {
            return true;
        };
        // A clock that was turned back waits no longer than the pause.
        now.duration_since(last).abs() >= PAUSES[(self.failures - 1).min(PAUSES.len() - 1)]
    }

    pub(super) fn ended(&mut self, now: Timestamp, well: bool) {
        self.last = Some(now);
        self.failures = if well { 0 } else { self.failures + 1 };
    }
}

/// Makes one. The log is collected meanwhile.
pub(super) async fn make(context: &Context, history: &Arc<dyn History>, server: &str) -> Result<(), Failure> {
    let (ready, number) = {
        let mut known = context.history.shelf.lock().await;
        let ready = shelf::open(context, &mut known, server).await?;
        let next = known.as_ref().map_or(1, |shelf| shelf.kept.next_number());
        (ready, next)
    };
    clear(&ready, server, number).await?;
    match fill(context, history, (server, &ready), number).await {
        Ok(base) => {
            let mut known = context.history.shelf.lock().await;
            shelf::open(context, &mut known, server).await?;
            if let Some(shelf) = known.as_mut() {
                shelf.kept.add_base(base);
            }
            drop(known);
            // From here on there are moments.
            tokio::time::sleep(ROUNDING.unsigned_abs()).await;
            history.file_now().await?;
            context.history.wake.notify_one();
            Ok(())
        }
        Err(failure) => {
            if let Err(error) = clear(&ready, server, number).await {
                tracing::warn!(%error, number, "what a base that was not made left is still there");
            }
            Err(failure)
        }
    }
}

async fn fill(
    context: &Context,
    history: &Arc<dyn History>,
    (server, ready): (&str, &Store),
    number: u64,
) -> Result<Base, Failure> {
    let act = format!("copy all databases to {}", ready.target.place());
    let copy = history.base().await?;
    let path = paths::of(server, &Part::Files(number))?;
    let figures = put(context, ready, &path, &act, copy.pieces).await?;
    let from = context.parts.clock.now().checked_add(ROUNDING);
    let base = Base {
        number,
        first: copy.first,
        from: from.map_err(|why| Failure::new(Kind::Internal, format!("cannot {act}: {why}")))?,
        figures,
    };
    let manifest = shelf::written(context, &base)?;
    let path = paths::of(server, &Part::Manifest(number))?;
    put(
        context,
        ready,
        &path,
        &act,
        Box::pin(stream::iter([Ok(manifest)])),
    )
    .await?;
    Ok(base)
}

/// Removes what there is of a base, its manifest first: from then on there is none of this number.
pub(super) async fn clear(ready: &Store, server: &str, number: u64) -> Result<(), Failure> {
    for part in [Part::Manifest(number), Part::Files(number)] {
        ready.target.remove(&paths::of(server, &part)?).await?;
    }
    Ok(())
}
