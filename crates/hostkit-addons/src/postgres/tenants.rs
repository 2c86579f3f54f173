//! Row-level security for tables in which the rows of many tenants lie: each row belongs to one, and a transaction sees
//! those of the one it names.
//!
//! ```sql
//! SET LOCAL app.tenant = 'a7';   -- in the transaction: through PgBouncer nothing else holds
//! SELECT * FROM orders;          -- only those of a7
//! ```
//!
//! All of it is done with logins that may no more than the project: what is called a table may be a view, and counting it
//! runs what it says.

use hostkit_core::database::{TenantProof, TenantTable};
use hostkit_core::kind::{Failure, Kind};

use super::databases::{Errand, May};
use super::names::DatabaseName;
use super::quote::{identifier, literal};
use super::session::{Access, Session};

/// The setting that names the tenant.
pub const SETTING: &str = "app.tenant";
/// The name of the rule on each table.
const POLICY: &str = "hostkit_tenant";
/// A tenant that there is not.
const NOBODY: &str = "hostkit: nobody";

fn quoted(table: &TenantTable) -> Result<String, Failure> {
    Ok(format!(
        "{}.{}",
        identifier(&table.schema)?,
        identifier(&table.table)?
    ))
}

/// The statements that put the rule on a table: for a migration of the project's own.
pub fn statements(of: &TenantTable) -> Result<String, Failure> {
    let (table, column) = (quoted(of)?, identifier(&of.column)?);
    let setting = literal(SETTING)?;
    // An unset setting is null, one that was set in an earlier transaction of the connection is empty: neither is
    // anybody.
    let is_theirs = format!("{column}::text = nullif(current_setting({setting}, true), '')");
    Ok(format!(
        "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS {POLICY} ON {table};
CREATE POLICY {POLICY} ON {table} USING ({is_theirs}) WITH CHECK ({is_theirs});
"
    ))
}

/// Puts the rule on a table. Idempotent.
pub async fn protect(
    of: &TenantTable,
    access: &Access,
    (main, database): (&DatabaseName, &str),
) -> Result<(), Failure> {
    let statements = format!("BEGIN; {} COMMIT;", statements(of)?);
    let errand = Errand::begin(access, main, May::BeOwner).await?;
    let done = async {
        let session = errand.access(access).connect(database).await?;
        session
            .run(&format!("keep tenants apart in `{}`", of.table), &statements)
            .await
    }
    .await;
    errand.end(access).await?;
    done
}

/// Tries it: reads as no tenant, as one that does not exist, as one that there is; and writes for another. Nothing of it
/// stays.
pub async fn prove(
    of: &TenantTable,
    access: &Access,
    (main, database): (&DatabaseName, &str),
) -> Result<TenantProof, Failure> {
    let all = Errand::begin(access, main, May::ReadAll).await?;
    let counted = count_all(of, &all.access(access), database).await;
    all.end(access).await?;
    let (rows, tenant) = counted?;
    let owner = Errand::begin(access, main, May::BeOwner).await?;
    let tried = Try {
        of,
        tenant,
        act: act(of),
    };
    let tried = async { tried.run(&owner.access(access).connect(database).await?).await }.await;
    owner.end(access).await?;
    tried.map(|proof| TenantProof { rows, ..proof })
}

fn act(of: &TenantTable) -> String {
    format!("try whether tenants are apart in `{}`", of.table)
}

/// The rows of all tenants, and one of these.
async fn count_all(
    of: &TenantTable,
    access: &Access,
    database: &str,
) -> Result<(i64, Option<String>), Failure> {
    let (table, column) = (quoted(of)?, identifier(&of.column)?);
    let session = access.connect(database).await?;
    let question = format!("SELECT count(*), min({column}::text) FROM ONLY {table}");
    let row = session.row(&act(of), &question, &[]).await?;
    Ok(row.map_or((0, None), |row| (row.get(0), row.get(1))))
}

/// What is tried, as the owner, whom the rule counts for, too.
struct Try<'a> {
    of: &'a TenantTable,
    /// One that there is.
    tenant: Option<String>,
    act: String,
}

impl Try<'_> {
    async fn run(&self, session: &Session) -> Result<TenantProof, Failure> {
        let column = identifier(&self.of.column)?;
        let mut proof = TenantProof {
            rows: 0,
            without_tenant: self.seen(session, None, "true").await?,
            of_nobody: self.seen(session, Some(NOBODY), "true").await?,
            of_others: None,
            writes_for_others: false,
        };
        if let Some(tenant) = &self.tenant {
            let others = format!("{column}::text <> {}", literal(tenant)?);
            proof.of_others = Some(self.seen(session, Some(tenant), &others).await?);
            proof.writes_for_others = self.writes(session, tenant).await?;
        }
        Ok(proof)
    }

    /// The rows that a transaction sees which names this tenant.
    async fn seen(&self, session: &Session, tenant: Option<&str>, which: &str) -> Result<i64, Failure> {
        session.run(&self.act, "BEGIN").await?;
        if let Some(tenant) = tenant {
            session.run(&self.act, &set_tenant(tenant)?).await?;
        }
        let question = format!("SELECT count(*) FROM {} WHERE {which}", quoted(self.of)?);
        let row = session.row(&self.act, &question, &[]).await?;
        session.run(&self.act, "ROLLBACK").await?;
        Ok(row.map_or(0, |row| row.get(0)))
    }

    /// Whether one tenant can make its rows another's.
    async fn writes(&self, session: &Session, tenant: &str) -> Result<bool, Failure> {
        let (table, column) = (quoted(self.of)?, identifier(&self.of.column)?);
        session.run(&self.act, "BEGIN").await?;
        session.run(&self.act, &set_tenant(tenant)?).await?;
        // Whatever the column is, null is another.
        let tried = session
            .run(&self.act, &format!("UPDATE {table} SET {column} = NULL"))
            .await;
        session.run(&self.act, "ROLLBACK").await?;
        match tried {
            Ok(()) => Ok(true),
            Err(failure) if failure.kind == Kind::Denied => Ok(false),
            // The column takes no null: that is checked before the rule is, and so shows nothing. A rule for reading and
            // writing is one text in `statements`.
            Err(failure) if failure.kind == Kind::Failed => Ok(false),
            Err(failure) => Err(failure),
        }
    }
}

fn set_tenant(tenant: &str) -> Result<String, Failure> {
    Ok(format!("SET LOCAL {SETTING} = {}", literal(tenant)?))
}
