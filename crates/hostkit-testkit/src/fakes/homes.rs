//! Homes in memory.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::{EnvironmentName, ProjectName, ReleaseName};
use hostkit_core::project::EnvironmentId;
use hostkit_core::secret::Secret;
use hostkit_host::change::Change;
use hostkit_host::homes::{Audience, Difference, Homes, Owners};

use super::faults::{Faults, Journal, locked};

/// Homes that exist in memory. Clones share one machine.
#[derive(Debug, Clone, Default)]
pub struct FakeHomes {
    /// Faults by method name.
    pub faults: Faults,
    /// What was changed.
    pub journal: Journal,
    homes: Arc<Mutex<BTreeMap<ProjectName, Home>>>,
}

#[derive(Debug, Default)]
struct Home {
    has_drifted: bool,
    environments: BTreeMap<EnvironmentName, Environment>,
}

#[derive(Debug, Default)]
struct Environment {
    releases: BTreeMap<ReleaseName, Audience>,
    live: Option<ReleaseName>,
    variables: Option<Secret>,
}

impl FakeHomes {
    /// Changes the rights of a place of a project.
    pub fn disturb(&self, project: &ProjectName) {
        if let Some(home) = locked(&self.homes).get_mut(project) {
            home.has_drifted = true;
        }
    }

    /// The projects that have a home.
    pub fn projects(&self) -> Vec<ProjectName> {
        locked(&self.homes).keys().cloned().collect()
    }

    /// The live release of an environment.
    pub fn live(&self, id: &EnvironmentId) -> Option<ReleaseName> {
        self.in_environment(id, |environment| environment.live.clone())
            .ok()
            .flatten()
    }

    fn in_environment<T>(
        &self,
        id: &EnvironmentId,
        act: impl FnOnce(&mut Environment) -> T,
    ) -> Result<T, Failure> {
        let mut homes = locked(&self.homes);
        let found = homes
            .get_mut(&id.project)
            .and_then(|home| home.environments.get_mut(&id.environment));
        found.map(act).ok_or_else(|| missing(id))
    }

    fn note(&self, done: bool, entry: impl FnOnce() -> String) -> Change {
        if done {
            self.journal.note(entry());
        }
        Change::made_if(done)
    }
}

fn missing(id: &EnvironmentId) -> Failure {
    Failure::new(
        Kind::NotFound,
        format!("cannot open the folder of `{id}`: it does not exist"),
    )
}

fn difference(project: &ProjectName, place: &str, what: &str) -> Difference {
    Difference {
        path: PathBuf::from(format!("/home/{project}/{place}")),
        what: what.to_owned(),
    }
}

#[async_trait]
impl Homes for FakeHomes {
    async fn is_there(&self, project: &ProjectName) -> Result<bool, Failure> {
        self.faults.pass("is_there").await?;
        Ok(locked(&self.homes).contains_key(project))
    }

    async fn observe(&self, project: &ProjectName, _: &Owners) -> Result<Vec<Difference>, Failure> {
        self.faults.pass("observe").await?;
        Ok(match locked(&self.homes).get(project) {
            None => vec![difference(project, "", "is missing")],
            Some(home) if home.has_drifted => {
                vec![difference(project, "shared", "has the mode 0744, not 0700")]
            }
            Some(_) => Vec::new(),
        })
    }

    async fn ensure(&self, project: &ProjectName, owners: &Owners) -> Result<Change, Failure> {
        self.faults.pass("ensure").await?;
        let done = {
            let mut homes = locked(&self.homes);
            let is_new = !homes.contains_key(project);
            let home = homes.entry(project.clone()).or_default();
            std::mem::take(&mut home.has_drifted) || is_new
        };
        let production = EnvironmentId::new(project.clone(), EnvironmentName::production());
        let production = self.ensure_environment(&production, owners).await?;
        Ok(production | self.note(done, || format!("make home {project}")))
    }

    async fn ensure_environment(&self, id: &EnvironmentId, _: &Owners) -> Result<Change, Failure> {
        self.faults.pass("ensure_environment").await?;
        let mut homes = locked(&self.homes);
        let home = homes.get_mut(&id.project).ok_or_else(|| missing(id))?;
        let is_new = !home.environments.contains_key(&id.environment);
        home.environments.entry(id.environment.clone()).or_default();
        Ok(self.note(is_new, || format!("make environment {id}")))
    }

    async fn ensure_release(
        &self,
        id: &EnvironmentId,
        release: &ReleaseName,
        audience: Audience,
        _: &Owners,
    ) -> Result<Change, Failure> {
        self.faults.pass("ensure_release").await?;
        let before = self.in_environment(id, |environment| {
            environment.releases.insert(release.clone(), audience.clone())
        })?;
        Ok(self.note(before.as_ref() != Some(&audience), || {
            format!("make release {id} {release}")
        }))
    }

    async fn point_release(&self, id: &EnvironmentId, release: &ReleaseName) -> Result<Change, Failure> {
        self.faults.pass("point_release").await?;
        let before = self.in_environment(id, |environment| environment.live.replace(release.clone()))?;
        Ok(self.note(before.as_ref() != Some(release), || {
            format!("point {id} {release}")
        }))
    }

    async fn write_variables(
        &self,
        id: &EnvironmentId,
        text: &Secret,
        _: &Owners,
    ) -> Result<Change, Failure> {
        self.faults.pass("write_variables").await?;
        let before = self.in_environment(id, |environment| environment.variables.replace(text.clone()))?;
        Ok(self.note(before.as_ref() != Some(text), || format!("write variables {id}")))
    }

    async fn hide_live(&self, id: &EnvironmentId) -> Result<Change, Failure> {
        self.faults.pass("hide_live").await?;
        let was_there = self.in_environment(id, |environment| {
            let (live, variables) = (environment.live.take(), environment.variables.take());
            live.is_some() || variables.is_some()
        })?;
        Ok(self.note(was_there, || format!("hide live {id}")))
    }

    async fn remove_environment(&self, id: &EnvironmentId) -> Result<Change, Failure> {
        self.faults.pass("remove_environment").await?;
        let mut homes = locked(&self.homes);
        let home = homes.get_mut(&id.project);
        let was_there = home.is_some_and(|home| home.environments.remove(&id.environment).is_some());
        Ok(self.note(was_there, || format!("remove environment {id}")))
    }

    async fn remove(&self, project: &ProjectName) -> Result<Change, Failure> {
        self.faults.pass("remove").await?;
        let was_there = locked(&self.homes).remove(project).is_some();
        Ok(self.note(was_there, || format!("remove home {project}")))
    }
}
