//! Events: what happened, recorded by the write that made it happen.

use hostkit_core::event::{Event, What};
use hostkit_core::kind::Failure;
use hostkit_core::names::{EnvironmentName, ProjectName};
use hostkit_core::project::EnvironmentId;
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, params};

use crate::column::{Json, Word};
use crate::error::Result;
use crate::{Store, Write};

/// How many events are kept.
const KEPT: i64 = 20_000;

/// Which events are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventQuery {
    /// Only of this project.
    pub project: Option<ProjectName>,
    /// Only of this environment.
    pub environment: Option<EnvironmentId>,
    /// Only younger ones than this event.
    pub after: Option<u64>,
    /// Only the last so many (100 where none is given).
    pub last: Option<usize>,
}

impl EventQuery {
    /// Whether an event is wanted, as far as it can be said of it alone.
    pub fn matches(&self, event: &Event) -> bool {
        self.project.is_none() | (self.project == event.project)
            && self.environment.as_ref().is_none_or(|id| {
                event.project.as_ref() == Some(&id.project)
                    && event.environment.as_ref() == Some(&id.environment)
            })
            && self.after.is_none_or(|after| event.id > after)
    }
}

impl Write<'_> {
    /// Records an event of an environment.
    pub(crate) fn event(&mut self, of: &EnvironmentId, what: What) -> Result<()> {
        self.event_of(Some(&of.project), Some(&of.environment), what)
    }

    /// Records an event of a project, or of the installation.
    pub(crate) fn event_of(
        &mut self,
        project: Option<&ProjectName>,
        environment: Option<&EnvironmentName>,
        what: What,
    ) -> Result<()> {
        self.sql
            .prepare_cached("INSERT INTO event (at, project, environment, body) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![
                Word(self.now),
                project.map(ProjectName::as_str),
                environment.map(EnvironmentName::as_str),
                Json(&what)
            ])?;
        let id = self.sql.last_insert_rowid();
        if id % 256 == 0 {
            self.sql
                .execute("DELETE FROM event WHERE id <= ?1", [id - KEPT])?;
        }
        self.events.push(Event {
            id: id.cast_unsigned(),
            at: self.now,
            project: project.cloned(),
            environment: environment.cloned(),
            what,
        });
        Ok(())
    }
}

impl Store {
    /// When an event of one sort (`secrets_old`) was last told of an environment, as far as it is remembered.
    pub fn last_event_of(
        &self,
        id: &EnvironmentId,
        sort: &str,
    ) -> std::result::Result<Option<Timestamp>, Failure> {
        self.read("look for an event", |sql| {
            let found = sql
                .prepare_cached(
                    "SELECT at FROM event WHERE project = ?1 AND environment = ?2
                     AND json_extract(body, '$.event') = ?3 ORDER BY id DESC LIMIT 1",
                )?
                .query_row([id.project.as_str(), id.environment.as_str(), sort], |row| {
                    row.get::<_, Word<_>>(0)
                })
                .optional()?;
            Ok(found.map(|at| at.0))
        })
    }

    /// Events, oldest first.
    pub fn events(&self, query: &EventQuery) -> std::result::Result<Vec<Event>, Failure> {
        let environment = query.environment.as_ref();
        let project = environment.map(|id| &id.project).or(query.project.as_ref());
        self.read("list events", |sql| {
            let mut statement = sql.prepare_cached(
                "SELECT id, at, project, environment, body FROM event
                 WHERE (?1 IS NULL OR project = ?1) AND (?2 IS NULL OR environment = ?2) AND id > ?3
                 ORDER BY id DESC LIMIT ?4",
            )?;
            let rows = statement.query_map(
                params![
                    project.map(ProjectName::as_str),
                    environment.map(|id| id.environment.as_str()),
                    i64::try_from(query.after.unwrap_or(0)).unwrap_or(i64::MAX),
                    i64::try_from(query.last.unwrap_or(100)).unwrap_or(i64::MAX)
                ],
                event,
            )?;
            let mut events = rows.collect::<rusqlite::Result<Vec<Event>>>()?;
            events.reverse();
            Ok(events)
        })
    }

    /// Records something that happened outside of any other write.
    pub fn record(
        &self,
        environment: Option<&EnvironmentId>,
        what: What,
    ) -> std::result::Result<(), Failure> {
        self.write("record an event", |write| match environment {
            // Whose environment went away meanwhile leaves no trace.
            Some(id) if !crate::environment::is_there(&write.sql, id)? => Ok(()),
            Some(id) => write.event(id, what),
            None => write.event_of(None, None, what),
        })
    }
}

fn event(row: &Row<'_>) -> rusqlite::Result<Event> {
    Ok(Event {
        id: row.get::<_, i64>(0)?.cast_unsigned(),
        at: row.get::<_, Word<_>>(1)?.0,
        project: row.get::<_, Option<Word<_>>>(2)?.map(|w| w.0),
        environment: row.get::<_, Option<Word<_>>>(3)?.map(|w| w.0),
        what: row.get::<_, Json<_>>(4)?.0,
    })
}
