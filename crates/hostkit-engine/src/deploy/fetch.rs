//! Source into a clean folder; what it says about itself is read and checked before anything is built.

use std::path::PathBuf;

use hostkit_core::deployment::{Act, StepName};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::manifest::{self, Manifest};
use hostkit_core::size::ByteSize;
use hostkit_core::source::{SourceContent, SourceId};
use hostkit_core::vercel;

use super::{Step, values};
use crate::context::on_disk;
use crate::run::Run;

pub(super) struct Fetch;

/// More than any manifest has; its reader refuses what is too long.
const MANIFEST_LIMIT: usize = 2 << 20;

/// Where the private copy of the source lies.
pub(super) fn source_folder(run: &Run) -> PathBuf {
    scratch(run).join("source")
}

/// Everything a deployment writes before its release is frozen.
pub(super) fn scratch(run: &Run) -> PathBuf {
    run.context
        .parts
        .layout
        .scratch(&run.deployment.environment, run.deployment.id)
}

pub(super) fn source(run: &Run) -> Result<&SourceId, Failure> {
    match &run.deployment.act {
        Act::Deploy { source, .. } => Ok(source),
        _ => Err(Failure::new(
            Kind::Internal,
            "cannot fetch a source: this act has none",
        )),
    }
}

/// Refuses what would leave too little space, before it is written.
pub(super) fn check_space(run: &Run, needed: u64, what: &str) -> Result<(), Failure> {
    let parts = &run.context.parts;
    let folder = parts.layout.data();
    let free = parts
        .files
        .free_bytes(folder)
        .map_err(|e| on_disk("measure", folder, &e))?;
    let least = parts.settings.min_free.0;
    if free.saturating_sub(needed) >= least {
        return Ok(());
    }
    let message = format!(
        "cannot {what}: the disk has {} free, about {} are needed and {} must stay free",
        ByteSize(free),
        ByteSize(needed),
        ByteSize(least)
    );
    Err(Failure::new(Kind::Unavailable, message)
        .hint("free some space (see `hostkit doctor`), then deploy again"))
}

/// Writes the source; also called by the build, which may use it up, when it has to begin again. It begins with a new
/// folder: the one before may be the project's own by now, and nothing is written where somebody else may put links.
pub(super) async fn write_source(run: &Run) -> Result<(), Failure> {
    let parts = &run.context.parts;
    let (project, source) = (&run.deployment.environment.project, source(run)?);
    let files = parts.sources.list(project, source).await?;
    let bytes = files.iter().map(|file| match file.content {
        SourceContent::File { size, .. } => size,
        SourceContent::Link { .. } => 0,
    });
    check_space(run, bytes.sum(), "write the source")?;
    parts
        .premises
        .ensure_environment(&run.deployment.environment)
        .await?;
    let folder = scratch(run);
    run.context.remove(folder.clone()).await?;
    parts
        .files
        .create_folder(&folder)
        .map_err(|e| on_disk("create", &folder, &e))?;
    parts.sources.fetch(project, source, &source_folder(run)).await?;
    Ok(())
}

/// The text of a file at the root of the source; empty where there is none.
fn read(run: &Run, name: &str) -> Result<String, Failure> {
    let path = source_folder(run).join(name);
    let bytes = run.context.parts.files.read_at(&path, 0, MANIFEST_LIMIT);
    let bytes = bytes.map_err(|e| on_disk("read", &path, &e))?;
    String::from_utf8(bytes)
        .map_err(|_| Failure::new(Kind::Invalid, format!("cannot read `{name}`: it is not UTF-8")))
}

fn read_manifest(run: &Run) -> Result<Manifest, Failure> {
    let text = read(run, manifest::FILE_NAME)?;
    let mut manifest =
        manifest::parse(&text).map_err(|problems| problems.into_failure(manifest::FILE_NAME))?;
    let theirs = read(run, vercel::FILE_NAME)?;
    if !theirs.is_empty() {
        run.journal.say(&format!("reading {}", vercel::FILE_NAME));
        let file = vercel::parse(&theirs)?;
        let ignored = file.ignored.clone();
        for sentence in ignored.iter().chain(&file.merge(&mut manifest)) {
            run.journal.say(&format!("warning: {sentence}"));
        }
    }
    Ok(manifest)
}

/// What this version cannot run is refused, so that nobody believes that it ran.
fn check_abilities(manifest: &Manifest, release_line: bool) -> Result<(), Failure> {
    let refused = |what: &str, hint: &str| {
        Err(Failure::new(
            Kind::Invalid,
            format!("cannot deploy: this version does not run {what} yet"),
        )
        .hint(hint))
    };
    if manifest.release_command.is_some() {
        return refused(
            "release commands (`command` in [releases])",
            "take it out and run the command with `hostkit run`",
        );
    }
    if release_line {
        return refused(
            "the `release:` line of a Procfile",
            "take it out and run the command with `hostkit run`",
        );
    }
    if !manifest.cron.is_empty() {
        return refused(
            "commands by the clock ([[cron]])",
            "take them out and call `hostkit run` from the system's cron",
        );
    }
    Ok(())
}

/// Refuses a source of another project, and a release whose variables are not as they must be.
pub(super) fn check_fits(run: &Run, manifest: &Manifest) -> Result<(), Failure> {
    let id = &run.deployment.environment;
    if let Some(name) = manifest.name.as_ref().filter(|name| **name != id.project) {
        let message = format!(
            "cannot deploy to `{}`: `{}` says the project is `{name}`",
            id.project,
            manifest::FILE_NAME
        );
        return Err(Failure::new(Kind::Invalid, message)
            .hint(format!("deploy with `--project {name}`, or change the file")));
    }
    values::check(run, manifest)
}

#[async_trait::async_trait]
impl Step for Fetch {
    fn name(&self) -> StepName {
        StepName::Fetch
    }

    async fn run(&self, run: &mut Run) -> Result<(), Failure> {
        self.undo(run).await?;
        write_source(run).await?;
        let manifest = read_manifest(run)?;
        let procfile = (run.context.parts.procfile)(&source_folder(run))?;
        check_abilities(&manifest, procfile.as_ref().is_some_and(|p| p.release.is_some()))?;
        check_fits(run, &manifest)?;
        run.saved.manifest = Some(manifest);
        run.saved.procfile = procfile;
        Ok(())
    }

    async fn undo(&self, run: &mut Run) -> Result<(), Failure> {
        run.context.remove(scratch(run)).await
    }
}
