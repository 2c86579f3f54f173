//! `hostkit addon`.

use hostkit_api::addon::{Addon, NewAddon};
use hostkit_api::backup::Removal;
use hostkit_api::endpoints::{
    AddAddon, ChangeAddon, ListAddons, MoveAddon, NoQuery, RemoveAddon, RevealAddon, RotateAddon,
};
use hostkit_api::target::OneAddon;
use hostkit_core::addon::{AddonHealth, AddonId, AddonKind, AddonSettings};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::project::EnvironmentId;
use hostkit_core::size::ByteSize;
use serde_json::json;

use super::address;
use super::project::confirm;
use crate::args::{AddonCommand, AddressSource, WhichAddon, Whose};
use crate::output::{Style, Table, ago};
use crate::session::{Session, spelled};
use crate::stop::Stop;

pub(crate) async fn run(session: &Session<'_>, command: AddonCommand) -> Result<(), Stop> {
    match command {
        AddonCommand::Add {
            which,
            memory,
            keep_all,
            quota,
            public,
            outside,
        } => {
            let id = which.id();
            session.is_about(&id.environment);
            if let Some(source) = outside {
                return add_outside(session, &id, &source).await;
            }
            let settings = AddonSettings {
                memory,
                keep_all,
                quota,
                public,
                outside: false,
            };
            add(session, &id, settings).await
        }
        AddonCommand::Set {
            which,
            memory,
            keep_all,
            evict,
        } => {
            let keep_all = match (keep_all, evict) {
                (false, false) => None,
                (kept, _) => Some(kept),
            };
            set(session, &which.id(), memory, keep_all).await
        }
        AddonCommand::List { whose } => list(session, &whose.id()).await,
        AddonCommand::Rotate { which, outside } => rotate(session, &which.id(), outside.as_ref()).await,
        AddonCommand::Remove {
            which,
            yes,
            no_backup,
        } => {
            let removal = Removal {
                backup: no_backup.then_some(false),
            };
            remove(session, &which.id(), yes, &removal).await
        }
    }
}

impl Whose {
    pub(super) fn id(&self) -> EnvironmentId {
        EnvironmentId::new(self.name.clone(), self.environment.clone())
    }
}

impl WhichAddon {
    fn id(&self) -> AddonId {
        AddonId::new(self.whose.id(), self.kind.into())
    }
}

/// Asks for an add-on and waits until it is ready.
pub(super) async fn made(
    session: &Session<'_>,
    id: &AddonId,
    settings: AddonSettings,
) -> Result<Addon, Stop> {
    let new = NewAddon {
        kind: id.kind,
        settings,
        outside: None,
    };
    let client = session.client()?;
    Ok(client
        .call::<AddAddon>(&id.environment, &NoQuery {}, &new)
        .await?)
}

async fn add(session: &Session<'_>, id: &AddonId, settings: AddonSettings) -> Result<(), Stop> {
    let addon = made(session, id, settings).await?;
    tell_added(session, id, &addon)
}

async fn add_outside(session: &Session<'_>, id: &AddonId, source: &AddressSource) -> Result<(), Stop> {
    let new = NewAddon {
        kind: id.kind,
        settings: AddonSettings::default(),
        outside: Some(address::read(session.printer(), id, source)?),
    };
    let client = session.client()?;
    let addon = client
        .call::<AddAddon>(&id.environment, &NoQuery {}, &new)
        .await?;
    warn(session, &addon);
    tell_added(session, id, &addon)
}

/// What would be better otherwise of one that was added.
pub(super) fn warn(session: &Session<'_>, addon: &Addon) {
    let printer = session.printer();
    for warning in &addon.state.warnings {
        printer.warn(&printer.foreign_on_err(warning));
    }
}

fn tell_added(session: &Session<'_>, id: &AddonId, addon: &Addon) -> Result<(), Stop> {
    let printer = session.printer();
    if printer.wants_json() {
        return printer.json(addon);
    }
    let names: Vec<String> = addon.variables.iter().map(ToString::to_string).collect();
    printer.say(&format!(
        "`{}` has {} now. Programs find {} once they are started anew.",
        id.environment,
        id.kind.title(),
        names.join(", ")
    ));
    printer.next(&format!(
        "`hostkit restart{}` tells what is live",
        spelled(&id.environment)
    ));
    Ok(())
}

/// Changes what is named, and leaves the rest as it is.
async fn set(
    session: &Session<'_>,
    id: &AddonId,
    memory: Option<ByteSize>,
    keep_all: Option<bool>,
) -> Result<(), Stop> {
    session.is_about(&id.environment);
    let client = session.client()?;
    let all = client
        .call::<ListAddons>(&id.environment, &NoQuery {}, &())
        .await?;
    let now = all.into_iter().find(|addon| addon.kind == id.kind);
    let mut settings = now.map(|addon| addon.settings).unwrap_or_default();
    settings.memory = memory.or(settings.memory);
    settings.keep_all = keep_all.unwrap_or(settings.keep_all);
    let target = OneAddon(id.clone());
    let addon = client
        .call::<ChangeAddon>(&target, &NoQuery {}, &settings)
        .await?;
    let printer = session.printer();
    if printer.wants_json() {
        return printer.json(&addon);
    }
    let memory = addon
        .settings
        .memory
        .map_or("its default memory".into(), |memory| memory.to_string());
    let full = match addon.settings.keep_all {
        true => "refuses writes when that is full",
        false => "pushes the least used out when that is full",
    };
    printer.say(&format!(
        "The {} of `{}` has {memory} for its data, and {full}.",
        id.kind.title(),
        id.environment
    ));
    Ok(())
}

async fn list(session: &Session<'_>, environment: &EnvironmentId) -> Result<(), Stop> {
    session.is_about(environment);
    let addons = session
        .client()?
        .call::<ListAddons>(environment, &NoQuery {}, &())
        .await?;
    let printer = session.printer();
    if printer.wants_json() {
        return printer.json(&addons);
    }
    if addons.is_empty() {
        printer.say(&format!("`{environment}` has no add-on."));
        printer.next(&format!("`hostkit addon add {} postgres`", environment.project));
        return Ok(());
    }
    let now = jiff::Timestamp::now();
    let mut table = Table::new(&["ADD-ON", "STATE", "VERSION", "MEMORY", "PORT", "CREDENTIAL"]);
    for addon in &addons {
        let (state, style) = state(addon);
        let credential = match addon.rotation {
            Some(_) => "rotating".to_owned(),
            None => ago(now, addon.credential_since),
        };
        let memory = addon.state.memory.map(|bytes| ByteSize(bytes).to_string());
        let port = match addon.settings.outside {
            true => Some("elsewhere".to_owned()),
            false => addon.port.map(|port| port.to_string()),
        };
        table.row(vec![
            (addon.kind.to_string(), Style::Name),
            (state, style),
            (addon.state.version.clone().unwrap_or_default(), Style::Plain),
            (memory.unwrap_or_default(), Style::Plain),
            (port.unwrap_or_default(), Style::Plain),
            (credential, Style::Plain),
        ]);
    }
    printer.table(&table)
}

fn state(addon: &Addon) -> (String, Style) {
    if addon.removing {
        return ("being removed".into(), Style::Warning);
    }
    match &addon.state.health {
        AddonHealth::Ready => ("ready".into(), Style::Good),
        AddonHealth::Starting => ("starting".into(), Style::Warning),
        AddonHealth::Down(why) => (format!("down: {why}"), Style::Bad),
    }
}

async fn rotate(session: &Session<'_>, id: &AddonId, outside: Option<&AddressSource>) -> Result<(), Stop> {
    session.is_about(&id.environment);
    let client = session.client()?;
    let target = OneAddon(id.clone());
    let rotated = match outside {
        None => client.call::<RotateAddon>(&target, &NoQuery {}, &()).await?,
        Some(source) => {
            let new = address::read(session.printer(), id, source)?;
            client.call::<MoveAddon>(&target, &NoQuery {}, &new).await?
        }
    };
    let printer = session.printer();
    if printer.wants_json() {
        return printer.json(&rotated);
    }
    let (title, environment) = (id.kind.title(), &id.environment);
    let (what, end) = match outside {
        Some(_) => ("address", "forgotten"),
        None => ("credential", "refused"),
    };
    match rotated.deployment {
        Some(deployment) => {
            printer.say(&format!(
                "The {title} of `{environment}` has a new {what}. The old one is {end} once deployment \
                 {deployment} has told it to what is live."
            ));
            printer.next(&format!(
                "`hostkit deployments show {deployment}{}`",
                spelled(environment)
            ));
        }
        None => printer.say(&format!(
            "The {title} of `{environment}` has a new {what}, and the old one is {end}."
        )),
    }
    Ok(())
}

async fn remove(session: &Session<'_>, id: &AddonId, yes: bool, removal: &Removal) -> Result<(), Stop> {
    session.is_about(&id.environment);
    let (title, environment) = (id.kind.title(), &id.environment);
    let client = session.client()?;
    let all = client.call::<ListAddons>(environment, &NoQuery {}, &()).await?;
    let is_outside = all
        .iter()
        .any(|addon| addon.kind == id.kind && addon.settings.outside);
    if !yes && !is_outside {
        let what = format!("the {title} of `{environment}` with all of its data");
        confirm(session, &environment.project, "delete", &what)?;
    }
    client
        .patiently::<RemoveAddon>(&OneAddon(id.clone()), removal, &())
        .await?;
    let printer = session.printer();
    if printer.wants_json() {
        return printer.json(&json!({ "removed": id.kind }));
    }
    if is_outside {
        printer.say(&format!(
            "Forgot the address of the {title} of `{environment}`. What is kept there is as it was. Programs that run \
             have its variables until they are started anew."
        ));
        return Ok(());
    }
    printer.say(&format!(
        "Removed the {title} of `{environment}`. Programs that run have its variables until they are started anew."
    ));
    Ok(())
}

/// Prints one of the URLs that programs are told, with its password.
pub(super) async fn url(
    session: &Session<'_>,
    environment: &EnvironmentId,
    kind: AddonKind,
    variable: &str,
) -> Result<(), Stop> {
    session.is_about(environment);
    let target = OneAddon(AddonId::new(environment.clone(), kind));
    let told = session
        .client()?
        .call::<RevealAddon>(&target, &NoQuery {}, &())
        .await?;
    let mut told = told.variables.iter();
    let url = told.find(|(name, _)| name.as_str() == variable);
    let (_, url) = url.ok_or_else(|| {
        let message = format!(
            "cannot tell the URL of the {} of `{environment}`: no `{variable}` is in its address",
            kind.title()
        );
        Failure::new(Kind::NotFound, message).hint(format!(
            "`hostkit env list{}` names what programs find",
            spelled(environment)
        ))
    })?;
    let printer = session.printer();
    match printer.wants_json() {
        true => printer.json(&json!({ "url": url })),
        false => printer.line(url),
    }
}
