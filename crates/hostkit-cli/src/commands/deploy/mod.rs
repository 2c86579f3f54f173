//! `hostkit deploy`: a folder or an archive into a source, the source into a deployment, the deployment watched.

mod archive;
mod folder;

use std::path::Path;
use std::time::Instant;

use hostkit_api::client::Client;
use hostkit_api::deployment::NewDeployment;
use hostkit_api::endpoints::{CreateProject, GetProject, NoQuery};
use hostkit_api::project::NewProject;
use hostkit_api::target::Installation;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::manifest::FILE_NAME;
use hostkit_core::names::ProjectName;
use hostkit_core::project::EnvironmentId;
use hostkit_core::source::SourceId;

use super::change::ask;
use super::deployment::{Outcome, Upload, follow, told};
use crate::args::DeployArgs;
use crate::session::{Session, name_of_folder, read_manifest, spelled};
use crate::stop::Stop;
use crate::upload::reason;

pub(crate) async fn run(session: &Session<'_>, args: &DeployArgs) -> Result<(), Stop> {
    let outcome = carry_out(session, args).await?;
    if session.printer().wants_json() {
        session.printer().json(&outcome)?;
        return told(session, &outcome);
    }
    tell(session, &outcome)
}

/// Says how a deployment ended, and where it answers.
pub(super) fn tell(session: &Session<'_>, outcome: &Outcome) -> Result<(), Stop> {
    let printer = session.printer();
    told(session, outcome)?;
    if outcome.has_succeeded() {
        printer.line(outcome.url())?;
        if outcome.is_canary() {
            let target = spelled(outcome.environment());
            printer.next(&format!(
                "`hostkit promote{target}` gives it to everybody, `hostkit rollback{target}` ends it"
            ));
        } else if outcome.is_of_new_project() {
            let target = spelled(outcome.environment());
            printer.next(&format!(
                "`hostkit logs{target} -f` shows what it prints, `hostkit rollback{target}` goes back"
            ));
        }
    }
    Ok(())
}

/// Sends what is to be deployed and follows its deployment to the end.
pub(super) async fn carry_out(session: &Session<'_>, args: &DeployArgs) -> Result<Outcome, Stop> {
    let began = Instant::now();
    let client = session.client()?;
    let Ready {
        environment,
        source,
        upload,
        created,
    } = match &args.archive {
        Some(file) => from_archive(session, &client, args, file).await?,
        None => from_folder(session, &client, args).await?,
    };
    let asked = ask(
        &client,
        &environment,
        &NewDeployment::Deploy {
            source,
            canary: args.canary,
        },
    )
    .await?;
    let ended = if args.detach {
        asked
    } else {
        follow(session, &client, asked).await?
    };
    Ok(Outcome::of(&client, ended, began).await?.after(upload, created))
}

/// Everything a deployment needs.
struct Ready {
    environment: EnvironmentId,
    source: SourceId,
    upload: Option<Upload>,
    created: bool,
}

async fn from_folder(session: &Session<'_>, client: &Client, args: &DeployArgs) -> Result<Ready, Stop> {
    let printer = session.printer();
    let shown = args.path.display();
    let root = args.path.canonicalize().map_err(|error| {
        Failure::new(
            Kind::Invalid,
            format!("cannot deploy `{shown}`: {}", reason(&error)),
        )
        .hint("`hostkit deploy PATH` takes a folder")
    })?;
    if !root.is_dir() {
        return Err(Failure::new(
            Kind::Invalid,
            format!("cannot deploy `{shown}`: it is not a folder"),
        )
        .hint("use `--archive FILE` for a tar, tar.gz or tar.zst")
        .into());
    }
    // A manifest with problems is refused here already, before anything is sent.
    let manifest = read_manifest(&root.join(FILE_NAME))?;
    if manifest.is_none() && args.target.project.is_none() {
        refuse_home(&root)?;
    }
    let named = args
        .target
        .project
        .clone()
        .or_else(|| manifest.and_then(|manifest| manifest.name));
    let project = match named {
        Some(project) => Some(project),
        None => session.own_project().await,
    };
    let project = match project {
        Some(project) => project,
        None => {
            let name = name_of_folder(&root).ok_or_else(|| {
                Failure::new(Kind::Invalid, format!("cannot name a project after the folder `{}`", root.display()))
                    .hint("name it: `hostkit deploy --project NAME`, or write it down with `hostkit init --name NAME`")
            })?;
            printer.say(&format!(
                "No name was given: the project is called `{name}`, after the folder."
            ));
            name
        }
    };
    let environment = EnvironmentId::new(project, args.target.environment.clone());
    session.is_about(&environment);
    printer.say(&format!("Deploying {} to `{environment}`.", root.display()));
    let cache = session.cache();
    // A folder that cannot be deployed leaves no project behind.
    let read = tokio::task::spawn_blocking(move || folder::read(&root, cache.as_deref())).await;
    let tree = read.unwrap_or_else(|error| {
        Err(Failure::new(
            Kind::Internal,
            format!("cannot read the folder: {error}"),
        ))
    })?;
    let created = ensure_project(client, &environment.project).await?;
    if created {
        printer.say(&format!("Created project `{}`.", environment.project));
    }
    let (source, upload) = folder::send(session, client, &environment.project, &tree).await?;
    Ok(Ready {
        environment,
        source,
        upload: Some(upload),
        created,
    })
}

/// A home folder is hardly ever meant, and holds what should not leave it.
fn refuse_home(root: &Path) -> Result<(), Failure> {
    let home = std::env::var_os("HOME").and_then(|home| Path::new(&home).canonicalize().ok());
    let what = match root.parent() {
        None => "it is the whole disk",
        Some(_) if home.as_deref() == Some(root) => "it is your home folder",
        Some(_) => return Ok(()),
    };
    Err(Failure::new(
        Kind::Invalid,
        format!("cannot deploy `{}`: {what}", root.display()),
    )
    .hint("go to the folder of an app, or name it: `hostkit deploy PATH`"))
}

async fn from_archive(
    session: &Session<'_>,
    client: &Client,
    args: &DeployArgs,
    file: &Path,
) -> Result<Ready, Stop> {
    let environment = session.target(&args.target).await?;
    let printer = session.printer();
    printer.say(&format!("Deploying {} to `{environment}`.", archive::shown(file)));
    // An archive that cannot be read leaves no project behind.
    let archive = archive::open(file).await?;
    let created = ensure_project(client, &environment.project).await?;
    if created {
        printer.say(&format!("Created project `{}`.", environment.project));
    }
    let source = archive::send(session, client, &environment.project, archive).await?;
    Ok(Ready {
        environment,
        source,
        upload: None,
        created,
    })
}

/// Makes sure of the project; whether it is new.
async fn ensure_project(client: &Client, name: &ProjectName) -> Result<bool, Failure> {
    match client.call::<GetProject>(name, &NoQuery {}, &()).await {
        Ok(_) => Ok(false),
        Err(failure) if failure.kind == Kind::NotFound => {
            let body = NewProject::named(name.clone());
            match client
                .call::<CreateProject>(&Installation, &NoQuery {}, &body)
                .await
            {
                Ok(_) => Ok(true),
                // Somebody else was quicker.
                Err(denied) if denied.kind == Kind::Conflict => Ok(false),
                // Whoever may not create projects is told of the one that is missing.
                Err(denied) if denied.kind == Kind::Denied => Err(Failure {
                    kind: Kind::Denied,
                    ..failure
                }
                .hint(format!(
                    "name the project that is yours, or ask an administrator: `hostkit project create {name}`"
                ))),
                Err(other) => Err(other),
            }
        }
        Err(failure) => Err(failure),
    }
}
