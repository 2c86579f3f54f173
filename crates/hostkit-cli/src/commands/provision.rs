//! `hostkit provision` and `hostkit project create`: a project with all it needs, and perhaps its first deployment. What
//! this version cannot do is said before anything is made.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use hostkit_api::addon::{Addon, OutsideAddress};
use hostkit_api::endpoints::{CreateProject, ListAddons, NoQuery, ProvisionProject};
use hostkit_api::project::{NewProject, Project, Provisioned};
use hostkit_api::target::Installation;
use hostkit_core::addon::{AddonId, AddonKind, AddonSettings};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::manifest::{FILE_NAME, Manifest};
use hostkit_core::names::{EnvironmentName, ProjectName};
use hostkit_core::project::EnvironmentId;
use serde::Serialize;

use super::deployment::{Outcome, told};
use super::{addon, address, deploy};
use crate::args::{CreateArgs, DeployArgs, Extras, ProvisionArgs, Target};
use crate::output::Style;
use crate::session::{Session, read_manifest};
use crate::stop::Stop;
use crate::upload::reason;

/// What is printed as JSON: with a source, its deployment as well.
#[derive(Serialize)]
struct Made<T> {
    #[serde(flatten)]
    made: T,
    #[serde(skip_serializing_if = "Option::is_none")]
    deployment: Option<Outcome>,
}

/// Which add-ons a project is made with, besides those of [`Extras`].
struct Addons {
    db: bool,
    storage: bool,
    /// Those that somebody else keeps, which came with the project.
    outside: BTreeSet<AddonKind>,
}

pub(crate) async fn run(session: &Session<'_>, args: &ProvisionArgs) -> Result<(), Stop> {
    let name = &args.name;
    if !args.no_auth {
        let message =
            format!("cannot provision `{name}` with auth: not part of this version, and nothing was made");
        let hint = format!("`hostkit provision {name} --no-auth`");
        return Err(Failure::new(Kind::Invalid, message).hint(hint).into());
    }
    check(name, &args.extras)?;
    let body = NewProject {
        name: name.clone(),
        outside: addresses(session, name, &args.extras)?,
    };
    let made = session
        .client()?
        .call::<ProvisionProject>(&Installation, &NoQuery {}, &body)
        .await?;
    let printer = session.printer();
    for change in &made.changes {
        printer.step(change, "", true);
    }
    match (made.is_new, made.changes.is_empty()) {
        (true, _) => printer.say(&format!("Provisioned `{name}`.")),
        (false, true) => printer.say(&format!("`{name}` is as it should be: nothing to do.")),
        (false, false) => printer.say(&format!("Mended `{name}`.")),
    }
    let project = made.project.clone();
    let addons = Addons {
        db: !args.no_db,
        storage: !args.no_storage,
        outside: body.outside.into_keys().collect(),
    };
    finish::<Provisioned>(session, &project, made, addons, &args.extras).await
}

pub(crate) async fn create(session: &Session<'_>, args: &CreateArgs) -> Result<(), Stop> {
    let name = &args.name;
    if args.with_auth {
        let message =
            format!("cannot create `{name}` with auth: not part of this version, and nothing was made");
        return Err(Failure::new(Kind::Invalid, message)
            .hint("leave `--with-auth` out")
            .into());
    }
    check(name, &args.extras)?;
    let body = NewProject {
        name: name.clone(),
        outside: addresses(session, name, &args.extras)?,
    };
    let project = session
        .client()?
        .call::<CreateProject>(&Installation, &NoQuery {}, &body)
        .await?;
    session.printer().say(&format!("Created project `{name}`."));
    let made = project.clone();
    let addons = Addons {
        db: args.with_db,
        storage: args.with_storage,
        outside: body.outside.into_keys().collect(),
    };
    finish::<Project>(session, &project, made, addons, &args.extras).await
}

/// Refuses what cannot be done, before anything is made.
fn check(name: &ProjectName, extras: &Extras) -> Result<(), Failure> {
    let refused = |what: String| Failure::new(Kind::Invalid, format!("cannot make `{name}` {what}"));
    if extras.ssl {
        let what = "with a certificate: not part of this version, and nothing was made";
        return Err(refused(what.to_owned()).hint("leave `--ssl` out"));
    }
    let manifest = extras.source.as_deref().map(manifest_of).transpose()?.flatten();
    if let Some(domain) = &extras.domain {
        let is_named = manifest
            .as_ref()
            .is_some_and(|manifest| manifest.hosts.contains(&domain.clone().into()));
        if !is_named {
            let what = format!(
                "for `{domain}`: a project answers the hosts that the hostkit.toml of its source names"
            );
            let hint = format!("write `hosts = [\"{domain}\"]` there, and name the folder with `--source`");
            return Err(refused(what).hint(hint));
        }
    }
    Ok(())
}

/// The addresses of what somebody else keeps, read before anything is made.
fn addresses(
    session: &Session<'_>,
    name: &ProjectName,
    extras: &Extras,
) -> Result<BTreeMap<AddonKind, OutsideAddress>, Stop> {
    let mut addresses = BTreeMap::new();
    for choice in &extras.outside {
        let (kind, source) = choice.read().map_err(|why| {
            Stop::usage(
                "cannot read `--outside`",
                format!("{why}, such as `--outside postgres=address.txt`"),
            )
        })?;
        let id = AddonId::new(
            EnvironmentId::new(name.clone(), EnvironmentName::production()),
            kind.into(),
        );
        let address = address::read(session.printer(), &id, &source)?;
        if addresses.insert(id.kind, address).is_some() {
            let message = format!("cannot make `{name}` with two of {}", id.kind.title());
            return Err(Stop::usage(
                message,
                "an environment has one of each kind: leave one `--outside` out",
            ));
        }
    }
    Ok(addresses)
}

/// The checked manifest of a source; an archive is looked into on the other side.
fn manifest_of(source: &Path) -> Result<Option<Manifest>, Failure> {
    if source == Path::new("-") {
        return Ok(None);
    }
    match std::fs::metadata(source) {
        Ok(metadata) if metadata.is_dir() => read_manifest(&source.join(FILE_NAME)),
        Ok(_) => Ok(None),
        Err(error) => Err(Failure::new(
            Kind::Invalid,
            format!("cannot deploy `{}`: {}", source.display(), reason(&error)),
        )
        .hint("`--source` takes a folder or an archive")),
    }
}

async fn finish<T: Serialize>(
    session: &Session<'_>,
    project: &Project,
    made: T,
    addons: Addons,
    extras: &Extras,
) -> Result<(), Stop> {
    let printer = session.printer();
    if !printer.wants_json() {
        places(session, project)?;
    }
    let wanted = [
        (addons.db, AddonKind::Postgres, "a PostgreSQL database"),
        (addons.storage, AddonKind::Storage, "a bucket"),
        (extras.with_redis, AddonKind::Redis, "a Redis"),
    ];
    for (is_wanted, kind, words) in wanted {
        if addons.outside.contains(&kind) {
            kept_elsewhere(session, &project.name, kind, words).await?;
        } else if is_wanted {
            with(session, &project.name, kind, words).await?;
        }
    }
    let deployment = match &extras.source {
        Some(source) => Some(deploy::carry_out(session, &first(project, source)).await?),
        None => None,
    };
    if printer.wants_json() {
        let all = Made { made, deployment };
        printer.json(&all)?;
        return all.deployment.map_or(Ok(()), |outcome| told(session, &outcome));
    }
    match deployment {
        Some(outcome) => deploy::tell(session, &outcome),
        None => {
            printer.next(&format!(
                "`hostkit deploy --project {}` in the folder of the app",
                project.name
            ));
            Ok(())
        }
    }
}

/// An add-on, where production has none of its kind; before the first deployment, which finds it.
async fn with(session: &Session<'_>, name: &ProjectName, kind: AddonKind, words: &str) -> Result<(), Stop> {
    let (production, there) = of_production(session, name).await?;
    if !there.iter().any(|addon| addon.kind == kind) {
        let id = AddonId::new(production, kind);
        let made = addon::made(session, &id, AddonSettings::default()).await?;
        addon::warn(session, &made);
        session.printer().say(&format!("`{name}` has {words}."));
    }
    Ok(())
}

/// Tells of one that somebody else keeps.
async fn kept_elsewhere(
    session: &Session<'_>,
    name: &ProjectName,
    kind: AddonKind,
    words: &str,
) -> Result<(), Stop> {
    let (_, there) = of_production(session, name).await?;
    let is_it = |addon: &&Addon| addon.kind == kind && addon.settings.outside;
    if let Some(made) = there.iter().find(is_it) {
        addon::warn(session, made);
        session
            .printer()
            .say(&format!("`{name}` has {words}, kept elsewhere."));
    }
    Ok(())
}

async fn of_production(
    session: &Session<'_>,
    name: &ProjectName,
) -> Result<(EnvironmentId, Vec<Addon>), Stop> {
    let production = EnvironmentId::new(name.clone(), EnvironmentName::production());
    let client = session.client()?;
    let there = client.call::<ListAddons>(&production, &NoQuery {}, &()).await?;
    Ok((production, there))
}

/// Where the new project is.
fn places(session: &Session<'_>, project: &Project) -> Result<(), Stop> {
    let printer = session.printer();
    let mut rows = Vec::new();
    if let Some(environment) = project.environments.first() {
        rows.push(("URL", environment.url.clone()));
    }
    rows.extend(super::project::on_machine(project));
    for (name, value) in rows {
        printer.line(&format!(
            "{}{value}",
            printer.on_out(&format!("{name:<10}"), Style::Dim)
        ))?;
    }
    Ok(())
}

/// The deployment that a project is made with.
fn first(project: &Project, source: &Path) -> DeployArgs {
    let is_folder = source.is_dir();
    DeployArgs {
        path: if is_folder { source.to_owned() } else { ".".into() },
        target: Target {
            project: Some(project.name.clone()),
            environment: EnvironmentName::production(),
        },
        archive: (!is_folder).then(|| source.to_owned()),
        canary: None,
        detach: false,
    }
}
