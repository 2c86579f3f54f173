//! Projects: what users own. Deleting has two ends: from the first on nothing of it is served or started, after the
//! second no row is left but the event that says so.

use std::collections::BTreeMap;

use hostkit_core::addon::{AddonId, AddonKind};
use hostkit_core::event::What;
use hostkit_core::kind::Failure;
use hostkit_core::names::{EnvironmentName, ProjectName};
use hostkit_core::project::EnvironmentId;
use hostkit_core::secret::Secret;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use crate::Store;
use crate::column::Word;
use crate::environment::{self, Environment};
use crate::error::{Error, Result, conflict, not_found};

/// A project with its environments.
#[derive(Debug, Clone, PartialEq)]
pub struct Project {
    /// Its name.
    pub name: ProjectName,
    /// When it was created.
    pub created_at: Timestamp,
    /// Whether it is being deleted: nothing of it is served or run any more.
    pub deleting: bool,
    /// Its environments, by name.
    pub environments: Vec<Environment>,
}

impl Store {
    /// Creates a project with its production environment. A name that is taken is a Conflict.
    pub fn create_project(&self, name: &ProjectName) -> std::result::Result<Project, Failure> {
        self.create_project_with(name, &BTreeMap::new(), "")
    }

    /// The same with what somebody else keeps, by its addresses, which were tried: production has all of it from the
    /// start.
    pub fn create_project_with(
        &self,
        name: &ProjectName,
        outside: &BTreeMap<AddonKind, Secret>,
        by: &str,
    ) -> std::result::Result<Project, Failure> {
        self.write(&format!("create project `{name}`"), |write| {
            let made = write
                .sql
                .prepare_cached(
                    "INSERT INTO project (name, created_at) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                )?
                .execute(params![name.as_str(), Word(write.now)])?;
            if made == 0 {
                return Err(conflict(
                    format!("cannot create project `{name}`: there is one of this name"),
                    &format!("see it with `hostkit project show {name}`, or choose another name"),
                ));
            }
            write.event_of(Some(name), None, What::ProjectCreated)?;
            let id = EnvironmentId::new(name.clone(), EnvironmentName::production());
            environment::insert(write, &id)?;
            for (kind, address) in outside {
                let id = AddonId::new(id.clone(), *kind);
                self.insert_outside_addon(write, &id, (address, by))?;
            }
            load(&write.sql, name)
        })
    }

    /// All projects, by name.
    pub fn projects(&self) -> std::result::Result<Vec<Project>, Failure> {
        self.read("list projects", |sql| {
            let mut all: BTreeMap<ProjectName, Project> = BTreeMap::new();
            let mut statement = sql.prepare_cached("SELECT name, created_at, deleting FROM project")?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let name: ProjectName = row.get::<_, Word<_>>(0)?.0;
                let project = Project {
                    name: name.clone(),
                    created_at: row.get::<_, Word<_>>(1)?.0,
                    deleting: row.get(2)?,
                    environments: Vec::new(),
                };
                all.insert(name, project);
            }
            for environment in environment::all(sql)? {
                if let Some(project) = all.get_mut(&environment.id.project) {
                    project.environments.push(environment);
                }
            }
            Ok(all.into_values().collect())
        })
    }

    /// One project, or a NotFound failure.
    pub fn project(&self, name: &ProjectName) -> std::result::Result<Project, Failure> {
        self.read(&format!("read project `{name}`"), |sql| load(sql, name))
    }

    /// Marks a project as being deleted: its deployments that wait are forgotten. Idempotent.
    pub fn begin_delete(&self, name: &ProjectName) -> std::result::Result<(), Failure> {
        self.write(&format!("delete project `{name}`"), |write| {
            let marked = write
                .sql
                .execute("UPDATE project SET deleting = 1 WHERE name = ?1", [name.as_str()])?;
            if marked == 0 {
                return Err(unknown(name));
            }
            write.sql.execute(
                "DELETE FROM deployment WHERE project = ?1 AND state = 'queued'",
                [name.as_str()],
            )?;
            Ok(())
        })
    }

    /// Forgets everything of a project that is being deleted, with its events and tokens. Idempotent.
    pub fn finish_delete(&self, name: &ProjectName) -> std::result::Result<(), Failure> {
        self.write(&format!("delete project `{name}`"), |write| {
            let gone = write.sql.execute(
                "DELETE FROM project WHERE name = ?1 AND deleting = 1",
                [name.as_str()],
            )?;
            if gone > 0 {
                write
                    .sql
                    .execute("DELETE FROM event WHERE project = ?1", [name.as_str()])?;
                write.event_of(Some(name), None, What::ProjectDeleted)?;
            }
            Ok(())
        })
    }
}

fn unknown(name: &ProjectName) -> Error {
    not_found(
        format!("cannot find project `{name}`: there is none of this name"),
        "see all with `hostkit project list`",
    )
}

fn load(sql: &Connection, name: &ProjectName) -> Result<Project> {
    let found = sql
        .prepare_cached("SELECT created_at, deleting FROM project WHERE name = ?1")?
        .query_row([name.as_str()], |row| {
            Ok((row.get::<_, Word<_>>(0)?.0, row.get(1)?))
        })
        .optional()?;
    let (created_at, deleting) = found.ok_or_else(|| unknown(name))?;
    Ok(Project {
        name: name.clone(),
        created_at,
        deleting,
        environments: environment::of_project(sql, name)?,
    })
}

/// Refuses a project that does not exist or is being deleted.
pub(crate) fn check_usable(sql: &Connection, name: &ProjectName) -> Result<()> {
    let deleting: Option<bool> = sql
        .prepare_cached("SELECT deleting FROM project WHERE name = ?1")?
        .query_row([name.as_str()], |row| row.get(0))
        .optional()?;
    match deleting {
        None => Err(unknown(name)),
        Some(true) => Err(conflict(
            format!("cannot change project `{name}`: it is being deleted"),
            "wait a moment, then create it again",
        )),
        Some(false) => Ok(()),
    }
}
