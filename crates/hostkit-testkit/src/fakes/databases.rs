//! PostgreSQL in memory: databases are bytes, and a dump is these bytes behind its first letters.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures_util::StreamExt;
use hostkit_core::addon::{AddonHealth, AddonId, AddonKind, AddonOrder, AddonState, Console};
use hostkit_core::database::{
    Connection, Contents, Database, DatabaseId, DatabaseStats, Extension, Protection, TenantProof,
    TenantTable,
};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::{DatabaseLabel, VariableName};
use hostkit_core::port_use::PortUse;
use hostkit_core::project::EnvironmentId;
use hostkit_core::traits::{Addon, DatabaseCopies, Databases, Dump, ProtectMode};
use hostkit_core::variables::Variables;

use super::faults::locked;
use super::{Faults, Journal};

/// What a dump begins with.
const MAGIC: &[u8] = b"PGDMP";

#[derive(Debug, Clone, Default)]
struct Kept {
    there: BTreeMap<DatabaseId, Vec<u8>>,
    waiting: BTreeMap<DatabaseId, Vec<u8>>,
}

/// Provides PostgreSQL that nobody can talk to. Clones share one. Faults: `"dump_database"` (half way), `"restore_beside"`,
/// `"take_place"`, `"drop_database"`.
#[derive(Debug, Clone, Default)]
pub struct FakeDatabases {
    kept: Arc<Mutex<Kept>>,
    /// What was done: `take the place of shop/production db`.
    pub journal: Journal,
    /// Faults by method.
    pub faults: Faults,
}

impl FakeDatabases {
    /// One that writes to `journal`.
    pub fn new(journal: &Journal) -> Self {
        FakeDatabases {
            journal: journal.clone(),
            ..FakeDatabases::default()
        }
    }

    /// What is in a database.
    pub fn data(&self, id: &DatabaseId) -> Option<Vec<u8>> {
        locked(&self.kept).there.get(id).cloned()
    }

    /// Puts something into a database.
    pub fn fill(&self, id: &DatabaseId, data: &[u8]) {
        locked(&self.kept).there.insert(id.clone(), data.to_vec());
    }

    /// Whether something waits beside a database.
    pub fn waits(&self, id: &DatabaseId) -> bool {
        locked(&self.kept).waiting.contains_key(id)
    }

    fn found(&self, id: &DatabaseId) -> Result<Vec<u8>, Failure> {
        self.data(id)
            .ok_or_else(|| Failure::new(Kind::NotFound, format!("cannot find the database {id}")))
    }
}

#[async_trait::async_trait]
impl Addon for FakeDatabases {
    fn kind(&self) -> AddonKind {
        AddonKind::Postgres
    }

    fn needs_port(&self) -> bool {
        false
    }

    async fn ensure(&self, order: &AddonOrder) -> Result<(), Failure> {
        let main = DatabaseId::new(order.id.environment.clone(), DatabaseLabel::main());
        locked(&self.kept).there.entry(main).or_default();
        Ok(())
    }

    async fn observe(&self, _order: &AddonOrder) -> Result<AddonState, Failure> {
        Ok(AddonState {
            health: AddonHealth::Ready,
            memory: None,
            version: None,
            warnings: Vec::new(),
        })
    }

    async fn remove(&self, id: &AddonId) -> Result<(), Failure> {
        locked(&self.kept)
            .there
            .retain(|kept, _| kept.environment != id.environment);
        Ok(())
    }

    fn variable_names(&self) -> Vec<VariableName> {
        Vec::new()
    }

    fn variables(&self, _order: &AddonOrder) -> Variables {
        Variables::new()
    }

    fn ports(&self, _order: &AddonOrder) -> BTreeMap<u16, PortUse> {
        BTreeMap::new()
    }

    fn console(&self, _order: &AddonOrder, _arguments: &[String]) -> Option<Console> {
        None
    }

    fn databases(&self, _order: &AddonOrder) -> Option<Arc<dyn Databases>> {
        Some(Arc::new(self.clone()))
    }
}

#[async_trait::async_trait]
impl Databases for FakeDatabases {
    async fn list(&self, environment: &EnvironmentId) -> Result<Vec<Database>, Failure> {
        let kept = locked(&self.kept);
        let own = kept.there.iter().filter(|(id, _)| id.environment == *environment);
        Ok(own
            .map(|(id, data)| Database {
                label: id.label.clone(),
                name: format!("{}_{}", environment.project, id.label),
                size: data.len() as u64,
                connections: 0,
                connection_limit: 25,
                commits: 0,
                rollbacks: 0,
                deadlocks: 0,
                from_memory: None,
            })
            .collect())
    }

    async fn create_database(&self, id: &DatabaseId) -> Result<(), Failure> {
        locked(&self.kept).there.entry(id.clone()).or_default();
        self.journal.note(format!("create {id}"));
        Ok(())
    }

    async fn drop_database(&self, id: &DatabaseId) -> Result<(), Failure> {
        self.faults.pass("drop_database").await?;
        locked(&self.kept).there.remove(id);
        self.journal.note(format!("drop {id}"));
        Ok(())
    }

    async fn stats(&self, id: &DatabaseId) -> Result<DatabaseStats, Failure> {
        self.found(id)?;
        Ok(DatabaseStats {
            tables: Vec::new(),
            unused_indexes: Vec::new(),
            slow_queries: None,
        })
    }

    async fn connections(&self, id: &DatabaseId) -> Result<Vec<Connection>, Failure> {
        self.found(id).map(|_| Vec::new())
    }

    async fn extensions(&self, id: &DatabaseId) -> Result<Vec<Extension>, Failure> {
        self.found(id).map(|_| Vec::new())
    }

    async fn ensure_extension(&self, id: &DatabaseId, _name: &str) -> Result<(), Failure> {
        self.found(id).map(drop)
    }

    async fn protect(
        &self,
        id: &DatabaseId,
        table: &TenantTable,
        mode: ProtectMode,
    ) -> Result<Protection, Failure> {
        self.found(id)?;
        let proof = TenantProof {
            rows: 1,
            without_tenant: i64::from(mode == ProtectMode::Try),
            of_nobody: 0,
            of_others: None,
            writes_for_others: false,
        };
        Ok(Protection {
            statements: format!("protect {}", table.table),
            holds: proof.holds(),
            proof,
        })
    }
}

#[async_trait::async_trait]
impl DatabaseCopies for FakeDatabases {
    async fn dump(&self, id: &DatabaseId) -> Result<Dump, Failure> {
        let data = self.found(id)?;
        let end = self.faults.pass("dump_database").await.err();
        let pieces = [Ok(MAGIC.to_vec()), Ok(data)].into_iter();
        Ok(Box::pin(futures_util::stream::iter(pieces.chain(end.map(Err)))))
    }

    async fn restore_beside(&self, id: &DatabaseId, mut dump: Dump) -> Result<Contents, Failure> {
        self.found(id)?;
        let mut bytes = Vec::new();
        while let Some(piece) = dump.next().await {
            bytes.extend(piece?);
        }
        self.faults.pass("restore_beside").await?;
        let Some(data) = bytes.strip_prefix(MAGIC) else {
            return Err(Failure::new(Kind::Invalid, "cannot restore this: it is no dump"));
        };
        let rows = i64::try_from(data.len()).unwrap_or(i64::MAX);
        locked(&self.kept).waiting.insert(id.clone(), data.to_vec());
        Ok(Contents {
            tables: vec![("public".into(), "bytes".into(), rows)],
            ..Contents::default()
        })
    }

    async fn take_place(&self, id: &DatabaseId) -> Result<(), Failure> {
        self.faults.pass("take_place").await?;
        let mut kept = locked(&self.kept);
        let data = kept.waiting.remove(id).unwrap_or_default();
        kept.there.insert(id.clone(), data);
        self.journal.note(format!("take the place of {id}"));
        Ok(())
    }

    async fn discard(&self, id: &DatabaseId) -> Result<(), Failure> {
        locked(&self.kept).waiting.remove(id);
        Ok(())
    }
}
