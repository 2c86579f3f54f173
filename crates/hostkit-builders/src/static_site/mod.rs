//! Static sites: a folder of files as it is, or what a build writes. The front door serves them; no program runs.

use std::path::Path;
use std::sync::Arc;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::RelativePath;
use hostkit_core::release::{Artifact, StaticFiles};
use hostkit_core::traits::{BuildJob, BuildLog, Builder, Detected};
use hostkit_host::files::{folder_size, remove_tree};

use crate::blocking::{aside, cannot};
use crate::shared::dependency_sets::DependencySets;
use crate::shared::javascript::Project;
use crate::shared::package::Package;
use crate::shared::toolbox::Toolbox;
use crate::shared::tree::{has_file, has_folder};
use crate::shared::workshop::{Step, Workshop};
use crate::shared::{disk, finished};

/// Raised when outputs are made differently, so that kept ones are not used any more.
const EDITION: &str = "static 1";
/// Where builds write to, in the order they are looked at.
const OUTPUTS: [&str; 6] = ["dist", "build", "out", "_site", "public", ".output/public"];
/// Folders whose `index.html` makes a plain site.
const PLAIN: [&str; 5] = [".", "public", "dist", "site", "www"];
/// Files that are about the site and no part of it.
const NOT_SERVED: [&str; 4] = ["hostkit.toml", "Procfile", ".hostkitignore", "vercel.json"];

/// The builder `static`.
pub(crate) struct StaticSite {
    tools: Arc<Toolbox>,
}

impl StaticSite {
    pub(crate) fn new(tools: Arc<Toolbox>) -> Self {
        StaticSite { tools }
    }
}

#[async_trait::async_trait]
impl Builder for StaticSite {
    fn name(&self) -> &'static str {
        "static"
    }

    fn detect(&self, folder: &Path) -> Option<Detected> {
        let because = if is_built_by_package(folder) {
            "package.json with a `build` script".to_owned()
        } else {
            let place = PLAIN
                .iter()
                .find(|place| has_file(&folder.join(place), "index.html"))?;
            let place = if *place == "." {
                String::new()
            } else {
                format!("{place}/")
            };
            format!("a folder with `{place}index.html`")
        };
        Some(Detected { because })
    }

    async fn build(&self, job: &BuildJob, log: &dyn BuildLog) -> Result<Artifact, Failure> {
        if job.rule.command.is_some() || is_built_by_package(&job.source) {
            self.build_first(job, log).await
        } else {
            let (job, tools) = (job.clone(), self.tools.clone());
            aside(move || as_it_is(&job, &tools)).await
        }
    }
}

impl StaticSite {
    async fn build_first(&self, job: &BuildJob, log: &dyn BuildLog) -> Result<Artifact, Failure> {
        let hash = finished::fingerprint_and_check(job, self.tools.min_free).await?;
        let workshop = Workshop::open(&self.tools, job, log)?;
        let mut assumed = Vec::new();
        let project = match has_file(&job.source, "package.json") {
            true => Some(Project::open(&workshop, &mut assumed).await?),
            false => None,
        };
        let sets = DependencySets::new(&job.cache, "static-output");
        let node = project.as_ref().map_or("", |project| &project.node);
        let key = finished::key_of(job, &hash, EDITION, node)?;
        if let Some(artifact) = finished::bring(&sets, &key, job).await? {
            workshop
                .say("the source was built before, with the same settings and variables: not built again");
            return Ok(artifact);
        }
        match (project, &job.rule.command) {
            (Some(project), _) => {
                project.install(&workshop).await?;
                project.build(&workshop, None, |_| None).await?;
            }
            (None, command) => {
                let steps = [
                    ("install what the build needs", &job.rule.install),
                    ("build the source", command),
                ];
                for (act, command) in steps {
                    if let Some(command) = command {
                        workshop.run(Step::new(act, command.clone())).await?;
                    }
                }
            }
        }
        let made = job.clone();
        let artifact = aside(move || publish(&made, assumed)).await?;
        finished::keep(&sets, &key, job, &artifact).await?;
        Ok(artifact)
    }
}

/// Whether a build comes first. Knows nothing of programs: whoever starts one is asked before.
fn is_built_by_package(folder: &Path) -> bool {
    Package::glance(folder).is_some_and(|package| package.scripts.contains_key("build"))
}

/// Takes what the build wrote.
fn publish(job: &BuildJob, mut assumed: Vec<String>) -> Result<Artifact, Failure> {
    let found = match &job.rule.output {
        Some(own) => Some(own.as_str()).filter(|own| has_folder(&job.source, own)),
        None => OUTPUTS
            .into_iter()
            .find(|place| has_file(&job.source.join(place), "index.html")),
    };
    let Some(place) = found else {
        let why = match &job.rule.output {
            Some(own) => format!("cannot publish the site: the build made no folder `{own}`"),
            None => format!(
                "cannot publish the site: the build left no index.html in any of {}",
                OUTPUTS.join(", ")
            ),
        };
        return Err(Failure::new(Kind::Failed, why)
            .hint("name the folder it writes to with `output` under `[build]` in hostkit.toml"));
    };
    if job.rule.output.is_none() {
        assumed.push(format!("The build wrote to `{place}`: this folder is the site."));
    }
    disk::move_to_output(job, &job.source.join(place))?;
    Ok(site(job, assumed))
}

/// Takes the folder itself.
fn as_it_is(job: &BuildJob, tools: &Toolbox) -> Result<Artifact, Failure> {
    let bytes = folder_size(&job.source).map_err(cannot("read", &job.source))?;
    disk::check(job, bytes, tools.min_free)?;
    let place = match &job.rule.output {
        Some(own) => own.as_str(),
        None => PLAIN
            .into_iter()
            .find(|place| has_file(&job.source.join(place), "index.html"))
            .unwrap_or("."),
    };
    let root = if place == "." {
        job.source.clone()
    } else {
        job.source.join(place)
    };
    if !root.is_dir() {
        return Err(Failure::new(
            Kind::Invalid,
            format!("cannot publish the site: there is no folder `{place}`"),
        )
        .hint("`output` under `[build]` in hostkit.toml names the folder of the site"));
    }
    let mut assumed = Vec::new();
    if job.rule.output.is_none() && place != "." {
        assumed.push(format!("The site is the folder `{place}`."));
    }
    if place == "." {
        for name in NOT_SERVED {
            let path = root.join(name);
            remove_tree(&path).map_err(cannot("remove", &path))?;
        }
    }
    disk::move_to_output(job, &root)?;
    Ok(site(job, assumed))
}

fn site(job: &BuildJob, assumed: Vec<String>) -> Artifact {
    let files = StaticFiles {
        root: RelativePath::root(),
        single_page: job.rule.single_page,
    };
    Artifact {
        builder: "static".into(),
        files: Some(files),
        programs: Default::default(),
        assumed,
    }
}

#[cfg(test)]
mod tests;
