//! Folder into an artifact. A process with a root folder of its own is built by its own builder, first and from a
//! copy, because the builder of the whole tree may use the tree up.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hostkit_core::deployment::StepName;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::manifest::{BuildRule, Manifest};
use hostkit_core::names::RelativePath;
use hostkit_core::release::{Artifact, Program, StaticFiles};
use hostkit_core::traits::{BuildJob, Builder};
use hostkit_core::variables::references::resolve_where_possible;

use super::fetch::{check_space, scratch, source_folder, write_source};
use super::{Step, keep, processes, scan};
use crate::addons;
use crate::context::on_disk;
use crate::run::Run;

pub(super) struct Build;

/// Where the files of the release are made.
pub(super) fn output_folder(run: &Run) -> PathBuf {
    scratch(run).join("output")
}

fn parts_folder(run: &Run) -> PathBuf {
    scratch(run).join("parts")
}

/// The folders to build, deepest first, the tree's own root last and only if something runs or is served from it.
fn roots(manifest: &Manifest) -> Vec<(RelativePath, BuildRule)> {
    let mut own: BTreeMap<RelativePath, BuildRule> = BTreeMap::new();
    for process in manifest.processes.values().filter(|p| !p.root.is_root()) {
        let rule = own.entry(process.root.clone()).or_default();
        if let Some(build) = &process.build {
            *rule = build.clone();
        }
    }
    let all_own = !manifest.processes.is_empty() && manifest.processes.values().all(|p| !p.root.is_root());
    let mut roots: Vec<_> = own.into_iter().rev().collect();
    if !all_own || manifest.build != BuildRule::default() {
        roots.push((RelativePath::root(), manifest.build.clone()));
    }
    roots
}

fn choose(run: &Run, folder: &Path, rule: &BuildRule) -> Result<Arc<dyn Builder>, Failure> {
    let builders = &run.context.parts.builders;
    let names = || {
        builders
            .iter()
            .map(|b| format!("`{}`", b.name()))
            .collect::<Vec<_>>()
            .join(", ")
    };
    if let Some(name) = &rule.builder {
        let named = builders.iter().find(|b| b.name() == name);
        return named.cloned().ok_or_else(|| {
            let message = format!("cannot build: there is no builder `{name}`");
            Failure::new(Kind::Invalid, message).hint(format!("use one of {}", names()))
        });
    }
    for builder in builders {
        if let Some(detected) = builder.detect(folder) {
            run.journal.say(&format!(
                "building with {}: found {}",
                builder.name(),
                detected.because
            ));
            return Ok(builder.clone());
        }
    }
    Err(Failure::new(
        Kind::Invalid,
        "cannot build: no builder knows this kind of folder",
    )
    .hint(format!(
        "name one with `builder` in [build] of hostkit.toml: {}",
        names()
    )))
}

async fn build_one(
    run: &Run,
    source: PathBuf,
    output: PathBuf,
    rule: &BuildRule,
) -> Result<Artifact, Failure> {
    let parts = &run.context.parts;
    let builder = choose(run, &source, rule)?;
    let project = &run.deployment.environment.project;
    // What is kept stays where it is until the build is over.
    let _held = run.context.cache_of(project).read_owned().await;
    let cache = parts.layout.cache(project);
    let made = run.context.aside_as(project, {
        let cache = cache.clone();
        move |files| files.create_folder(&cache)
    });
    made.await?.map_err(|e| on_disk("create", &cache, &e))?;
    let id = &run.deployment.environment;
    let mut variables = addons::with(&run.context, id, parts.store.variables(id)?)?;
    if let Some(manifest) = &run.saved.manifest {
        for (name, value) in &manifest.defaults {
            let value = hostkit_core::secret::Secret::new(value);
            variables.entry(name.clone()).or_insert(value);
        }
    }
    // Addresses of other processes are known when there are some, and stay references until then.
    let variables = resolve_where_possible(variables);
    // Values may have been made up or set since the deployment began.
    run.hide_with(&variables);
    let job = BuildJob {
        project: run.deployment.environment.project.clone(),
        source,
        output,
        cache,
        rule: rule.clone(),
        variables,
    };
    let artifact = builder.build(&job, &run.journal).await?;
    for sentence in &artifact.assumed {
        run.journal.say(&format!("assumed: {sentence}"));
    }
    Ok(artifact)
}

/// A path of a part, seen from the whole release.
fn below(root: &RelativePath, path: &RelativePath) -> RelativePath {
    match (root.is_root(), path.is_root()) {
        (true, _) => path.clone(),
        (_, true) => root.clone(),
        _ => RelativePath::parse(&format!("{root}/{path}")).unwrap_or_else(|_| root.clone()),
    }
}

fn program_below(root: &RelativePath, program: Program) -> Program {
    Program {
        directory: below(root, &program.directory),
        path: program.path.iter().map(|p| below(root, p)).collect(),
        ..program
    }
}

/// The rough size of what the build will write: as much as the release before, at least as much as the source.
fn projected(run: &Run) -> u64 {
    let parts = &run.context.parts;
    let newest = parts.store.releases(&run.deployment.environment).ok();
    let before = newest
        .and_then(|releases| releases.first().map(|r| r.bytes))
        .unwrap_or(0);
    before.max(parts.files.size(&source_folder(run)).unwrap_or(0))
}

async fn build_all(run: &Run, manifest: &Manifest) -> Result<Artifact, Failure> {
    let context = &run.context;
    let (source, output) = (source_folder(run), output_folder(run));
    let mut parts: Vec<(RelativePath, PathBuf, Artifact)> = Vec::new();
    let mut whole = None;
    for (root, rule) in roots(manifest) {
        if root.is_root() {
            whole = Some(build_one(run, source.clone(), output.clone(), &rule).await?);
            continue;
        }
        let place = parts_folder(run).join(parts.len().to_string());
        let (from, copy, made) = (root.under(&source), place.join("source"), place.join("output"));
        if !context.parts.files.is_folder(&from) {
            let message = format!("cannot build `{root}`: the source has no such folder");
            return Err(
                Failure::new(Kind::Invalid, message).hint("see `root` of the process in hostkit.toml")
            );
        }
        let target = copy.clone();
        let cloned = context.aside(move |files| {
            files.create_folder(&place)?;
            files.clone_tree(&from, &target)
        });
        cloned.await.map_err(|e| on_disk("copy", &copy, &e))?;
        run.journal.say(&format!("building {root}"));
        let artifact = build_one(run, copy, made.clone(), &rule).await?;
        parts.push((root, made, artifact));
    }
    let mut artifact = match whole {
        Some(artifact) => artifact,
        None => Artifact {
            builder: parts
                .first()
                .map(|(_, _, a)| a.builder.clone())
                .unwrap_or_default(),
            files: None,
            programs: BTreeMap::new(),
            assumed: Vec::new(),
        },
    };
    let project = &run.deployment.environment.project;
    let mut given: Vec<PathBuf> = parts
        .iter()
        .filter_map(|(_, made, _)| made.parent().map(Path::to_owned))
        .collect();
    given.extend([parts_folder(run), scratch(run)]);
    given.retain(|folder| context.parts.files.exists(folder));
    context.parts.premises.give(project, given).await?;
    // The deepest were built first and are put into place last, so that none hides another.
    for (root, made, part) in parts.into_iter().rev() {
        let place = root.under(&output);
        let moved = context.aside_as(project, {
            let (place, output, root) = (place.clone(), output.clone(), root.clone());
            move |files| {
                // What is removed must be ours: the build of the whole may have left a link on the way.
                keep::real_folders(files, &output, &root)?;
                files.remove(&place)?;
                files.rename(&made, &place)
            }
        });
        moved.await?.map_err(|e| on_disk("put into place", &place, &e))?;
        processes::merge(&mut artifact, manifest, &root, part);
    }
    Ok(artifact)
}

impl Build {
    /// A part's artifact as the whole release sees it.
    pub(super) fn seen_from_root(root: &RelativePath, part: Artifact) -> Artifact {
        Artifact {
            files: part.files.map(|files| StaticFiles {
                root: below(root, &files.root),
                ..files
            }),
            programs: part
                .programs
                .into_iter()
                .map(|(name, p)| (name, program_below(root, p)))
                .collect(),
            ..part
        }
    }
}

#[async_trait::async_trait]
impl Step for Build {
    fn name(&self) -> StepName {
        StepName::Build
    }

    fn can_be_left(&self) -> bool {
        true
    }

    async fn run(&self, run: &mut Run) -> Result<(), Failure> {
        let Some(manifest) = run.saved.manifest.clone() else {
            return Err(Failure::new(
                Kind::Internal,
                "cannot build: the source was not read",
            ));
        };
        if !run.context.parts.files.exists(&source_folder(run)) {
            write_source(run).await?;
        }
        check_space(run, projected(run), "build")?;
        scan::look_through(run, &manifest.scan).await?;
        let artifact = build_all(run, &manifest).await?;
        run.saved.artifact = Some(artifact);
        // The slot is for the work on the machine; what follows waits for other things.
        run.slot = None;
        Ok(())
    }

    async fn undo(&self, run: &mut Run) -> Result<(), Failure> {
        run.saved.artifact = None;
        // The builder may have used the source up or changed it; it is written afresh when it is needed again.
        run.context.remove(scratch(run)).await
    }
}
