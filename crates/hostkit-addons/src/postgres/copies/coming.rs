//! What comes to be restored: one dump, or several that were woven together. The first bytes say which.

use futures_util::StreamExt;
use hostkit_core::backup::woven::MAGIC;
use hostkit_core::kind::Failure;
use hostkit_core::traits::Dump;

use super::head::Head;
use super::weave::Woven;

/// A dump of which the head has come.
pub(super) enum Coming {
    /// One dump: its head, and what comes after it.
    One(Head, Dump),
    /// Several.
    Woven(Woven),
}

impl Coming {
    /// Takes the head off. Nothing is made for what is no dump.
    pub(super) async fn begin(dump: Dump) -> Result<Self, Failure> {
        let mut dump: Dump = Box::pin(dump.fuse());
        let mut first = Vec::new();
        while first.len() < MAGIC.len()
            && MAGIC.starts_with(&first)
            && let Some(piece) = dump.next().await
        {
            first.extend(piece?);
        }
        if first.starts_with(MAGIC) {
            return Woven::begin(&first, dump).await.map(Coming::Woven);
        }
        let mut whole: Dump = Box::pin(futures_util::stream::iter([Ok(first)]).chain(dump));
        let head = Head::read(&mut whole).await?;
        Ok(Coming::One(head, whole))
    }
}
