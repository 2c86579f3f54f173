//! Variables of environments: values sealed, each bound to its place; and who changed which name when.

use std::collections::BTreeMap;

use hostkit_core::event::What;
use hostkit_core::kind::Failure;
use hostkit_core::names::VariableName;
use hostkit_core::project::EnvironmentId;
use hostkit_core::secret::Secret;
use hostkit_core::variables::Variables;
use hostkit_core::variables::generate::Recipe;
use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};
use zeroize::Zeroizing;

use crate::column::Word;
use crate::error::{Result, not_found};
use crate::seal::random;
use crate::{Store, Write, environment};

/// A variable without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VariableInfo {
    /// Its name.
    pub name: VariableName,
    /// When it was last set.
    pub updated_at: Timestamp,
    /// Who set it.
    pub updated_by: String,
}

/// A change of a variable: which, when and by whom; what it was set to is not known any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VariableChange {
    /// Its name.
    pub name: VariableName,
    /// Whether it was removed (else set).
    pub removed: bool,
    /// When.
    pub at: Timestamp,
    /// The token or account that asked.
    pub by: String,
}

/// The most changes of one answer.
const MOST_CHANGES: u32 = 1000;

/// What a value is bound to.
fn place(id: &EnvironmentId, name: &VariableName) -> String {
    format!("{id}/{name}")
}

impl Store {
    /// Sets and removes variables, all or nothing; makes the environment where its project exists. A name to remove
    /// that is not set does no harm.
    pub fn change_variables(
        &self,
        id: &EnvironmentId,
        set: &Variables,
        unset: &[VariableName],
        by: &str,
    ) -> std::result::Result<(), Failure> {
        self.write(&format!("change variables of `{id}`"), |write| {
            environment::insert(write, id)?;
            for (name, value) in set {
                self.put_variable(write, id, name, value, by)?;
            }
            let mut removed = Vec::new();
            for name in unset.iter().filter(|name| !set.contains_key(name)) {
                let gone = write
                    .sql
                    .prepare_cached(
                        "DELETE FROM variable WHERE project = ?1 AND environment = ?2 AND name = ?3",
                    )?
                    .execute([id.project.as_str(), id.environment.as_str(), name.as_str()])?;
                if gone > 0 {
                    note(write, id, name, true, by)?;
                    removed.push(name.to_string());
                }
            }
            if set.is_empty() && removed.is_empty() {
                return Ok(());
            }
            let what = What::VariablesChanged {
                set: set.keys().map(ToString::to_string).collect(),
                unset: removed,
            };
            write.event(id, what)
        })
    }

    /// Gives each of these variables a random value that has none yet, and answers which those were.
    pub fn make_up_variables(
        &self,
        id: &EnvironmentId,
        recipes: &BTreeMap<VariableName, Recipe>,
        by: &str,
    ) -> std::result::Result<Vec<VariableName>, Failure> {
        self.write(&format!("make up variables of `{id}`"), |write| {
            environment::insert(write, id)?;
            let mut made = Vec::new();
            for (name, recipe) in recipes {
                let there: Option<i64> = write
                    .sql
                    .prepare_cached(
                        "SELECT 1 FROM variable WHERE project = ?1 AND environment = ?2 AND name = ?3",
                    )?
                    .query_row(
                        [id.project.as_str(), id.environment.as_str(), name.as_str()],
                        |row| row.get(0),
                    )
                    .optional()?;
                if there.is_none() {
                    let mut bytes = Zeroizing::new(vec![0; recipe.bytes()]);
                    random(&mut bytes)?;
                    self.put_variable(write, id, name, &recipe.make(&bytes), by)?;
                    made.push(name.clone());
                }
            }
            if !made.is_empty() {
                let what = What::VariablesChanged {
                    set: made.iter().map(ToString::to_string).collect(),
                    unset: Vec::new(),
                };
                write.event(id, what)?;
            }
            Ok(made)
        })
    }

    fn put_variable(
        &self,
        write: &Write<'_>,
        id: &EnvironmentId,
        name: &VariableName,
        value: &Secret,
        by: &str,
    ) -> Result<()> {
        let sealed = self.sealer().seal(&place(id, name), value.reveal())?;
        write
            .sql
            .prepare_cached(
                "INSERT INTO variable (project, environment, name, sealed, updated_at, updated_by)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT DO UPDATE SET sealed = ?4, updated_at = ?5, updated_by = ?6",
            )?
            .execute(params![
                id.project.as_str(),
                id.environment.as_str(),
                name.as_str(),
                sealed,
                Word(write.now),
                by
            ])?;
        note(write, id, name, false, by)
    }

    /// The variables of an environment, by name; no values.
    pub fn variable_names(&self, id: &EnvironmentId) -> std::result::Result<Vec<VariableInfo>, Failure> {
        self.read(&format!("list variables of `{id}`"), |sql| {
            if !environment::is_there(sql, id)? {
                return Err(environment::unknown(id));
            }
            let mut statement = sql.prepare_cached(
                "SELECT name, updated_at, updated_by FROM variable WHERE project = ?1 AND environment = ?2 ORDER BY name",
            )?;
            let rows = statement.query_map([id.project.as_str(), id.environment.as_str()], |row| {
                Ok(VariableInfo {
                    name: row.get::<_, Word<_>>(0)?.0,
                    updated_at: row.get::<_, Word<_>>(1)?.0,
                    updated_by: row.get(2)?,
                })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// The newest changes of the variables of an environment, or of one of them, newest first.
    pub fn variable_changes(
        &self,
        id: &EnvironmentId,
        name: Option<&VariableName>,
    ) -> std::result::Result<Vec<VariableChange>, Failure> {
        self.read(&format!("list changes of variables of `{id}`"), |sql| {
            if !environment::is_there(sql, id)? {
                return Err(environment::unknown(id));
            }
            let mut statement = sql.prepare_cached(
                "SELECT name, removed, at, by FROM variable_change
                 WHERE project = ?1 AND environment = ?2 AND (?3 IS NULL OR name = ?3) ORDER BY id DESC LIMIT ?4",
            )?;
            let values = params![
                id.project.as_str(),
                id.environment.as_str(),
                name.map(VariableName::as_str),
                MOST_CHANGES
            ];
            let rows = statement.query_map(values, |row| {
                Ok(VariableChange {
                    name: row.get::<_, Word<_>>(0)?.0,
                    removed: row.get(1)?,
                    at: row.get::<_, Word<_>>(2)?.0,
                    by: row.get(3)?,
                })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// All variables of an environment with their values.
    pub fn variables(&self, id: &EnvironmentId) -> std::result::Result<Variables, Failure> {
        self.read(&format!("read variables of `{id}`"), |sql| {
            let mut statement = sql.prepare_cached(
                "SELECT name, sealed FROM variable WHERE project = ?1 AND environment = ?2",
            )?;
            let mut rows = statement.query([id.project.as_str(), id.environment.as_str()])?;
            let mut variables = Variables::new();
            while let Some(row) = rows.next()? {
                let name: VariableName = row.get::<_, Word<_>>(0)?.0;
                let sealed: Vec<u8> = row.get(1)?;
                let value = self.sealer().unseal(&place(id, &name), &sealed)?;
                variables.insert(name, Secret::new(value.as_str()));
            }
            Ok(variables)
        })
    }

    /// The value of one variable, or a NotFound failure.
    pub fn variable(&self, id: &EnvironmentId, name: &VariableName) -> std::result::Result<Secret, Failure> {
        self.read(&format!("read variable `{name}` of `{id}`"), |sql| {
            let sealed: Option<Vec<u8>> = sql
                .prepare_cached(
                    "SELECT sealed FROM variable WHERE project = ?1 AND environment = ?2 AND name = ?3",
                )?
                .query_row(
                    [id.project.as_str(), id.environment.as_str(), name.as_str()],
                    |row| row.get(0),
                )
                .optional()?;
            let sealed = sealed.ok_or_else(|| {
                not_found(
                    format!("cannot read variable `{name}` of `{id}`: it is not set"),
                    "see which are with `hostkit env list`",
                )
            })?;
            Ok(Secret::new(
                self.sealer().unseal(&place(id, name), &sealed)?.as_str(),
            ))
        })
    }
}

fn note(write: &Write<'_>, id: &EnvironmentId, name: &VariableName, removed: bool, by: &str) -> Result<()> {
    write
        .sql
        .prepare_cached(
            "INSERT INTO variable_change (project, environment, name, removed, at, by) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            id.project.as_str(),
            id.environment.as_str(),
            name.as_str(),
            removed,
            Word(write.now),
            by
        ])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::tests::{Bench, production, project, variables};

    #[test]
    fn what_was_changed_by_whom_is_known_and_no_value() {
        let bench = Bench::new();
        let (store, shop) = (&bench.store, production("shop"));
        store.create_project(&project("shop")).unwrap();
        let set = |value, by| store.change_variables(&shop, &variables(&[("A", value)]), &[], by);
        set("first-secret", "cli").unwrap();
        set("second-secret", "ci-shop").unwrap();
        store
            .change_variables(&shop, &variables(&[("B", "x")]), &["A".parse().unwrap()], "cli")
            .unwrap();

        let all = store.variable_changes(&shop, None).unwrap();
        let of_a = store
            .variable_changes(&shop, Some(&"A".parse().unwrap()))
            .unwrap();

        assert_eq!(all.len(), 4);
        let seen: Vec<_> = of_a
            .iter()
            .map(|change| (change.removed, change.by.as_str()))
            .collect();
        assert_eq!(seen, [(true, "cli"), (false, "ci-shop"), (false, "cli")]);
        assert!(!format!("{all:?}").contains("secret\""), "{all:?}");
        assert!(store.variable_changes(&production("blog"), None).is_err());
    }
}
