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
pub(crate) struct Moment {
    /// What was in it.
    pub(crate) contents: Contents,
    /// What a dump names the moment by.
    pub(crate) snapshot: String,
    pub(super) session: Session,
    /// The login that was made for it, on a server of HostKit's own.
    errand: Option<Errand>,
}

impl Moment {
    pub(super) async fn begin(access: &Access, main: &DatabaseName, database: &str) -> Result<Self, Failure> {
        let errand = Errand::begin(access, main, May::ReadAll).await?;
        match Self::look(&errand.access(access), database, Whose::All).await {
            Ok(moment) => Ok(Moment {
                errand: Some(errand),
                ..moment
            }),
            Err(failure) => {
                errand.end(access).await?;
                Err(failure)
            }
        }
    }

    /// The same elsewhere, of what belongs to the login there.
    pub(crate) async fn begin_outside(access: &Access, database: &str) -> Result<Self, Failure> {
        Self::look(access, database, Whose::Own).await
    }

    async fn look(access: &Access, database: &str, whose: Whose) -> Result<Self, Failure> {
        let act = format!("count what is in `{database}`");
        let session = access.connect(database).await?;
        session
            .run(&act, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .await?;
        let row = session
            .row(&act, "SELECT pg_catalog.pg_export_snapshot()", &[])
            .await?;
        let snapshot = row.map_or_else(String::new, |row| row.get(0));
        // A table of which the login sees some rows only is a failure, and not a smaller count.
        session.run(&act, "SET LOCAL row_security = off").await?;
        let contents = count(&session, &act, whose).await?;
        Ok(Moment {
            contents,
            snapshot,
            session,
            errand: None,
        })
    }

    pub(super) async fn end(self, access: &Access) -> Result<(), Failure> {
        drop(self.session);
        match self.errand {
            Some(errand) => errand.end(access).await,
            None => Ok(()),
        }
    }
}

/// What of a database is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// Everything.
    All,
    /// What is in schemas of the login, and in `public`.
    Own,
}

/// Counts. What extensions brought is not among it: another version of them has other functions.
async fn count(session: &Session, act: &str, whose: Whose) -> Result<Contents, Failure> {
    let named =
        "n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND n.nspname NOT LIKE 'pg_temp%'
        AND n.nspname NOT LIKE 'pg_toast_temp%'";
    let schemas = match whose {
        Whose::All => named.to_owned(),
        Whose::Own => format!("{named} AND (n.nspname = 'public' OR pg_has_role(n.nspowner, 'MEMBER'))"),
    };
    let brought = |catalogue: &str, object: &str| {
        format!(
            "NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = '{catalogue}'::regclass AND e.objid = {object}.oid
                AND e.deptype = 'e')"
        )
    };
    let ours = format!("{schemas} AND {}", brought("pg_class", "c"));
    let functions = format!("{schemas} AND {}", brought("pg_proc", "p"));
    let question = format!(
        "SELECT n.nspname::text, c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'm') AND {ours} ORDER BY 1, 2"
    );
    let mut found = Contents::default();
    // No table is held longer than it is counted: who changes one would wait for the moment, the dump for who changes it, and
    // the moment for the dump. Where a change empties it for the moment, the counts differ from what comes back.
    session.run(act, "SAVEPOINT before_counting").await?;
    for row in session.rows(act, &question, &[]).await? {
        let (schema, table): (String, String) = (row.get(0), row.get(1));
        let count = format!(
            "SELECT count(*) FROM ONLY {}.{}",
            identifier(&schema)?,
            identifier(&table)?
        );
        let rows = session.row(act, &count, &[]).await?;
        session.run(act, "ROLLBACK TO SAVEPOINT before_counting").await?;
        found
            .tables
            .push((schema, table, rows.map_or(0, |row| row.get(0))));
    }
    let question = format!(
        "SELECT count(*) FILTER (WHERE c.relkind = 'S'), count(*) FILTER (WHERE c.relkind IN ('i', 'I')),
                count(*) FILTER (WHERE c.relkind = 'v')
                    + (SELECT count(*) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
                       WHERE {functions})
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {ours}"
    );
    if let Some(row) = session.row(act, &question, &[]).await? {
        (found.sequences, found.indexes, found.definitions) = (row.get(0), row.get(1), row.get(2));
    }
    Ok(found)
}
