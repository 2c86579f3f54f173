//! Extensions of databases. PostgreSQL marks those as trusted that give whoever makes them nothing he has not: these, and
//! no others, may be made.

use hostkit_core::database::Extension;
use hostkit_core::kind::{Failure, Kind};

use super::databases::{Errand, May};
use super::names::DatabaseName;
use super::quote::identifier;
use super::session::Access;

/// Extensions that are there or may be, by name.
pub async fn list(access: &Access, database: &str) -> Result<Vec<Extension>, Failure> {
    let session = access.connect(database).await?;
    let question = "SELECT e.name::text, e.default_version, e.installed_version, coalesce(e.comment, '')
         FROM pg_available_extensions e
         JOIN pg_available_extension_versions v ON v.name = e.name AND v.version = e.default_version
         WHERE v.trusted OR e.installed_version IS NOT NULL
         ORDER BY 1";
    let rows = session.rows("list extensions", question, &[]).await?;
    Ok(rows
        .iter()
        .map(|row| Extension {
            name: row.get(0),
            available: row.get(1),
            installed: row.get(2),
            purpose: row.get(3),
        })
        .collect())
}

/// Makes it so that a database has an extension. It is the project's own.
pub async fn ensure(
    access: &Access,
    main: &DatabaseName,
    database: &DatabaseName,
    name: &str,
) -> Result<(), Failure> {
    let allowed = list(access, database.as_str()).await?;
    let Some(found) = allowed.iter().find(|extension| extension.name == name) else {
        let shown: String = name.chars().filter(|c| !c.is_control()).take(63).collect();
        return Err(Failure::new(
            Kind::Denied,
            format!(
                "cannot make the extension `{shown}`: it is not installed, or not one that a project may make"
            ),
        )
        .hint("`hostkit db extensions` lists those that may be made"));
    };
    if found.installed.is_some() {
        return Ok(());
    }
    let statements = format!(
        "SET search_path = public; CREATE EXTENSION IF NOT EXISTS {} WITH SCHEMA public",
        identifier(name)?
    );
    // As the owner, so that it is the owner's, and nothing that its script meets there has more rights than that.
    let errand = Errand::begin(access, main, May::BeOwner).await?;
    let made = async {
        let session = errand.access(access).connect(database.as_str()).await?;
        session
            .run(&format!("make the extension `{name}`"), &statements)
            .await
    }
    .await;
    errand.end(access).await?;
    made
}
