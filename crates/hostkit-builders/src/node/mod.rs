//! Node.js programs: dependencies by lockfile, the `build` script, and a start that needs no npm at run time.

mod start;

use std::path::Path;
use std::sync::Arc;

use hostkit_core::kind::Failure;
use hostkit_core::release::Artifact;
use hostkit_core::traits::{BuildJob, BuildLog, Builder, Detected};
use hostkit_host::files::folder_size;

use crate::blocking::{aside, cannot};
use crate::shared::disk;
use crate::shared::javascript::Project;
use crate::shared::package::Package;
use crate::shared::toolbox::Toolbox;
use crate::shared::workshop::Workshop;

/// The builder `node`.
pub(crate) struct Node {
    tools: Arc<Toolbox>,
}

impl Node {
    pub(crate) fn new(tools: Arc<Toolbox>) -> Self {
        Node { tools }
    }
}

#[async_trait::async_trait]
impl Builder for Node {
    fn name(&self) -> &'static str {
        "node"
    }

    fn detect(&self, folder: &Path) -> Option<Detected> {
        let package = Package::glance(folder)?;
        let because = start::sign(folder, &package)?;
        Some(Detected { because })
    }

    async fn build(&self, job: &BuildJob, log: &dyn BuildLog) -> Result<Artifact, Failure> {
        let (source, tools, checked) = (job.source.clone(), self.tools.clone(), job.clone());
        aside(move || {
            let bytes = folder_size(&source).map_err(cannot("read", &source))?;
            disk::check(&checked, bytes, tools.min_free)
        })
        .await?;
        let workshop = Workshop::open(&self.tools, job, log)?;
        let mut assumed = Vec::new();
        let project = Project::open(&workshop, &mut assumed).await?;
        project.install(&workshop).await?;
        project.build(&workshop, None, |_| None).await?;
        let proposal = start::proposal(&job.source, &project, &mut assumed);
        let surroundings = start::surroundings();
        let programs = surroundings.programs(&job.source, proposal, &mut assumed)?;
        let moved = job.clone();
        aside(move || disk::move_to_output(&moved, &moved.source)).await?;
        Ok(Artifact {
            builder: self.name().into(),
            files: None,
            programs,
            assumed,
        })
    }
}

#[cfg(test)]
mod tests;
