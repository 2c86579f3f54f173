//! Storage in backups: all that a server holds, as it was at one moment, given by the server while it goes on. A copy is
//! brought in by the server, too, as its account and behind its walls; then it takes the place of what is there, in one
//! step, while the server is stopped.

use std::sync::Arc;

use hostkit_core::addon::{AddonKind, AddonOrder};
use hostkit_core::backup::part::{Counts, PartKind, PartName};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::traits::{Addon, Copies, CopyOf, Counting, Export, LeftOut, Pieces, Services};
use hostkit_host::beneath::Folder;

use super::operator::{self, NoState};
use super::{StorageAddon, down, keys, server};
use crate::storage::place::{BEGUN, OBJECTS, RESTORE};

const KIND: PartKind = PartKind::Addon(AddonKind::Storage);

/// Copies of the buckets of environments.
pub struct StorageCopies {
    services: Arc<dyn Services>,
    addon: Arc<StorageAddon>,
}

impl StorageCopies {
    /// Of the servers that `addon` provides.
    pub fn new(services: Arc<dyn Services>, addon: Arc<StorageAddon>) -> Self {
        StorageCopies { services, addon }
    }

    /// The folder of its data, which belongs to its account: opened, so that no link in it leads elsewhere.
    fn data(&self, order: &AddonOrder) -> Result<Folder, Failure> {
        Folder::open(&self.services.place(&server::name(&order.id)).data)
    }

    /// Has what was brought in and what is there change places, while nobody uses either.
    async fn exchange(&self, order: &AddonOrder) -> Result<(), Failure> {
        self.services.stop(&server::name(&order.id)).await?;
        self.data(order)?.exchange(RESTORE, OBJECTS)
    }
}

/// The order of the add-on, which is there: the engine asks for no others.
fn ordered(of: &CopyOf) -> Result<&AddonOrder, Failure> {
    of.order.as_ref().ok_or_else(|| {
        Failure::new(
            Kind::Internal,
            format!(
                "cannot copy the storage of `{}`: it is not ordered",
                of.environment
            ),
        )
    })
}

/// Removes what can be a very large folder where that holds up nobody.
async fn remove_staged(data: Folder) -> Result<(), Failure> {
    let removed = tokio::task::spawn_blocking(move || {
        let _ = data.remove_tree(BEGUN)?;
        data.remove_tree(RESTORE).map(drop)
    });
    removed.await.unwrap_or_else(|why| {
        Err(Failure::new(
            Kind::Internal,
            format!("cannot remove a copy of a storage: {why}"),
        ))
    })
}

#[async_trait::async_trait]
impl Copies for StorageCopies {
    fn kind(&self) -> PartKind {
        KIND
    }

    /// A bucket that somebody else keeps is copied there.
    fn covers(&self, of: &CopyOf) -> bool {
        !of.order.as_ref().is_some_and(|order| order.settings.outside)
    }

    async fn parts(&self, _of: &CopyOf) -> Result<Vec<PartName>, Failure> {
        Ok(vec![PartName::main(KIND)])
    }

    async fn export(&self, of: &CopyOf, _part: &PartName) -> Result<Export, Failure> {
        let order = ordered(of)?;
        let copied = operator::copy(server::address(order)?, &keys::operator(order)).await;
        let (counts, pieces) = copied.map_err(|why| down(order, &why.to_string()))?;
        Ok(Export {
            pieces,
            counting: Counting::known(counts),
            left_out: LeftOut::default(),
        })
    }

    async fn stage(&self, of: &CopyOf, _part: &PartName, content: Pieces) -> Result<Counts, Failure> {
        let order = ordered(of)?;
        let brought = operator::bring_in(server::address(order)?, &keys::operator(order), content).await;
        brought.map_err(|why| match why {
            NoState::Refused(why) => Failure::new(
                Kind::Failed,
                format!(
                    "cannot read the copy of the storage of `{}`: {why}",
                    of.environment
                ),
            ),
            why => down(order, &why.to_string()),
        })
    }

    async fn take_place(&self, of: &CopyOf, _part: &PartName) -> Result<(), Failure> {
        let order = ordered(of)?;
        if self.data(order)?.folder(RESTORE)?.is_none() {
            return Err(Failure::new(
                Kind::NotFound,
                format!(
                    "cannot restore the storage of `{}`: nothing was brought in",
                    of.environment
                ),
            ));
        }
        self.exchange(order).await?;
        if let Err(failure) = self.addon.ensure(order).await {
            // What was there before is in the other place now: back with it.
            self.exchange(order).await?;
            self.addon.ensure(order).await?;
            return Err(failure);
        }
        remove_staged(self.data(order)?).await
    }

    async fn discard(&self, of: &CopyOf, _part: &PartName) -> Result<(), Failure> {
        match self.data(ordered(of)?) {
            Ok(data) => remove_staged(data).await,
            // Of a server that was never started nothing was staged.
            Err(failure) if failure.kind == Kind::NotFound => Ok(()),
            Err(failure) => Err(failure),
        }
    }
}
