//! Databases in backups: each is a part, dumped at the moment it was counted at, and staged as a database beside the one
//! whose place it can take.

use std::io;
use std::sync::Arc;

use futures_util::TryStreamExt;
use hostkit_core::addon::AddonKind;
use hostkit_core::backup::part::{Counts, PartKind, PartName};
use hostkit_core::database::{Contents, DatabaseId};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::{DatabaseLabel, NameError};
use hostkit_core::project::EnvironmentId;
use hostkit_core::traits::{Copies, CopyOf, Counting, Databases, Export, LeftOut, Pieces};

use super::dump::dump_at;
use super::moment::Moment;
use super::{Sharing, Tools, Waiting, discard, restore_beside, take_place};
use crate::postgres::Described;
use crate::postgres::addon::Postgres;
use crate::postgres::databases;
use crate::postgres::names::DatabaseName;
use crate::postgres::outside::{Given, OutsidePostgres};
use crate::postgres::session::Access;

const KIND: PartKind = PartKind::Addon(AddonKind::Postgres);
/// What a staged database is called beside its own; a restore by hand uses another name.
const STAGED: &str = "backup";

/// Copies of the databases of environments.
pub struct PostgresCopies {
    postgres: Arc<dyn Described>,
    outside: OutsidePostgres,
}

impl PostgresCopies {
    /// Of the databases that `postgres` provides, and of those elsewhere that `outside` uses.
    pub(crate) fn new(postgres: Arc<dyn Described>, outside: OutsidePostgres) -> Self {
        PostgresCopies { postgres, outside }
    }

    /// Where the database is of an order that is for one elsewhere.
    fn elsewhere(&self, of: &CopyOf) -> Result<Option<Given>, Failure> {
        match &of.order {
            Some(order) if order.settings.outside => self.outside.given(order).map(Some),
            _ => Ok(None),
        }
    }

    /// The server, which answers.
    async fn server(&self) -> Result<&Postgres, Failure> {
        let postgres = self.postgres.postgres()?;
        postgres.ensure_server().await?;
        Ok(postgres)
    }
}

/// The database that a part is of.
fn database(environment: &EnvironmentId, part: &PartName) -> Result<DatabaseId, Failure> {
    let label = match part.label() {
        None => DatabaseLabel::main(),
        Some(label) => DatabaseLabel::parse(label).map_err(|why| unnamed(&why))?,
    };
    Ok(DatabaseId::new(environment.clone(), label))
}

/// Where a part is staged.
fn staged(of: &CopyOf, part: &PartName) -> Result<Waiting, Failure> {
    let target = DatabaseName::of(&database(&of.environment, part)?)?;
    Ok(Waiting {
        main: DatabaseName::main(&of.environment),
        name: target.beside(STAGED),
        target,
    })
}

fn counted(contents: &Contents) -> Counts {
    let count = |number: i64| u64::try_from(number).unwrap_or_default();
    let tables = contents
        .tables
        .iter()
        .map(|(schema, table, rows)| (format!("rows of {schema}.{table}"), count(*rows)));
    let others = [
        ("tables", contents.tables.len() as i64),
        ("sequences", contents.sequences),
        ("indexes", contents.indexes),
        ("views and functions", contents.definitions),
    ];
    let others = others.map(|(name, number)| (name.to_owned(), count(number)));
    tables.chain(others).collect()
}

fn unnamed(why: &NameError) -> Failure {
    Failure::new(Kind::Invalid, why.to_string())
}

/// The databases of an environment that a server has, the main one first.
pub(crate) async fn parts_of(access: &Access, environment: &EnvironmentId) -> Result<Vec<PartName>, Failure> {
    let main = DatabaseName::main(environment);
    let known = databases::known(&access.connect(&access.home).await?).await?;
    let mut parts = Vec::new();
    for database in known.iter().filter(|database| database.owner == main.as_str()) {
        match DatabaseName::label_of(environment, &database.name) {
            Some(label) if label.is_main() => parts.insert(0, PartName::main(KIND)),
            Some(label) => {
                let part = PartName::further(KIND, label.as_str());
                parts.push(part.map_err(|why| unnamed(&why))?);
            }
            None => {}
        }
    }
    Ok(parts)
}

/// A copy of a database, counted at the moment that it is of. A large one is several dumps, woven together.
pub async fn export_part(
    access: &Access,
    tools: &Tools,
    (environment, part): (&EnvironmentId, &PartName),
    sharing: Sharing,
) -> Result<Export, Failure> {
    let main = DatabaseName::main(environment);
    let name = DatabaseName::of(&database(environment, part)?)?;
    let moment = Moment::begin(access, &main, name.as_str()).await?;
    let counts = counted(&moment.contents);
    let dump = dump_at(access, tools, (&main, name.as_str()), moment, sharing).await?;
    Ok(Export {
        pieces: Box::pin(dump.map_err(io::Error::other)),
        counting: Counting::known(counts),
        left_out: LeftOut::default(),
    })
}

#[async_trait::async_trait]
impl Copies for PostgresCopies {
    fn kind(&self) -> PartKind {
        KIND
    }

    async fn parts(&self, of: &CopyOf) -> Result<Vec<PartName>, Failure> {
        if self.elsewhere(of)?.is_some() {
            return Ok(vec![PartName::main(KIND)]);
        }
        let mut parts = parts_of(&self.server().await?.access(), &of.environment).await?;
        // Where it is not there any more, a backup of it fails and says so.
        if !parts.contains(&PartName::main(KIND)) {
            parts.insert(0, PartName::main(KIND));
        }
        Ok(parts)
    }

    async fn export(&self, of: &CopyOf, part: &PartName) -> Result<Export, Failure> {
        if let Some(given) = self.elsewhere(of)? {
            let moment = Moment::begin_outside(&given.access, &given.database).await?;
            let counts = counted(&moment.contents);
            let dump = self.outside.dump(&given, 0, Some(moment)).await?;
            return Ok(Export {
                pieces: Box::pin(dump.map_err(io::Error::other)),
                counting: Counting::known(counts),
                left_out: LeftOut::default(),
            });
        }
        let postgres = self.server().await?;
        let (access, tools) = (postgres.access(), postgres.tools()?);
        export_part(&access, &tools, (&of.environment, part), Sharing::of_machine()).await
    }

    async fn stage(&self, of: &CopyOf, part: &PartName, content: Pieces) -> Result<Counts, Failure> {
        let waiting = staged(of, part)?;
        let act = format!("cannot restore the database `{}`", waiting.target);
        let broken = move |why: io::Error| Failure::new(Kind::Unavailable, format!("{act}: {why}"));
        let dump = Box::pin(content.map_err(broken));
        if self.elsewhere(of)?.is_some() {
            let found = self.outside.try_copy(&waiting.main, STAGED, dump).await?;
            return Ok(counted(&found));
        }
        let postgres = self.server().await?;
        let (access, tools) = (postgres.access(), postgres.tools()?);
        let found = restore_beside(&access, &tools, &waiting, postgres.limits(), dump).await?;
        Ok(counted(&found))
    }

    async fn take_place(&self, of: &CopyOf, part: &PartName) -> Result<(), Failure> {
        if let Some(given) = self.elsewhere(of)? {
            let main = DatabaseName::main(&of.environment);
            return self.outside.restore(&given, &main, STAGED).await;
        }
        let postgres = self.server().await?;
        let id = database(&of.environment, part)?;
        if !id.label.is_main() {
            // One that was dropped since is there again, to be replaced.
            postgres.create_database(&id).await?;
        }
        take_place(&postgres.access(), postgres.pooler(), &staged(of, part)?).await
    }

    async fn discard(&self, of: &CopyOf, part: &PartName) -> Result<(), Failure> {
        if self.elsewhere(of)?.is_some() {
            let main = DatabaseName::main(&of.environment);
            return self.outside.forget_copy(&main, STAGED).await;
        }
        discard(&self.server().await?.access(), &staged(of, part)?).await
    }
}
