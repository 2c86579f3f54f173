//! Premises in memory; what is made of them on the disk is made as in local mode.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::layout::Layout;
use hostkit_core::names::{ProjectName, ReleaseName};
use hostkit_core::project::EnvironmentId;
use hostkit_core::secret::Secret;
use hostkit_core::traits::{Audience, Files, Premises};
use hostkit_host::premises::LocalPremises;

use super::faults::locked;
use super::{Faults, Journal};

/// What a project has once it is complete.
const PARTS: [&str; 3] = ["account", "home", "rights"];

#[derive(Debug, Default)]
struct Machine {
    strangers: BTreeSet<String>,
    made: BTreeMap<ProjectName, BTreeSet<&'static str>>,
}

/// A machine on which projects have three parts. A fault of `"ensure"` strikes after the first of them was made, one
/// of `"remove"` after the last of them went. Clones share one machine.
#[derive(Debug, Clone)]
pub struct FakePremises {
    disk: LocalPremises,
    machine: Arc<Mutex<Machine>>,
    /// What was asked: `ensure shop`.
    pub journal: Journal,
    /// Faults of every method, by its name.
    pub faults: Faults,
}

impl FakePremises {
    /// Those of an installation with this layout.
    pub fn new(layout: Layout) -> Self {
        FakePremises {
            disk: LocalPremises::new(layout),
            machine: Arc::default(),
            journal: Journal::default(),
            faults: Faults::default(),
        }
    }

    /// An account of this name that is not HostKit's.
    pub fn stranger(&self, name: &str) {
        locked(&self.machine).strangers.insert(name.to_owned());
    }

    /// Takes a part away, as somebody at the machine may.
    pub fn lose(&self, project: &ProjectName, part: &str) {
        if let Some(parts) = locked(&self.machine).made.get_mut(project) {
            parts.retain(|there| *there != part);
        }
    }

    /// The parts of a project that are there.
    pub fn parts(&self, project: &ProjectName) -> Vec<&'static str> {
        let machine = locked(&self.machine);
        machine.made.get(project).into_iter().flatten().copied().collect()
    }
}

#[async_trait::async_trait]
impl Premises for FakePremises {
    async fn ensure(&self, project: &ProjectName) -> Result<Vec<String>, Failure> {
        self.journal.note(format!("ensure {project}"));
        let mut changes = Vec::new();
        for (number, part) in PARTS.into_iter().enumerate() {
            {
                let mut machine = locked(&self.machine);
                if machine.strangers.contains(project.as_str()) {
                    return Err(Failure::new(
                        Kind::Conflict,
                        format!("cannot make an account `{project}`: there is one that is not HostKit's"),
                    ));
                }
                if machine.made.entry(project.clone()).or_default().insert(part) {
                    changes.push(format!("made {part}"));
                }
            }
            if number == 0 {
                self.faults.pass("ensure").await?;
            }
        }
        Ok(changes)
    }

    async fn remove(&self, project: &ProjectName) -> Result<(), Failure> {
        self.journal.note(format!("remove {project}"));
        for (number, part) in PARTS.into_iter().rev().enumerate() {
            if let Some(parts) = locked(&self.machine).made.get_mut(project) {
                parts.remove(part);
            }
            if number == 0 {
                self.faults.pass("remove").await?;
            }
        }
        locked(&self.machine).made.remove(project);
        Ok(())
    }

    async fn ensure_environment(&self, id: &EnvironmentId) -> Result<(), Failure> {
        self.faults.pass("ensure_environment").await?;
        self.disk.ensure_environment(id).await
    }

    async fn files(&self, project: &ProjectName) -> Result<Arc<dyn Files>, Failure> {
        self.faults.pass("files").await?;
        self.disk.files(project).await
    }

    async fn give(&self, project: &ProjectName, folders: Vec<PathBuf>) -> Result<(), Failure> {
        self.faults.pass("give").await?;
        self.disk.give(project, folders).await
    }

    async fn settle_release(
        &self,
        id: &EnvironmentId,
        release: &ReleaseName,
        audience: Audience,
    ) -> Result<(), Failure> {
        self.journal.note(format!("settle {release} for {audience:?}"));
        self.faults.pass("settle_release").await?;
        self.disk.settle_release(id, release, audience).await
    }

    async fn show_live(
        &self,
        id: &EnvironmentId,
        live: Option<(&ReleaseName, &Secret)>,
    ) -> Result<(), Failure> {
        self.faults.pass("show_live").await?;
        self.disk.show_live(id, live).await
    }
}
