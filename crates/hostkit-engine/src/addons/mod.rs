//! Add-ons of environments: added, listed, given new credentials, taken away. The row in the state comes first and goes last:
//! whatever is interrupted in between is finished by the loop ([`keep`]).

mod bindings;
mod bucket;
mod findings;
pub(crate) mod keep;
mod outside;
mod requests;
mod rotation;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;
use hostkit_core::addon::{AddonHealth, AddonId, AddonKind, AddonOrder, AddonSettings, AddonState, Console};
use hostkit_core::backup::Backup;
use hostkit_core::event::What;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::{ProjectName, VariableName};
use hostkit_core::port_use::PortUse;
use hostkit_core::project::EnvironmentId;
use hostkit_core::secret::Secret;
use hostkit_core::traits::Addon as Driver;
use hostkit_core::variables::Variables;
use hostkit_store::Addon;

use crate::context::Context;
use crate::lanes::LaneSet;
use crate::{backups, ports};

pub use outside::OutsideAddresses;
pub(crate) use outside::try_outside;

pub(crate) use bindings::{names, refuse_bound, secrets, with};
pub(crate) use findings::{broken, complaints, findings};

/// An add-on with how it was found.
#[derive(Debug, Clone, PartialEq)]
pub struct AddonReport {
    /// How it was ordered.
    pub addon: Addon,
    /// How it is.
    pub state: AddonState,
    /// The names of the variables that programs are told.
    pub variables: Vec<VariableName>,
}

/// What provides an add-on that is ordered so.
fn driver<'a>(context: &'a Context, order: &AddonOrder) -> Option<&'a Arc<dyn Driver>> {
    driver_of(context, order.id.kind, &order.settings)
}

fn driver_of<'a>(
    context: &'a Context,
    kind: AddonKind,
    settings: &AddonSettings,
) -> Option<&'a Arc<dyn Driver>> {
    let mut all = context.parts.addons.iter();
    all.find(|driver| driver.kind() == kind && driver.is_outside() == settings.outside)
}

pub(crate) fn provided<'a>(
    context: &'a Context,
    verb: &str,
    id: &AddonId,
    settings: &AddonSettings,
) -> Result<&'a Arc<dyn Driver>, Failure> {
    driver_of(context, id.kind, settings).ok_or_else(|| {
        let kinds: Vec<&str> = context
            .parts
            .addons
            .iter()
            .filter(|known| known.is_outside() == settings.outside)
            .map(|known| known.kind().as_str())
            .collect();
        let message = format!(
            "cannot {verb} {} of `{}`: this version {}",
            id.kind.title(),
            id.environment,
            match settings.outside {
                true => "uses none elsewhere",
                false => "provides none",
            }
        );
        let failure = Failure::new(Kind::Conflict, message);
        match kinds.is_empty() {
            true => failure,
            false => failure.hint(format!("it provides: {}", kinds.join(", "))),
        }
    })
}

pub(crate) async fn list(context: &Context, id: &EnvironmentId) -> Result<Vec<AddonReport>, Failure> {
    context.parts.store.environment(id)?;
    let addons = context.parts.store.addons_of(id)?;
    Ok(join_all(addons.into_iter().map(|addon| report(context, addon))).await)
}

async fn report(context: &Context, addon: Addon) -> AddonReport {
    let down = |why: String| AddonState {
        health: AddonHealth::Down(why),
        memory: None,
        version: None,
        warnings: Vec::new(),
    };
    let Some(driver) = driver(context, &addon.order) else {
        return AddonReport {
            state: down("this version does not provide it".into()),
            variables: Vec::new(),
            addon,
        };
    };
    let state = driver.observe(&addon.order).await;
    AddonReport {
        state: state.unwrap_or_else(|failure| down(failure.message)),
        variables: driver.variable_names(),
        addon,
    }
}

/// How many ports are tried when others turn out to have them.
const MOST_TRIES: u32 = 3;

/// What is added.
pub(crate) enum New {
    /// One of HostKit's own, as somebody chose it.
    Own(AddonSettings),
    /// One that somebody else keeps, by its address.
    Outside(Secret),
}

/// Adds an add-on and returns when it is ready. Where it cannot be made nothing of it is left. Goes on when the caller
/// stops waiting.
pub(crate) async fn add(
    context: &Arc<Context>,
    id: &AddonId,
    new: New,
    by: &str,
) -> Result<AddonReport, Failure> {
    let settings = match &new {
        New::Own(settings) => settings.clone(),
        New::Outside(_) => AddonSettings {
            outside: true,
            ..AddonSettings::default()
        },
    };
    if matches!(new, New::Own(AddonSettings { outside: true, .. })) {
        return Err(outside::without_address(id));
    }
    let driver = provided(context, "add", id, &settings)?.clone();
    settings.check(id.kind)?;
    bindings::refuse_taken(context, id, &driver.variable_names())?;
    let (context, id, by) = (context.clone(), id.clone(), by.to_owned());
    let made = tokio::spawn(async move {
        let lock = context.lock_of_addon(&id);
        let _held = lock.lock().await;
        let (store, is_free) = (&context.parts.store, context.parts.port_is_free);
        let mut tries = 1;
        loop {
            let addon = match &new {
                New::Own(settings) => {
                    let port = driver.needs_port().then_some(is_free);
                    store.add_addon(&id, settings, port, &by)?
                }
                New::Outside(address) => store.add_outside_addon(&id, address, &by)?,
            };
            let made = async {
                ports::bring_in_force(&context).await?;
                driver.ensure(&addon.order).await?;
                // Programs that serve all projects may have got their ports only now.
                ports::bring_in_force(&context).await?;
                context.parts.store.note_addon_made(&id)
            };
            let failure = match made.await {
                Ok(()) => {
                    if !settings.public.is_empty() {
                        bucket::lead_visitors(&context).await;
                    }
                    return Ok(report(&context, addon).await);
                }
                Err(failure) => failure,
            };
            // Marked first: where it cannot be taken back now, the loop does it.
            context.parts.store.begin_addon_removal(&id)?;
            take_away(&context, &driver, &id).await?;
            // Another program may have come back to its port between the choice and the start: then it is another one's.
            let is_lost = addon.order.port.is_some_and(|port| !is_free(port));
            if !is_lost || tries == MOST_TRIES {
                return Err(failure);
            }
            tries += 1;
        }
    });
    finished(made.await)
}

/// Gives an add-on other settings, and returns when it has them. Where it cannot have them it keeps those it had.
pub(crate) async fn change(
    context: &Arc<Context>,
    id: &AddonId,
    settings: &AddonSettings,
    by: &str,
) -> Result<AddonReport, Failure> {
    let known = context.parts.store.addon(id)?.order.settings;
    if known.outside || settings.outside {
        return Err(outside::not_set(id));
    }
    let driver = provided(context, "set", id, &known)?.clone();
    settings.check(id.kind)?;
    let (context, id, settings, by) = (context.clone(), id.clone(), settings.clone(), by.to_owned());
    let changed = tokio::spawn(async move {
        let lock = context.lock_of_addon(&id);
        let _held = lock.lock().await;
        let before = context.parts.store.addon(&id)?;
        if before.removing {
            let message = format!("cannot set {id}: it is being removed");
            return Err(Failure::new(Kind::Conflict, message));
        }
        let mut wanted = before.order.clone();
        wanted.settings = settings;
        if let Err(failure) = driver.ensure(&wanted).await {
            if let Err(error) = driver.ensure(&before.order).await {
                tracing::warn!(%error, addon = %id, "an add-on has not its former settings back yet");
            }
            return Err(failure);
        }
        let addon = context
            .parts
            .store
            .set_addon_settings(&id, &wanted.settings, &by)?;
        Ok(report(&context, addon).await)
    });
    finished(changed.await)
}

/// Takes an add-on away with its data, which is backed up first where that is asked. Programs that run still have its
/// variables until they are started anew.
pub(crate) async fn remove(
    context: &Arc<Context>,
    id: &AddonId,
    backup: bool,
) -> Result<Option<Backup>, Failure> {
    let settings = context.parts.store.addon(id)?.order.settings;
    let driver = provided(context, "remove", id, &settings)?.clone();
    let (context, id) = (context.clone(), id.clone());
    let removed = tokio::spawn(async move {
        context.parts.store.addon(&id)?;
        // Before the lock is taken: a restore takes the add-on's lock while it holds that of the backups. What somebody
        // else keeps is only forgotten.
        let kept = match backup && !settings.outside {
            true => backups::before(&context, &id.environment, Some(id.kind)).await?,
            false => None,
        };
        let lock = context.lock_of_addon(&id);
        let _held = lock.lock().await;
        context.parts.store.begin_addon_removal(&id)?;
        take_away(&context, &driver, &id).await?;
        Ok(kept)
    });
    finished(removed.await)
}

fn finished<T>(outcome: Result<Result<T, Failure>, tokio::task::JoinError>) -> Result<T, Failure> {
    outcome.unwrap_or_else(|why| {
        Err(Failure::new(
            Kind::Internal,
            format!("cannot change an add-on: {why}"),
        ))
    })
}

async fn take_away(context: &Context, driver: &Arc<dyn Driver>, id: &AddonId) -> Result<(), Failure> {
    if id.kind == AddonKind::Storage {
        // Before its port can be another's.
        bucket::lead_visitors(context).await;
    }
    driver.remove(id).await?;
    context.parts.store.finish_addon_removal(id)?;
    ports::bring_in_force(context).await
}

/// The ports on which add-ons are reached that are not on their way out.
pub(crate) fn ports(context: &Context) -> Result<BTreeMap<u16, PortUse>, Failure> {
    let store = &context.parts.store;
    let going: Vec<ProjectName> = store
        .projects()?
        .into_iter()
        .filter(|project| project.deleting)
        .map(|project| project.name)
        .collect();
    let all = store.addons()?;
    let staying = all
        .iter()
        .filter(|addon| !addon.removing && !going.contains(&addon.order.id.environment.project));
    Ok(staying
        .filter_map(|addon| Some(driver(context, &addon.order)?.ports(&addon.order)))
        .flatten()
        .collect())
}

/// Takes all add-ons of a project away that is being deleted. Their rows go with the project's: a deletion that is
/// interrupted finds them again.
pub(crate) async fn remove_all(context: &Context, project: &ProjectName) -> Result<(), Failure> {
    let all = context.parts.store.addons()?;
    for addon in all
        .iter()
        .filter(|addon| addon.order.id.environment.project == *project)
    {
        let id = &addon.order.id;
        let lock = context.lock_of_addon(id);
        let _held = lock.lock().await;
        if let Some(driver) = driver(context, &addon.order) {
            driver.remove(id).await?;
        }
    }
    Ok(())
}

/// Gives an add-on a new credential: accepted beside the old one at once, told to programs by a restart of what is live,
/// alone accepted once they run. Returns when the restart is queued; one that is under way goes on.
pub(crate) async fn rotate(
    context: &Arc<Context>,
    lanes: &LaneSet,
    id: &AddonId,
    by: &str,
) -> Result<Addon, Failure> {
    let settings = context.parts.store.addon(id)?.order.settings;
    if settings.outside {
        return Err(outside::not_rotated(id));
    }
    let driver = provided(context, "rotate", id, &settings)?;
    let lock = context.lock_of_addon(id);
    let _held = lock.lock().await;
    context.parts.store.begin_rotation(id, by)?;
    rotation::step(context, lanes, driver, id).await?;
    context.parts.store.addon(id)
}

/// What programs are told of an add-on, for a caller who may see it. It is told first: nothing is shown in secret.
pub(crate) fn reveal(context: &Context, id: &AddonId, by: &str) -> Result<Variables, Failure> {
    let order = context.parts.store.addon(id)?.order;
    let driver = provided(context, "show", id, &order.settings)?;
    let variables = driver.variables(&order);
    let what = What::VariablesRevealed {
        names: variables.keys().map(ToString::to_string).collect(),
        by: by.to_owned(),
    };
    context.parts.store.record(Some(&id.environment), what)?;
    Ok(variables)
}

/// The program with which people work on an add-on.
pub(crate) fn console(context: &Context, id: &AddonId, arguments: &[String]) -> Result<Console, Failure> {
    let addon = context.parts.store.addon(id)?;
    let driver = provided(context, "open a console of", id, &addon.order.settings)?;
    driver
        .console(&addon.order, arguments)
        .ok_or_else(|| match addon.order.settings.outside {
            true => outside::without_console(id),
            false => Failure::new(
                Kind::Conflict,
                format!(
                    "cannot open a console of {id}: there is none for {}",
                    id.kind.title()
                ),
            ),
        })
}
