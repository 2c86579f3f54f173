//! What package managers keep for the builds of a project, kept in bounds: beyond a size the largest of it goes, and all
//! of it where nothing was built for long. It can be fetched again; that is all it costs.
//!
//! The cache may belong to the project's own account, which can put links anywhere in it. So it is moved into the folder
//! above for a moment, where nobody else can put anything in its place, and only names within it are moved and removed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hostkit_core::deployment::{Act, Deployment};
use hostkit_core::kind::Failure;
use hostkit_core::size::ByteSize;
use hostkit_core::traits::Files;
use hostkit_store::Project;
use jiff::Timestamp;

use crate::context::{Context, locked, on_disk};

/// What builds keep in bounds themselves: sets of dependencies, and their scratch.
const KEPT_BY_BUILDS: [&str; 2] = ["sets", "scratch-"];

/// The places of one cache.
struct Places {
    cache: PathBuf,
    /// Where it is while something is taken out of it.
    aside: PathBuf,
    /// What was taken out.
    trash: PathBuf,
}

impl Places {
    fn of(context: &Context, project: &Project) -> Self {
        let cache = context.parts.layout.cache(&project.name);
        let beside = |what: &str| {
            let mut name = cache.file_name().unwrap_or_default().to_owned();
            name.push(what);
            cache.with_file_name(name)
        };
        Places {
            aside: beside(".aside"),
            trash: beside(".trash"),
            cache,
        }
    }

    /// Puts back or removes what an interruption left.
    fn recover(&self, files: &dyn Files) -> std::io::Result<()> {
        if files.exists(&self.aside) {
            match files.exists(&self.cache) {
                true => files.remove(&self.aside)?,
                false => files.rename(&self.aside, &self.cache)?,
            }
        }
        files.remove(&self.trash)
    }

    /// Takes these names out of the cache; they are removed later.
    fn take_out(&self, files: &dyn Files, names: &[String]) -> std::io::Result<()> {
        files.create_folder(&self.trash)?;
        files.rename(&self.cache, &self.aside)?;
        let mut taken = Ok(());
        // A link in its place leads elsewhere: nothing in there is ours.
        if files.is_folder(&self.aside) {
            let mut all = names.iter().filter(|name| files.exists(&self.aside.join(name)));
            taken = all.try_for_each(|name| files.rename(&self.aside.join(name), &self.trash.join(name)));
        }
        files.rename(&self.aside, &self.cache)?;
        taken
    }
}

/// Looks at the cache of one project, if nothing is built just now and something was since the last look.
pub(super) async fn prune(context: &Arc<Context>, project: &Project) -> Result<(), Failure> {
    let settings = &context.parts.settings;
    let builds = builds(context, project)?;
    let Some(newest) = builds.iter().max_by_key(|build| build.id) else {
        return Ok(());
    };
    if builds.iter().any(|build| !build.state.is_final()) || context.builds() > 0 {
        return Ok(());
    }
    let places = Arc::new(Places::of(context, project));
    let is_old = age(context.parts.clock.now(), newest) >= settings.cache_age;
    let looked_at = locked(&context.pruned).get(&project.name) == Some(&newest.id);
    if looked_at && !is_old {
        return Ok(());
    }
    let cache = context.cache_of(&project.name);
    let told = |error: std::io::Error| on_disk("prune", &places.cache, &error);
    // Whoever builds comes first: it is looked at again after that.
    let names = match is_old {
        true => Vec::new(),
        false => {
            let (measured, most) = (places.clone(), settings.cache_size);
            let found = context
                .aside(move |files| too_much(files, &measured.cache, most))
                .await;
            found.map_err(told)?
        }
    };
    let Ok(held) = cache.try_write_owned() else {
        return Ok(());
    };
    let moving = places.clone();
    let moved = context.aside(move |files| {
        let _held = held;
        moving.recover(files)?;
        if is_old && files.exists(&moving.cache) {
            return files.rename(&moving.cache, &moving.trash);
        }
        match names.is_empty() || !files.is_folder(&moving.cache) {
            true => Ok(()),
            false => moving.take_out(files, &names),
        }
    });
    moved.await.map_err(told)?;
    context.remove(places.trash.clone()).await?;
    locked(&context.pruned).insert(project.name.clone(), newest.id);
    Ok(())
}

/// The deployments of a project that build, as far as they are remembered.
fn builds(context: &Context, project: &Project) -> Result<Vec<Deployment>, Failure> {
    let mut builds = Vec::new();
    for environment in &project.environments {
        let all = context.parts.store.deployments(&environment.id, usize::MAX)?;
        builds.extend(all.into_iter().filter(|d| matches!(d.act, Act::Deploy { .. })));
    }
    Ok(builds)
}

fn age(now: Timestamp, build: &Deployment) -> std::time::Duration {
    let since = build.finished_at.unwrap_or(build.created_at);
    now.duration_since(since).try_into().unwrap_or_default()
}

/// The largest entries that have to go, so that what is left is not too much.
fn too_much(files: &dyn Files, cache: &Path, most: ByteSize) -> std::io::Result<Vec<String>> {
    if !files.is_folder(cache) {
        return Ok(Vec::new());
    }
    let mut sizes = Vec::new();
    for name in files.names(cache)? {
        if !KEPT_BY_BUILDS.iter().any(|kept| name.starts_with(kept)) {
            sizes.push((files.size(&cache.join(&name))?, name));
        }
    }
    sizes.sort();
    let mut all: u64 = sizes.iter().map(|(bytes, _)| bytes).sum();
    let mut gone = Vec::new();
    while all > most.0
        && let Some((bytes, name)) = sizes.pop()
    {
        all -= bytes;
        gone.push(name);
    }
    Ok(gone)
}
