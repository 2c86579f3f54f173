//! A builder whose outcome a test sets.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::log::LogStream;
use hostkit_core::manifest::Command;
use hostkit_core::names::{ProcessName, RelativePath};
use hostkit_core::release::{Artifact, Program};
use hostkit_core::traits::{BuildJob, BuildLog, Builder, Detected};

use super::faults::locked;
use super::{Faults, Journal};

/// Moves the source to the output and proposes one program, `web`. Faults: `"build"`. Clones share one state.
#[derive(Clone)]
pub struct FakeBuilder {
    name: &'static str,
    artifact: Arc<Mutex<Artifact>>,
    lines: Arc<Mutex<Vec<String>>>,
    detects: Arc<Mutex<bool>>,
    jobs: Arc<Mutex<Vec<BuildJob>>>,
    /// `build /path/to/output`.
    pub journal: Journal,
    /// Faults by method.
    pub faults: Faults,
}

impl Default for FakeBuilder {
    fn default() -> Self {
        FakeBuilder::named("fake")
    }
}

impl FakeBuilder {
    /// A builder with this name that takes every folder.
    pub fn named(name: &'static str) -> Self {
        let program = Program {
            command: Command::Arguments(vec!["fake-app".into()]),
            directory: RelativePath::root(),
            path: Vec::new(),
            variables: BTreeMap::new(),
        };
        let artifact = Artifact {
            builder: name.into(),
            files: None,
            programs: BTreeMap::from([(ProcessName::web(), program)]),
            assumed: Vec::new(),
        };
        FakeBuilder {
            name,
            artifact: Arc::new(Mutex::new(artifact)),
            lines: Arc::default(),
            detects: Arc::new(Mutex::new(true)),
            jobs: Arc::default(),
            journal: Journal::default(),
            faults: Faults::default(),
        }
    }

    /// The same builder, writing to `journal`.
    pub fn with_journal(mut self, journal: &Journal) -> Self {
        self.journal = journal.clone();
        self
    }

    /// What every build yields from now on.
    pub fn yields(&self, artifact: Artifact) {
        *locked(&self.artifact) = artifact;
    }

    /// What every build prints from now on.
    pub fn prints(&self, lines: &[&str]) {
        *locked(&self.lines) = lines.iter().map(|l| (*l).to_owned()).collect();
    }

    /// Whether it takes folders as its own.
    pub fn detects(&self, detects: bool) {
        *locked(&self.detects) = detects;
    }

    /// The jobs it was given.
    pub fn jobs(&self) -> Vec<BuildJob> {
        locked(&self.jobs).clone()
    }
}

#[async_trait::async_trait]
impl Builder for FakeBuilder {
    fn name(&self) -> &'static str {
        self.name
    }

    fn detect(&self, _folder: &Path) -> Option<Detected> {
        locked(&self.detects).then(|| Detected {
            because: "the test says so".into(),
        })
    }

    async fn build(&self, job: &BuildJob, log: &dyn BuildLog) -> Result<Artifact, Failure> {
        self.journal.note(format!("build {}", job.output.display()));
        locked(&self.jobs).push(job.clone());
        let lines = locked(&self.lines).clone();
        for line in lines {
            log.line(LogStream::Out, &line);
        }
        self.faults.pass("build").await?;
        std::fs::rename(&job.source, &job.output).map_err(|e| {
            Failure::new(
                Kind::Internal,
                format!(
                    "cannot move `{}` to `{}`: {e}",
                    job.source.display(),
                    job.output.display()
                ),
            )
        })?;
        Ok(locked(&self.artifact).clone())
    }
}
