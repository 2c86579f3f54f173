//! A database at one moment, counted.

use hostkit_core::database::Contents;
use hostkit_core::kind::Failure;

use crate::postgres::databases::{Errand, May};
use crate::postgres::names::DatabaseName;
use crate::postgres::quote::identifier;
use crate::postgres::session::{Access, Session};

/// Counts what is in a database. Every row is read: for a large one that takes its time.
pub async fn contents(access: &Access, main: &DatabaseName, database: &str) -> Result<Contents, Failure> {
    // Not as superuser: a table may be a view that was put in its place, and counting it would run what it says.
    let moment = Moment::begin(access, main, database).await?;
    let counted = moment.contents.clone();
    moment.end(access).await?;
    Ok(counted)
}

/// A database at one moment, counted. As long as it is held, a dump can be made of that very moment.
#[derive(Debug)]
pub(super) struct Moment {
    /// What was in it.
    pub(super) contents: Contents,
    /// What a dump names the moment by.
    pub(super) snapshot: String,
    session: Session,
    errand: Errand,
}

impl Moment {
    pub(super) async fn begin(access: &Access, main: &DatabaseName, database: &str) -> Result<Self, Failure> {
        let errand = Errand::begin(access, main, May::ReadAll).await?;
        match Self::look(&errand.access(access), database).await {
            Ok((session, snapshot, contents)) => Ok(Moment {
                contents,
                snapshot,
                session,
                errand,
            }),
            Err(failure) => {
                errand.end(access).await?;
                Err(failure)
            }
        }
    }

    async fn look(access: &Access, database: &str) -> Result<(Session, String, Contents), Failure> {
        let act = format!("count what is in `{database}`");
        let session = access.connect(database).await?;
        session
            .run(&act, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .await?;
        let row = session
            .row(&act, "SELECT pg_catalog.pg_export_snapshot()", &[])
            .await?;
        let snapshot = row.map_or_else(String::new, |row| row.get(0));
        let contents = count(&session, &act).await?;
        Ok((session, snapshot, contents))
    }

    pub(super) async fn end(self, access: &Access) -> Result<(), Failure> {
        drop(self.session);
        self.errand.end(access).await
    }
}

async fn count(session: &Session, act: &str) -> Result<Contents, Failure> {
    let ours =
        "n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND n.nspname NOT LIKE 'pg_temp%'
        AND n.nspname NOT LIKE 'pg_toast_temp%'";
    let question = format!(
        "SELECT n.nspname::text, c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'm') AND {ours} ORDER BY 1, 2"
    );
    let mut found = Contents::default();
    for row in session.rows(act, &question, &[]).await? {
        let (schema, table): (String, String) = (row.get(0), row.get(1));
        let count = format!(
            "SELECT count(*) FROM ONLY {}.{}",
            identifier(&schema)?,
            identifier(&table)?
        );
        let rows = session.row(act, &count, &[]).await?;
        found
            .tables
            .push((schema, table, rows.map_or(0, |row| row.get(0))));
    }
    let question = format!(
        "SELECT count(*) FILTER (WHERE c.relkind = 'S'), count(*) FILTER (WHERE c.relkind IN ('i', 'I')),
                count(*) FILTER (WHERE c.relkind = 'v')
                    + (SELECT count(*) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE {ours})
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {ours}"
    );
    if let Some(row) = session.row(act, &question, &[]).await? {
        (found.sequences, found.indexes, found.definitions) = (row.get(0), row.get(1), row.get(2));
    }
    Ok(found)
}
