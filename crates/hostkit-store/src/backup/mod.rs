//! Backups: which there are and how far each is, when they are made, and where they are kept.

mod place;
#[cfg(test)]
mod tests;

use hostkit_core::backup::manifest::BackupManifest;
use hostkit_core::backup::part::StoredPart;
use hostkit_core::backup::schedule::BackupSchedule;
use hostkit_core::backup::{Backup, BackupState, Cause, Taken};
use hostkit_core::event::What;
use hostkit_core::kind::Failure;
use hostkit_core::project::EnvironmentId;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::column::{Json, Word};
use crate::error::{Error, Result, not_found};
use crate::{Store, Write, environment};

const COLUMNS: &str = "SELECT project, environment, number, run, at, state, cause, held, place, parts, ended_at, failure FROM backup";

impl Store {
    /// Begins a backup: the next number of its environment, above `floor` (what a target has from elsewhere).
    pub fn begin_backup(
        &self,
        id: &EnvironmentId,
        cause: Cause,
        place: &str,
        floor: u64,
    ) -> std::result::Result<Backup, Failure> {
        self.write(&format!("back up `{id}`"), |write| {
            if !environment::is_there(&write.sql, id)? {
                return Err(environment::unknown(id));
            }
            let [project, environment] = key(id);
            let last: Option<i64> = write
                .sql
                .prepare_cached("SELECT last FROM backup_count WHERE project = ?1 AND environment = ?2")?
                .query_row([project, environment], |row| row.get(0))
                .optional()?;
            let number = last.unwrap_or_default().cast_unsigned().max(floor) + 1;
            count(write, id, number)?;
            let newest = of(&write.sql, id)?.iter().find_map(Backup::taken);
            let taken = Taken::after(newest.as_ref(), write.now);
            let backup = Backup {
                environment: id.clone(),
                number,
                run: taken.run,
                at: taken.at,
                state: BackupState::Running,
                cause,
                held: cause == Cause::Last,
                place: place.to_owned(),
                parts: Vec::new(),
                ended_at: None,
                failure: None,
            };
            insert(write, &backup)?;
            Ok(backup)
        })
    }

    /// A backup is at its target and was read back.
    pub fn complete_backup(
        &self,
        backup: &Backup,
        parts: &[StoredPart],
    ) -> std::result::Result<Backup, Failure> {
        self.end_backup(backup, BackupState::Complete, None, Some(parts), None)
    }

    /// A backup could not be made.
    pub fn fail_backup(&self, backup: &Backup, failure: &Failure) -> std::result::Result<Backup, Failure> {
        let what = What::BackupFailed {
            number: backup.number,
            reason: failure.message.clone(),
        };
        self.end_backup(backup, BackupState::Failed, Some(failure), None, Some(what))
    }

    /// What a trial of a backup showed: that it is good, or why nobody could try.
    pub fn tried_backup(
        &self,
        backup: &Backup,
        untried: Option<&Failure>,
    ) -> std::result::Result<Backup, Failure> {
        let what = What::BackupMade {
            number: backup.number,
            proven: untried.is_none(),
            reason: untried.map(|failure| failure.message.clone()),
        };
        let state = match untried {
            None => BackupState::Proven,
            // What was proven once is not less so because nobody could try again.
            Some(_) if backup.state == BackupState::Proven => BackupState::Proven,
            Some(_) => BackupState::Complete,
        };
        self.end_backup(backup, state, untried, None, Some(what))
    }

    /// A backup cannot be restored.
    pub fn damaged_backup(&self, backup: &Backup, failure: &Failure) -> std::result::Result<Backup, Failure> {
        let what = What::BackupDamaged {
            number: backup.number,
            reason: failure.message.clone(),
        };
        self.end_backup(backup, BackupState::Damaged, Some(failure), None, Some(what))
    }

    fn end_backup(
        &self,
        backup: &Backup,
        state: BackupState,
        failure: Option<&Failure>,
        parts: Option<&[StoredPart]>,
        what: Option<What>,
    ) -> std::result::Result<Backup, Failure> {
        let (id, number) = (&backup.environment, backup.number);
        self.write(&format!("note how backup {number} of `{id}` is"), |write| {
            let [project, environment] = key(id);
            write
                .sql
                .prepare_cached(
                    "UPDATE backup SET state = ?4, failure = ?5, ended_at = ?6, parts = coalesce(?7, parts)
                     WHERE project = ?1 AND environment = ?2 AND number = ?3",
                )?
                .execute(params![
                    project,
                    environment,
                    number.cast_signed(),
                    Word(state),
                    failure.map(Json),
                    Word(write.now),
                    parts.map(Json)
                ])?;
            if let Some(what) = what {
                write.event(id, what)?;
            }
            one(&write.sql, id, number)
        })
    }

    /// Notes a backup that was found at the target, made by another installation. One that is known stays as it is.
    pub fn find_backup(&self, manifest: &BackupManifest, place: &str) -> std::result::Result<bool, Failure> {
        let (id, number) = (&manifest.environment, manifest.number);
        self.write(&format!("note backup {number} of `{id}`"), |write| {
            let known: Option<i64> = write
                .sql
                .prepare_cached(
                    "SELECT 1 FROM backup WHERE project = ?1 AND environment = ?2 AND number = ?3",
                )?
                .query_row(params![key(id)[0], key(id)[1], number.cast_signed()], |row| {
                    row.get(0)
                })
                .optional()?;
            if known.is_some() {
                return Ok(false);
            }
            count(write, id, number)?;
            insert(
                write,
                &Backup {
                    environment: id.clone(),
                    number,
                    run: manifest.run,
                    at: manifest.at,
                    state: BackupState::Complete,
                    cause: Cause::Found,
                    held: false,
                    place: place.to_owned(),
                    parts: manifest.parts.clone(),
                    ended_at: None,
                    failure: None,
                },
            )?;
            Ok(true)
        })
    }

    /// The backups of an environment, newest first; also of one that is gone.
    pub fn backups_of(&self, id: &EnvironmentId) -> std::result::Result<Vec<Backup>, Failure> {
        self.read(&format!("list backups of `{id}`"), |sql| of(sql, id))
    }

    /// All backups, by environment, newest first.
    pub fn backups(&self) -> std::result::Result<Vec<Backup>, Failure> {
        self.read("list backups", |sql| {
            let mut statement =
                sql.prepare_cached(&format!("{COLUMNS} ORDER BY project, environment, number DESC"))?;
            let rows = statement.query_map([], row)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// One backup, or a NotFound failure.
    pub fn backup(&self, id: &EnvironmentId, number: u64) -> std::result::Result<Backup, Failure> {
        self.read(&format!("read backup {number} of `{id}`"), |sql| {
            one(sql, id, number)
        })
    }

    /// Keeps a backup whatever the rules say, or lets go of it.
    pub fn hold_backup(
        &self,
        id: &EnvironmentId,
        number: u64,
        held: bool,
    ) -> std::result::Result<Backup, Failure> {
        self.write(&format!("hold backup {number} of `{id}`"), |write| {
            let [project, environment] = key(id);
            write
                .sql
                .prepare_cached(
                    "UPDATE backup SET held = ?4 WHERE project = ?1 AND environment = ?2 AND number = ?3",
                )?
                .execute(params![project, environment, number.cast_signed(), held])?;
            one(&write.sql, id, number)
        })
    }

    /// Forgets a backup of which nothing is left.
    pub fn forget_backup(&self, id: &EnvironmentId, number: u64) -> std::result::Result<(), Failure> {
        self.write(&format!("forget backup {number} of `{id}`"), |write| {
            let [project, environment] = key(id);
            write
                .sql
                .prepare_cached("DELETE FROM backup WHERE project = ?1 AND environment = ?2 AND number = ?3")?
                .execute(params![project, environment, number.cast_signed()])?;
            Ok(())
        })
    }

    /// When an environment is backed up, and what stays.
    pub fn backup_schedule(&self, id: &EnvironmentId) -> std::result::Result<BackupSchedule, Failure> {
        self.read(&format!("read when `{id}` is backed up"), |sql| {
            let found: Option<Json<BackupSchedule>> = sql
                .prepare_cached(
                    "SELECT schedule FROM backup_schedule WHERE project = ?1 AND environment = ?2",
                )?
                .query_row(key(id), |row| row.get(0))
                .optional()?;
            Ok(found.map(|schedule| schedule.0).unwrap_or_default())
        })
    }

    /// Chooses when an environment is backed up, and what stays.
    pub fn set_backup_schedule(
        &self,
        id: &EnvironmentId,
        schedule: &BackupSchedule,
    ) -> std::result::Result<(), Failure> {
        self.write(&format!("choose when `{id}` is backed up"), |write| {
            if !environment::is_there(&write.sql, id)? {
                return Err(environment::unknown(id));
            }
            let [project, environment] = key(id);
            write
                .sql
                .prepare_cached(
                    "INSERT INTO backup_schedule (project, environment, schedule) VALUES (?1, ?2, ?3)
                     ON CONFLICT DO UPDATE SET schedule = ?3",
                )?
                .execute(params![project, environment, Json(schedule)])?;
            Ok(())
        })
    }
}

fn key(id: &EnvironmentId) -> [&str; 2] {
    [id.project.as_str(), id.environment.as_str()]
}

/// Notes that a number is used.
fn count(write: &Write<'_>, id: &EnvironmentId, number: u64) -> Result<()> {
    let [project, environment] = key(id);
    write
        .sql
        .prepare_cached(
            "INSERT INTO backup_count (project, environment, last) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET last = max(last, ?3)",
        )?
        .execute(params![project, environment, number.cast_signed()])?;
    Ok(())
}

fn insert(write: &Write<'_>, backup: &Backup) -> Result<()> {
    let [project, environment] = key(&backup.environment);
    write
        .sql
        .prepare_cached(
            "INSERT INTO backup (project, environment, number, run, at, state, cause, held, place, parts)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            project,
            environment,
            backup.number.cast_signed(),
            backup.run,
            Word(backup.at),
            Word(backup.state),
            Word(backup.cause),
            backup.held,
            backup.place,
            Json(&backup.parts)
        ])?;
    Ok(())
}

fn of(sql: &Connection, id: &EnvironmentId) -> Result<Vec<Backup>> {
    let text = format!("{COLUMNS} WHERE project = ?1 AND environment = ?2 ORDER BY number DESC");
    let mut statement = sql.prepare_cached(&text)?;
    let rows = statement.query_map(key(id), row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn one(sql: &Connection, id: &EnvironmentId, number: u64) -> Result<Backup> {
    let text = format!("{COLUMNS} WHERE project = ?1 AND environment = ?2 AND number = ?3");
    sql.prepare_cached(&text)?
        .query_row(params![key(id)[0], key(id)[1], number.cast_signed()], row)
        .optional()?
        .ok_or_else(|| unknown(id, number))
}

fn unknown(id: &EnvironmentId, number: u64) -> Error {
    not_found(
        format!("cannot find backup {number} of `{id}`: there is none of this number"),
        &format!("see all with `hostkit backup list {}`", id.project),
    )
}

fn row(row: &Row<'_>) -> rusqlite::Result<Backup> {
    Ok(Backup {
        environment: EnvironmentId::new(row.get::<_, Word<_>>(0)?.0, row.get::<_, Word<_>>(1)?.0),
        number: row.get::<_, i64>(2)?.cast_unsigned(),
        run: row.get(3)?,
        at: row.get::<_, Word<_>>(4)?.0,
        state: row.get::<_, Word<_>>(5)?.0,
        cause: row.get::<_, Word<_>>(6)?.0,
        held: row.get(7)?,
        place: row.get(8)?,
        parts: row.get::<_, Json<_>>(9)?.0,
        ended_at: row.get::<_, Option<Word<_>>>(10)?.map(|at| at.0),
        failure: row.get::<_, Option<Json<_>>>(11)?.map(|failure| failure.0),
    })
}
