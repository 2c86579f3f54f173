//! Artifact, settings and variables into a release: named, moved into its place in one step, recorded.

use std::path::PathBuf;

use hostkit_core::deployment::{Act, StepName};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::ReleaseName;
use hostkit_core::release::Release;
use hostkit_core::source::SourceId;
use hostkit_core::traits::Audience;

use super::build::output_folder;
use super::fetch::{check_fits, scratch};
use super::{Step, keep, processes};
use crate::context::on_disk;
use crate::run::Run;

pub(super) struct Freeze;

/// What the release is made from.
struct Made {
    source: SourceId,
    release: Release,
}

/// The name is saved before it is used, so that an interrupted step finds what it made.
fn name(run: &mut Run) -> Result<ReleaseName, Failure> {
    if let Some(name) = &run.saved.release {
        return Ok(name.clone());
    }
    let parts = &run.context.parts;
    let id = &run.deployment.environment;
    let taken: Vec<ReleaseName> = parts.store.releases(id)?.into_iter().map(|r| r.name).collect();
    let now = parts.clock.now();
    let is_free =
        |name: &ReleaseName| !taken.contains(name) && !parts.files.exists(&parts.layout.release(id, name));
    let name = (1..1000)
        .map(|attempt| ReleaseName::at(now, attempt))
        .find(is_free)
        .ok_or_else(|| {
            Failure::new(
                Kind::Unavailable,
                "cannot name a release: all names of this second are taken",
            )
            .hint("deploy again")
        })?;
    run.saved.release = Some(name.clone());
    run.save()?;
    Ok(name)
}

/// For `Apply`: the files of the live release, and all that is known of it.
async fn clone_live(run: &Run) -> Result<Release, Failure> {
    let id = &run.deployment.environment;
    let Some(live) = &run.saved.before.live else {
        return Err(Failure::new(
            Kind::Conflict,
            format!("cannot apply variables to `{id}`: nothing was deployed yet"),
        )
        .hint("deploy first with `hostkit deploy`"));
    };
    let from = run.context.parts.layout.release(id, &live.release);
    let (folder, to) = (scratch(run), output_folder(run));
    let parts = &run.context.parts;
    parts.premises.ensure_environment(id).await?;
    parts
        .files
        .create_folder(&folder)
        .map_err(|e| on_disk("create", &folder, &e))?;
    parts.premises.give(&id.project, vec![folder]).await?;
    let cloned = run.context.aside_as(&id.project, {
        let (from, to) = (from.clone(), to);
        move |files| {
            files.remove(&to)?;
            files.clone_tree(&from, &to)
        }
    });
    cloned.await?.map_err(|e| on_disk("copy", &from, &e))?;
    Ok(run.context.release(id, &live.release)?.as_ref().clone())
}

async fn made(run: &Run, name: &ReleaseName) -> Result<Made, Failure> {
    let parts = &run.context.parts;
    let id = run.deployment.environment.clone();
    let created_at = parts.clock.now();
    if let Act::Deploy { source, .. } = &run.deployment.act {
        let (Some(manifest), Some(artifact)) = (run.saved.manifest.clone(), run.saved.artifact.clone())
        else {
            return Err(Failure::new(
                Kind::Internal,
                "cannot freeze a release: nothing was built",
            ));
        };
        let processes = processes::freeze(&manifest, run.saved.procfile.as_ref(), &artifact)?;
        let release = Release {
            environment: id,
            name: name.clone(),
            source: source.clone(),
            artifact,
            manifest,
            processes,
            created_at,
            bytes: 0,
        };
        return Ok(Made {
            source: source.clone(),
            release,
        });
    }
    let live = clone_live(run).await?;
    check_fits(run, &live.manifest)?;
    Ok(Made {
        source: live.source.clone(),
        release: Release {
            name: name.clone(),
            created_at,
            ..live
        },
    })
}

fn place(run: &Run, name: &ReleaseName) -> PathBuf {
    run.context
        .parts
        .layout
        .release(&run.deployment.environment, name)
}

#[async_trait::async_trait]
impl Step for Freeze {
    fn name(&self) -> StepName {
        StepName::Freeze
    }

    async fn run(&self, run: &mut Run) -> Result<(), Failure> {
        let name = name(run)?;
        let Made { source, mut release } = made(run, &name).await?;
        let id = run.deployment.environment.clone();
        let (output, place) = (output_folder(run), place(run, &name));
        let shared = run.context.parts.layout.shared(&id);
        let keep = release.manifest.keep.clone();
        let linked = run.context.aside_as(&id.project, {
            let output = output.clone();
            move |files| {
                keep::link(files, &output, &shared, &keep)?;
                files.size(&output)
            }
        });
        release.bytes = linked
            .await?
            .map_err(|e| on_disk("link what is kept in", &output, &e))?;
        let target = place.clone();
        let moved = run.context.aside(move |files| {
            if let Some(parent) = target.parent() {
                files.create_folder(parent)?;
            }
            files.rename(&output, &target)
        });
        moved.await.map_err(|e| on_disk("put into place", &place, &e))?;
        let audience = match &release.artifact.files {
            Some(files) => Audience::FrontDoor(files.root.clone()),
            None => Audience::Project,
        };
        let premises = &run.context.parts.premises;
        premises.settle_release(&id, &name, audience).await?;
        // A release that is recorded has its files, whenever the power fails.
        let synced = run.context.aside_as(&id.project, {
            let place = place.clone();
            move |files| files.sync_tree(&place)
        });
        synced
            .await?
            .map_err(|e| on_disk("bring to the disk", &place, &e))?;
        release.source = source;
        let variables = run.context.parts.store.variables(&id)?;
        run.context.forget_release(&id, &name);
        run.context.parts.store.add_release(&release, &variables)?;
        run.journal.say(&format!(
            "release {name} ({})",
            hostkit_core::size::ByteSize(release.bytes)
        ));
        Ok(())
    }

    async fn undo(&self, run: &mut Run) -> Result<(), Failure> {
        let Some(name) = run.saved.release.clone() else {
            return Ok(());
        };
        let id = run.deployment.environment.clone();
        run.context.parts.store.remove_release(&id, &name)?;
        run.context.forget_release(&id, &name);
        let (place, output) = (place(run, &name), output_folder(run));
        let shown = place.clone();
        // Back to where the build left it: an interrupted step is run again with it.
        let back = run.context.aside(move |files| {
            if !files.exists(&place) {
                return Ok(());
            }
            let has_scratch = output.parent().is_some_and(|scratch| files.is_folder(scratch));
            match has_scratch && !files.exists(&output) {
                true => files.rename(&place, &output),
                false => files.remove(&place),
            }
        });
        back.await.map_err(|e| on_disk("take back", &shown, &e))
    }
}
