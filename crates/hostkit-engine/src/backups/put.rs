//! Putting a file of a backup: streamed to the target, read back, compared with what was sent.

use futures_util::StreamExt;
use hostkit_core::backup::part::FileFigures;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::BackupPath;
use hostkit_core::traits::Pieces;

use super::act::Moved;
use super::read::Reader;
use super::{Store, parts};
use crate::context::Context;

/// Puts one file. `act` says what is done, behind `cannot`.
pub(super) async fn put(
    context: &Context,
    ready: &Store,
    path: &BackupPath,
    act: &str,
    pieces: Pieces,
) -> Result<FileFigures, Failure> {
    let parts = parts(context)?;
    let sealed = parts.cipher.seal(&ready.key, path.as_str(), pieces)?;
    let moved = Moved::default();
    let bytes = moved
        .within(
            parts.patience,
            act,
            ready.target.put(path, watched(sealed.pieces, &moved)),
        )
        .await?;
    let figures = sealed.measure.get().cloned().ok_or_else(|| {
        Failure::new(
            Kind::Unavailable,
            format!("cannot {act}: it was not taken to its end"),
        )
    })?;
    if bytes != figures.bytes {
        return Err(Failure::new(
            Kind::Unavailable,
            format!(
                "cannot {act}: it says that {bytes} bytes were written, {} were sent",
                figures.bytes
            ),
        ));
    }
    let reader = Reader::new(context, ready.target.clone(), ready.key.clone())?;
    let verified = reader.verify(path, &figures).await;
    verified.map_err(|trouble| {
        let why = trouble.told(path);
        Failure::new(
            Kind::Unavailable,
            format!("cannot {act}: what was written does not come back: {why}"),
        )
    })?;
    Ok(figures)
}

fn watched(pieces: Pieces, moved: &Moved) -> Pieces {
    let moved = moved.clone();
    Box::pin(pieces.inspect(move |_| moved.note()))
}
