//! `shared/` in backups: the folder that outlives releases, as a tar. In local mode whoever runs HostKit owns what is in it.
//! On a server the project does, and root acts for it: below the folder it follows nothing, packs nothing that the project
//! could not read, and gives it all that comes back.

mod place;

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use hostkit_core::backup::part::{Counts, PartKind, PartName};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::layout::Layout;
use hostkit_core::traits::{Copies, CopyOf, Counting, Export, LeftOut, Pieces};

use crate::piecewise::{PieceReader, PieceWriter};
use place::Place;

/// Copies of the shared folders of environments.
#[derive(Debug, Clone)]
pub struct SharedCopies {
    layout: Layout,
}

impl SharedCopies {
    /// Of the environments of one installation.
    pub fn new(layout: Layout) -> Self {
        SharedCopies { layout }
    }

    /// Works where it holds up nobody.
    async fn at<T: Send + 'static>(
        &self,
        of: &CopyOf,
        work: impl FnOnce(Place) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let (layout, id) = (self.layout.clone(), of.environment.clone());
        let done = tokio::task::spawn_blocking(move || Place::open(&layout, &id).and_then(work));
        done.await.unwrap_or_else(|why| {
            Err(Failure::new(
                Kind::Internal,
                format!("cannot work on a shared folder: {why}"),
            ))
        })
    }
}

#[async_trait]
impl Copies for SharedCopies {
    fn kind(&self) -> PartKind {
        PartKind::Shared
    }

    async fn parts(&self, of: &CopyOf) -> Result<Vec<PartName>, Failure> {
        let is_empty = self.at(of, |place| {
            let shared = place.shared()?;
            Ok(shared
                .map(|shared| shared.names())
                .transpose()?
                .is_none_or(|names| names.is_empty()))
        });
        Ok(match is_empty.await? {
            true => Vec::new(),
            false => vec![PartName::main(PartKind::Shared)],
        })
    }

    async fn export(&self, of: &CopyOf, _part: &PartName) -> Result<Export, Failure> {
        let opened = self.at(of, |place| {
            let shared = place.shared()?.ok_or_else(|| place.none("back up"))?;
            place.check_volume(&shared)?;
            Ok((place, shared))
        });
        let (place, shared) = opened.await?;
        let (counting, left_out) = (Counting::default(), LeftOut::default());
        let (to, pieces) = PieceWriter::new();
        let (counted, left) = (counting.clone(), left_out.clone());
        tokio::task::spawn_blocking(move || place.pack(&shared, to, &counted, &left));
        let pieces = stream::unfold(pieces, |mut pieces| async move {
            let piece = pieces.recv().await?;
            Some((piece, pieces))
        });
        Ok(Export {
            pieces: Box::pin(pieces),
            counting,
            left_out,
        })
    }

    async fn stage(&self, of: &CopyOf, _part: &PartName, mut content: Pieces) -> Result<Counts, Failure> {
        let (to, from) = PieceReader::new();
        tokio::spawn(async move {
            while let Some(piece) = content.next().await {
                if to.send(piece).await.is_err() {
                    return;
                }
            }
        });
        self.at(of, move |place| place.stage(from)).await
    }

    async fn take_place(&self, of: &CopyOf, _part: &PartName) -> Result<(), Failure> {
        self.at(of, |place| place.take_place()).await
    }

    async fn discard(&self, of: &CopyOf, _part: &PartName) -> Result<(), Failure> {
        self.at(of, |place| place.discard()).await
    }
}

#[cfg(test)]
mod tests;
