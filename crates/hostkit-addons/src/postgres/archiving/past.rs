//! Databases as they were, in a scratch cluster.

use hostkit_core::backup::part::PartName;
use hostkit_core::kind::Failure;
use hostkit_core::traits::{CopyOf, Export, Past};
use hostkit_host::command::Guard;

use super::scratch::Scratch;
use crate::postgres::copies::{Sharing, Tools, export_part, parts_of};

/// A scratch cluster that has come to its moment.
pub(super) struct PastPostgres {
    scratch: Scratch,
    guard: Guard,
}

impl PastPostgres {
    pub(super) fn new(scratch: Scratch, guard: Guard) -> Self {
        PastPostgres { scratch, guard }
    }
}

#[async_trait::async_trait]
impl Past for PastPostgres {
    async fn parts(&self, of: &CopyOf) -> Result<Vec<PartName>, Failure> {
        parts_of(&self.scratch.access(), &of.environment).await
    }

    async fn export(&self, of: &CopyOf, part: &PartName) -> Result<Export, Failure> {
        let access = self.scratch.access();
        let tools = Tools::new(self.guard.clone(), self.scratch.programs().clone(), access.port);
        export_part(&access, &tools, (&of.environment, part), Sharing::of_machine()).await
    }

    async fn end(self: Box<Self>) -> Result<(), Failure> {
        self.scratch.remove().await
    }
}
