//! Next.js: with `output: "standalone"` the release is the traced server alone; without, the whole folder; a static
//! export is files for the front door. A source that was built before is not built again.

mod output;

use std::path::Path;
use std::sync::Arc;

use hostkit_core::kind::Failure;
use hostkit_core::release::Artifact;
use hostkit_core::traits::{BuildJob, BuildLog, Builder, Detected};

use crate::blocking::aside;
use crate::shared::dependency_sets::DependencySets;
use crate::shared::finished;
use crate::shared::javascript::Project;
use crate::shared::package::Package;
use crate::shared::toolbox::Toolbox;
use crate::shared::workshop::{Workshop, arguments};

/// Raised when outputs are made differently, so that kept ones are not used any more.
const EDITION: &str = "nextjs 1";

/// The builder `nextjs`.
pub(crate) struct Nextjs {
    tools: Arc<Toolbox>,
}

impl Nextjs {
    pub(crate) fn new(tools: Arc<Toolbox>) -> Self {
        Nextjs { tools }
    }
}

#[async_trait::async_trait]
impl Builder for Nextjs {
    fn name(&self) -> &'static str {
        "nextjs"
    }

    fn detect(&self, folder: &Path) -> Option<Detected> {
        let because = if Package::glance(folder).is_some_and(|package| package.depends_on("next")) {
            "package.json with a `next` dependency"
        } else if output::is_built(folder) {
            "a Next.js server that is built already (`server.js` and `.next/BUILD_ID`)"
        } else {
            return None;
        };
        Some(Detected {
            because: because.into(),
        })
    }

    async fn build(&self, job: &BuildJob, log: &dyn BuildLog) -> Result<Artifact, Failure> {
        if output::is_built(&job.source) && job.rule.command.is_none() && job.rule.install.is_none() {
            let job = job.clone();
            return aside(move || output::as_it_is(&job)).await;
        }
        let hash = finished::fingerprint_and_check(job, self.tools.min_free).await?;
        let workshop = Workshop::open(&self.tools, job, log)?;
        let mut assumed = Vec::new();
        let project = Project::open(&workshop, &mut assumed).await?;
        let sets = DependencySets::new(&job.cache, "nextjs-output");
        let key = finished::key_of(job, &hash, EDITION, &project.node)?;
        if let Some(artifact) = finished::bring(&sets, &key, job).await? {
            workshop
                .say("the source was built before, with the same settings and variables: not built again");
            return Ok(artifact);
        }
        project.install(&workshop).await?;
        output::bring_cache(job);
        let built = project
            .build(&workshop, Some(arguments(["next", "build"])), build_hint)
            .await;
        output::keep_cache(job);
        built?;
        let moved = job.clone();
        let artifact = aside(move || output::collect(&moved, &project.package, assumed)).await?;
        finished::keep(&sets, &key, job, &artifact).await?;
        Ok(artifact)
    }
}

fn build_hint(output: &str) -> Option<&'static str> {
    let about_fonts = output.contains("next/font")
        || output.contains("fonts.googleapis.com")
        || output.contains("fonts.gstatic.com");
    if about_fonts {
        Some(
            "next/font fetches fonts from fonts.googleapis.com during the build, and this server does not reach it: \
             use `next/font/local` with font files of your own, or let the server reach it",
        )
    } else if output.contains("heap out of memory") {
        Some(
            "the build needs more memory: set the variable NODE_OPTIONS to `--max-old-space-size=2048`, or more",
        )
    } else if output.contains("Type error:") || output.contains("Failed to compile") {
        Some("`npm run build` shows the same error on your machine")
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
