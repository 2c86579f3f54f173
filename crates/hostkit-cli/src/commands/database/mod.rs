//! `hostkit db`: work on the databases of a project, with no password typed.

mod copies;
mod look;

use hostkit_api::database::{NewDatabase, NewProtection};
use hostkit_api::endpoints::{
    CreateDatabase, DropDatabase, ListDatabases, NoQuery, ProtectTable, RevealAddon,
};
use hostkit_api::target::OneAddon;
use hostkit_core::addon::{AddonId, AddonKind};
use hostkit_core::database::{DatabaseId, Protection, TenantTable};
use hostkit_core::kind::{Failure, Kind};
use serde_json::json;

use super::project::confirm;
use super::run::console;
use crate::args::{DbCommand, Losing, WhichDatabase};
use crate::output::{Style, Table};
use crate::session::Session;
use crate::stop::Stop;

pub(crate) async fn run(session: &Session<'_>, command: DbCommand) -> Result<(), Stop> {
    match command {
        DbCommand::List { whose } => look::list(session, &whose.id()).await,
        DbCommand::Create { whose, database } => {
            create(session, &DatabaseId::new(whose.id(), database)).await
        }
        DbCommand::Drop {
            whose,
            database,
            losing,
        } => delete(session, &DatabaseId::new(whose.id(), database), &losing).await,
        DbCommand::Psql { whose, arguments } => {
            let environment = whose.id();
            session.is_about(&environment);
            console(session, &environment, AddonKind::Postgres, arguments).await
        }
        DbCommand::Url { which, direct } => url(session, &which.id(), direct).await,
        DbCommand::Stats { which } => look::stats(session, &which.id()).await,
        DbCommand::Top { which } => look::top(session, &which.id()).await,
        DbCommand::Connections { which } => look::connections(session, &which.id()).await,
        DbCommand::Extensions { which, add: None } => look::extensions(session, &which.id()).await,
        DbCommand::Extensions {
            which,
            add: Some(name),
        } => look::extend(session, &which.id(), name).await,
        DbCommand::Dump { which, output } => copies::dump(session, &which.id(), output.as_deref()).await,
        DbCommand::Restore { which, file, losing } => {
            copies::restore(session, &which.id(), &file, &losing).await
        }
        DbCommand::Clone {
            whose,
            from,
            to,
            from_env,
            losing,
        } => {
            let of = hostkit_api::database::DatabaseClone {
                from,
                environment: from_env,
            };
            copies::clone(session, &DatabaseId::new(whose.id(), to), of, &losing).await
        }
        DbCommand::Protect {
            which,
            table,
            column,
            schema,
            only_try,
        } => {
            let table = TenantTable {
                schema,
                table,
                column,
            };
            protect(session, &which.id(), NewProtection { table, only_try }).await
        }
    }
}

impl WhichDatabase {
    fn id(&self) -> DatabaseId {
        DatabaseId::new(self.whose.id(), self.database.clone())
    }
}

async fn create(session: &Session<'_>, id: &DatabaseId) -> Result<(), Stop> {
    session.is_about(&id.environment);
    let new = NewDatabase {
        label: id.label.clone(),
    };
    let client = session.client()?;
    let made = client
        .call::<CreateDatabase>(&id.environment, &NoQuery {}, &new)
        .await?;
    let printer = session.printer();
    if printer.wants_json() {
        return printer.json(&made);
    }
    printer.say(&format!("Created the database `{}`.", made.name));
    printer.next(&format!(
        "`hostkit db url {} -d {}` prints its URL",
        id.environment.project, id.label
    ));
    Ok(())
}

async fn delete(session: &Session<'_>, id: &DatabaseId, losing: &Losing) -> Result<(), Stop> {
    session.is_about(&id.environment);
    if !losing.yes {
        let what = format!(
            "the database `{}` of `{}` with all that is in it",
            id.label, id.environment
        );
        confirm(session, &id.environment.project, "delete", &what)?;
    }
    let client = session.client()?;
    client
        .patiently::<DropDatabase>(id, &losing.removal(), &())
        .await?;
    let printer = session.printer();
    if printer.wants_json() {
        return printer.json(&json!({ "dropped": id.label }));
    }
    printer.say(&format!(
        "Dropped the database `{}` of `{}`.",
        id.label, id.environment
    ));
    Ok(())
}

/// Prints a URL of a database: the one that programs are told, or the same with the name of a further database.
async fn url(session: &Session<'_>, id: &DatabaseId, direct: bool) -> Result<(), Stop> {
    let variable = if direct { "DIRECT_URL" } else { "DATABASE_URL" };
    if id.label.is_main() {
        return super::addon::url(session, &id.environment, AddonKind::Postgres, variable).await;
    }
    session.is_about(&id.environment);
    let client = session.client()?;
    let all = client
        .call::<ListDatabases>(&id.environment, &NoQuery {}, &())
        .await?;
    let found = all.iter().find(|database| database.label == id.label);
    let found = found.ok_or_else(|| {
        let message = format!("cannot find the database `{}` of `{}`", id.label, id.environment);
        Failure::new(Kind::NotFound, message).hint(format!("`hostkit db list {}`", id.environment.project))
    })?;
    let target = OneAddon(AddonId::new(id.environment.clone(), AddonKind::Postgres));
    let told = client.call::<RevealAddon>(&target, &NoQuery {}, &()).await?;
    let mut told = told.variables.iter();
    let main = told.find(|(name, _)| name.as_str() == variable);
    let whole = main.and_then(|(_, url)| url.rsplit_once('/'));
    let (server, _) =
        whole.ok_or_else(|| Failure::new(Kind::Internal, "cannot tell the URL: there is none"))?;
    // Of a label and the names of a project and an environment nothing has to be escaped.
    let url = format!("{server}/{}", found.name);
    let printer = session.printer();
    match printer.wants_json() {
        true => printer.json(&json!({ "url": url })),
        false => printer.line(&url),
    }
}

async fn protect(session: &Session<'_>, id: &DatabaseId, new: NewProtection) -> Result<(), Stop> {
    session.is_about(&id.environment);
    let client = session.client()?;
    let shown = client.call::<ProtectTable>(id, &NoQuery {}, &new).await?;
    let printer = session.printer();
    match printer.wants_json() {
        true => printer.json(&shown)?,
        false => printer.table(&tried(&shown))?,
    }
    if shown.holds {
        printer.say(&format!("Tenants in `{}` are apart.", new.table.table));
        return Ok(());
    }
    let message = format!(
        "cannot keep tenants in `{}` apart: one sees or writes what is another's",
        new.table.table
    );
    let hint = match new.only_try {
        true => "the same without `--only-try` puts the rule on it",
        false => {
            "does another rule on the table let them in? `hostkit db psql NAME -- -c '\\d+ TABLE'` shows them"
        }
    };
    Err(Failure::new(Kind::Failed, message).hint(hint).into())
}

/// The test query, case by case.
fn tried(shown: &Protection) -> Table {
    let proof = &shown.proof;
    let mut table = Table::new(&["A TRANSACTION THAT", "SEES", "SHOULD SEE"]);
    let mut row = |what: &str, sees: i64| {
        let style = if sees == 0 { Style::Good } else { Style::Bad };
        table.row(vec![
            (what.to_owned(), Style::Plain),
            (format!("{sees} of {} rows", proof.rows), style),
            ("none".to_owned(), Style::Plain),
        ]);
    };
    row("names no tenant", proof.without_tenant);
    row("names one that does not exist", proof.of_nobody);
    if let Some(of_others) = proof.of_others {
        row("names one, of the others", of_others);
    }
    if proof.writes_for_others {
        table.note("one that names a tenant can write rows of another");
    }
    table
}
