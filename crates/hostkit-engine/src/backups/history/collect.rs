//! Taking to where backups are kept what the server has filed. What does not get there waits on the disk, and not for ever:
//! before it fills the disk it is thrown away, and whoever watches is told.

use hostkit_core::backup::history::paths::{self, Part};
use hostkit_core::backup::history::{KeptPiece, LogPiece};
use hostkit_core::event::What;
use hostkit_core::kind::Failure;
use hostkit_core::traits::{FiledPiece, History, Pieces};

use super::super::Store;
use super::shelf::{self, Shelf};
use crate::backups::put::put;
use crate::context::{Context, on_disk};

/// Of what is free on the disk no more than one part of so many may be taken by what waits.
const SHARE: u64 = 10;

/// Takes everything away that lies filed.
pub(super) async fn collect(context: &Context, history: &dyn History, server: &str) -> Result<(), Failure> {
    let work = take_away(context, history, server);
    tokio::pin!(work);
    let done = loop {
        tokio::select! {
            done = &mut work => break done,
            // However long the target lets us wait.
            () = tokio::time::sleep(context.parts.settings.reconcile_all_every) => bound(context, history).await?,
        }
    };
    if done.is_err() {
        bound(context, history).await?;
    }
    done
}

async fn take_away(context: &Context, history: &dyn History, server: &str) -> Result<(), Failure> {
    let mut known = context.history.shelf.lock().await;
    let ready = shelf::open(context, &mut known, server).await?;
    let Some(shelf) = known.as_mut() else {
        return Ok(());
    };
    let mut unread = None;
    for filed in history.filed().await? {
        // What somebody put between them holds no other piece up, and is told at the end.
        let content = match history.read(&filed.piece).await {
            Ok(content) => content,
            Err(failure) => {
                unread.get_or_insert(failure);
                continue;
            }
        };
        take(context, history, (server, &ready), shelf, (filed, content)).await?;
        shelf::show(context, Some(shelf));
    }
    unread.map_or(Ok(()), Err)
}

async fn take(
    context: &Context,
    history: &dyn History,
    (server, ready): (&str, &Store),
    shelf: &mut Shelf,
    (filed, content): (FiledPiece, Pieces),
) -> Result<(), Failure> {
    let FiledPiece { piece, filed_at } = filed;
    // One that the server files again is the same: it has one place.
    let filed_at = shelf.kept.piece(&piece).map_or(filed_at, |known| known.filed_at);
    let path = paths::of(server, &Part::Piece(piece.clone(), filed_at))?;
    let act = format!(
        "keep `{piece}` of what databases wrote in {}",
        ready.target.place()
    );
    match put(context, ready, &path, &act, content).await {
        Ok(figures) => shelf.kept.add_piece(KeptPiece {
            piece: piece.clone(),
            filed_at,
            bytes: figures.bytes,
        }),
        Err(failure) => {
            // What did not come back as it was is not to be taken for a piece.
            if let Err(error) = ready.target.remove(&path).await {
                tracing::warn!(%error, %path, "what was not kept right is still there");
            }
            return Err(failure);
        }
    }
    history.forget(&piece).await
}

/// Throws away what waits where it takes too much of the disk.
async fn bound(context: &Context, history: &dyn History) -> Result<(), Failure> {
    let filed = history.filed().await?;
    let bytes = filed.len() as u64 * LogPiece::BYTES;
    let data = context.parts.layout.data();
    let free = context.parts.files.free_bytes(data);
    let free = free.map_err(|why| on_disk("look at the room for", data, &why))?;
    let most = context
        .parts
        .settings
        .history_waiting
        .0
        .min((free + bytes) / SHARE);
    if bytes <= most {
        return Ok(());
    }
    for piece in &filed {
        history.forget(&piece.piece).await?;
    }
    context.parts.store.record(None, What::HistoryGap { bytes })
}
