//! Row-level security for tables in which the rows of many tenants lie: each row belongs to one, and a transaction sees
//! those of the one it names.
//!
//! ```sql
//! SET LOCAL app.tenant = 'a7';   -- in the transaction: through PgBouncer nothing else holds
//! SELECT * FROM orders;          -- only those of a7
//! ```

use hostkit_core::kind::{Failure, Kind};

use super::names::DatabaseName;
use super::quote::{identifier, literal};
use super::session::{Access, Session};

/// The setting that names the tenant.
pub const SETTING: &str = "app.tenant";
/// The name of the rule on each table.
const POLICY: &str = "hostkit_tenant";

/// A table whose rows belong to tenants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantTable {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub table: String,
    /// The column that says whose a row is.
    pub column: String,
}

/// What a try showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// Rows of all tenants.
    pub rows: i64,
    /// Rows that a transaction sees which names no tenant: must be none.
    pub without_tenant: i64,
    /// Rows that one sees which names a tenant that does not exist: must be none.
    pub of_nobody: i64,
    /// Rows of others that one sees which names a tenant that there is; none where the table is empty. Must be none.
    pub of_others: Option<i64>,
    /// Whether a row for another tenant could be written: must not be.
    pub writes_for_others: bool,
}

impl Proof {
    /// Whether tenants are apart.
    pub fn holds(&self) -> bool {
        self.without_tenant == 0
            && self.of_nobody == 0
            && self.of_others.unwrap_or(0) == 0
            && !self.writes_for_others
    }
}

impl TenantTable {
    fn quoted(&self) -> Result<String, Failure> {
        Ok(format!(
            "{}.{}",
            identifier(&self.schema)?,
            identifier(&self.table)?
        ))
    }

    /// The statements that put the rule on the table: for a migration of the project's own.
    pub fn statements(&self) -> Result<String, Failure> {
        let (table, column) = (self.quoted()?, identifier(&self.column)?);
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

    /// Puts the rule on the table. Idempotent.
    pub async fn protect(&self, access: &Access, main: &DatabaseName, database: &str) -> Result<(), Failure> {
        let session = as_owner(access, main, database).await?;
        let statements = format!("BEGIN; {} COMMIT;", self.statements()?);
        session
            .run(&format!("keep tenants apart in `{}`", self.table), &statements)
            .await
    }

    /// Tries it: reads as no tenant, as one that does not exist, as one that there is; and writes for another. Nothing of
    /// it stays.
    pub async fn prove(
        &self,
        access: &Access,
        main: &DatabaseName,
        database: &str,
    ) -> Result<Proof, Failure> {
        let act = format!("try whether tenants are apart in `{}`", self.table);
        let (table, column) = (self.quoted()?, identifier(&self.column)?);
        let all = access.connect(database).await?;
        let question = format!("SELECT count(*), min({column}::text) FROM ONLY {table}");
        let row = all.row(&act, &question, &[]).await?;
        let (rows, tenant): (i64, Option<String>) = row.map_or((0, None), |row| (row.get(0), row.get(1)));
        let session = as_owner(access, main, database).await?;
        let seen = async |tenant: Option<&str>, of: &str| -> Result<i64, Failure> {
            session.run(&act, "BEGIN").await?;
            if let Some(tenant) = tenant {
                session.run(&act, &set_tenant(tenant)?).await?;
            }
            let question = format!("SELECT count(*) FROM {table} WHERE {of}");
            let row = session.row(&act, &question, &[]).await?;
            session.run(&act, "ROLLBACK").await?;
            Ok(row.map_or(0, |row| row.get(0)))
        };
        const NOBODY: &str = "hostkit: nobody";
        let without_tenant = seen(None, "true").await?;
        let of_nobody = seen(Some(NOBODY), "true").await?;
        let mut proof = Proof {
            rows,
            without_tenant,
            of_nobody,
            of_others: None,
            writes_for_others: false,
        };
        if let Some(tenant) = tenant {
            let others = format!("{column}::text <> {}", literal(&tenant)?);
            proof.of_others = Some(seen(Some(&tenant), &others).await?);
            proof.writes_for_others = self.writes(&session, &act, &tenant).await?;
        }
        Ok(proof)
    }

    /// Whether one tenant can make its rows another's.
    async fn writes(&self, session: &Session, act: &str, tenant: &str) -> Result<bool, Failure> {
        let (table, column) = (self.quoted()?, identifier(&self.column)?);
        session.run(act, "BEGIN").await?;
        session.run(act, &set_tenant(tenant)?).await?;
        // Whatever the column is, null is another.
        let tried = session
            .run(act, &format!("UPDATE {table} SET {column} = NULL"))
            .await;
        session.run(act, "ROLLBACK").await?;
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

/// A connection that is the owner of what is in a database, as the project's programs are.
async fn as_owner(access: &Access, main: &DatabaseName, database: &str) -> Result<Session, Failure> {
    let session = access.connect(database).await?;
    let statement = format!("SET ROLE {}", identifier(main.as_str())?);
    session.run("be the owner of a database", &statement).await?;
    Ok(session)
}
