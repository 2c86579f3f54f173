//! From what `next build` leaves to a release.

use std::fs;
use std::path::{Path, PathBuf};

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::manifest::Command;
use hostkit_core::names::{ProcessName, RelativePath};
use hostkit_core::release::{Artifact, Program, StaticFiles};
use hostkit_core::traits::BuildJob;
use hostkit_host::files::{CloneMode, clone_tree, remove_tree};

use crate::blocking::cannot;
use crate::shared::disk::move_to_output;
use crate::shared::package::{Package, plain_words};
use crate::shared::programs::{Surroundings, relative};
use crate::shared::tree::{has_file, has_folder, inside};
use crate::shared::workshop::arguments;

/// Where Next.js keeps what speeds up its next build, and where that stays meanwhile.
const CACHE: &str = ".next/cache";
const KEPT_CACHE: &str = "next-cache";
/// How deep the server may lie in the standalone folder of a monorepo.
const DEPTH: usize = 6;

/// Whether a folder is a standalone server already, as `next build` made it somewhere else.
pub(super) fn is_built(folder: &Path) -> bool {
    has_file(folder, "server.js")
        && has_file(folder, ".next/BUILD_ID")
        && has_folder(folder, "node_modules/next")
}

/// A release from a folder that is built already.
pub(super) fn as_it_is(job: &BuildJob) -> Result<Artifact, Failure> {
    let assumed = vec!["The folder holds a built Next.js server: it is run as it is.".to_owned()];
    let programs = surroundings().programs(
        &job.source,
        Some(standalone(RelativePath::root())),
        &mut Vec::new(),
    )?;
    move_to_output(job, &job.source)?;
    Ok(Artifact {
        builder: "nextjs".into(),
        files: None,
        programs,
        assumed,
    })
}

/// Puts the build cache of the last time in place. A build without it is slower, nothing else.
pub(super) fn bring_cache(job: &BuildJob) {
    let place = job.source.join(CACHE);
    if let Some(parent) = place.parent()
        && fs::create_dir_all(parent).is_ok()
        && !place.exists()
    {
        let _ = fs::rename(job.cache.join(KEPT_CACHE), place);
    }
}

/// Keeps the build cache for the next time; it is no part of a release.
pub(super) fn keep_cache(job: &BuildJob) {
    let (made, kept) = (job.source.join(CACHE), job.cache.join(KEPT_CACHE));
    if let Some(made) = inside(&job.source, &made)
        && remove_tree(&kept).is_ok()
        && fs::rename(&made, &kept).is_err()
    {
        let _ = remove_tree(&made);
    }
}

/// Makes the release of a finished build.
pub(super) fn collect(
    job: &BuildJob,
    package: &Package,
    mut assumed: Vec<String>,
) -> Result<Artifact, Failure> {
    let source = &job.source;
    let standalone_root = source.join(".next/standalone");
    let artifact = |files, programs, assumed| Artifact {
        builder: "nextjs".into(),
        files,
        programs,
        assumed,
    };
    if standalone_root.is_dir() {
        let server = server_below(&standalone_root).ok_or_else(|| {
            Failure::new(
                Kind::Failed,
                "cannot build the source: `.next/standalone` holds no `server.js`",
            )
            .hint("run `npm run build` on your machine and look into .next/standalone")
        })?;
        assumed.push(
            "`output: \"standalone\"`: the release holds the traced server, its static files and public/."
                .into(),
        );
        complete_standalone(source, &standalone_root.join(&server))?;
        let place = server
            .to_str()
            .filter(|place| !place.is_empty())
            .map_or_else(RelativePath::root, relative);
        let mut programs = surroundings().programs(source, Some(standalone(place.clone())), &mut assumed)?;
        if let Some(web) = programs.get_mut(&ProcessName::web())
            && needs_whole_folder(&web.command)
        {
            assumed.push(format!(
                "`{}` does not work in a standalone release: `node server.js` is run.",
                web.command
            ));
            *web = standalone(place);
        }
        move_to_output(job, &standalone_root)?;
        return Ok(artifact(None, programs, assumed));
    }
    let export = job.rule.output.as_ref().map_or("out", RelativePath::as_str);
    if has_file(&source.join(export), "index.html") {
        assumed.push(format!(
            "A static export: the front door serves `{export}`, no program runs."
        ));
        move_to_output(job, &source.join(export))?;
        let files = StaticFiles {
            root: RelativePath::root(),
            single_page: job.rule.single_page,
        };
        return Ok(artifact(Some(files), Default::default(), assumed));
    }
    assumed.push(
        "`next start` runs the whole folder; `output: \"standalone\"` in next.config makes smaller releases."
            .into(),
    );
    let programs = surroundings().programs(source, Some(whole(package)), &mut assumed)?;
    move_to_output(job, source)?;
    Ok(artifact(None, programs, assumed))
}

/// The folder below `.next/standalone` with the server in it: the root, or the app's place in a monorepo.
fn server_below(root: &Path) -> Option<PathBuf> {
    let mut ahead = vec![PathBuf::new()];
    for _ in 0..DEPTH {
        let mut below = Vec::new();
        for folder in ahead {
            if has_file(&root.join(&folder), "server.js") && has_folder(&root.join(&folder), ".next") {
                return Some(folder);
            }
            for entry in fs::read_dir(root.join(&folder)).ok()?.flatten() {
                let name = entry.file_name();
                if entry.file_type().is_ok_and(|kind| kind.is_dir())
                    && name != "node_modules"
                    && name != ".next"
                {
                    below.push(folder.join(name));
                }
            }
        }
        below.sort();
        ahead = below;
    }
    None
}

/// Next.js leaves out what a CDN might serve; here the server does.
fn complete_standalone(source: &Path, server: &Path) -> Result<(), Failure> {
    for (from, to) in [(".next/static", ".next/static"), ("public", "public")] {
        let to = server.join(to);
        if let Some(from) = inside(source, &source.join(from)) {
            remove_tree(&to).map_err(cannot("replace", &to))?;
            clone_tree(&from, &to, CloneMode::HardLink).map_err(cannot("copy the static files to", &to))?;
        }
    }
    Ok(())
}

fn surroundings() -> Surroundings {
    Surroundings {
        path: vec![relative("node_modules/.bin")],
        variables: [("NODE_ENV", "production"), ("NEXT_TELEMETRY_DISABLED", "1")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
    }
}

/// The standalone server listens on all addresses unless HOSTNAME says which. `env` puts it there and becomes the
/// server: no process more.
fn standalone(directory: RelativePath) -> Program {
    surroundings().program(
        arguments(["env", "HOSTNAME=$HOST", "node", "server.js"]),
        directory,
    )
}

/// Whether a line of a Procfile starts Next.js by means that a standalone release does not carry.
fn needs_whole_folder(command: &Command) -> bool {
    let Command::Line(line) = command else {
        return false;
    };
    let line = line.trim_start_matches("npx ");
    [
        "npm start",
        "npm run start",
        "yarn start",
        "yarn run start",
        "pnpm start",
        "pnpm run start",
        "next start",
    ]
    .iter()
    .any(|start| {
        line.strip_prefix(start)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    })
}

/// `next start`, or the `start` script where it says something else.
fn whole(package: &Package) -> Program {
    let own = package
        .scripts
        .get("start")
        .filter(|line| !line.trim_start().starts_with("next start"));
    let mut surroundings = surroundings();
    let command = match own.and_then(|line| plain_words(line)) {
        Some((variables, command)) => {
            surroundings.variables.extend(variables);
            command
        }
        None => match own {
            Some(line) => Command::Line(line.clone()),
            None => arguments(["next", "start", "-p", "$PORT", "-H", "$HOST"]),
        },
    };
    surroundings.program(command, RelativePath::root())
}
