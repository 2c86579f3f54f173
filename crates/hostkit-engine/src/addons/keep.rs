//! The loop that keeps add-ons as they were ordered: after a reboot, after somebody stopped one, after an interruption.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures_util::StreamExt;
use futures_util::stream;
use hostkit_core::addon::{AddonId, AddonOrder};
use hostkit_core::event::What;
use hostkit_core::kind::{Failure, Kind};
use hostkit_store::Addon;
use tokio::time::Instant;

use super::{driver, rotation, take_away};
use crate::context::{Context, locked};
use crate::lanes::LaneSet;

/// So many are looked at together: one that does not start holds up no other.
const AT_ONCE: usize = 8;

/// What is wrong with which add-on, as it was told last.
type Trouble = Mutex<BTreeMap<AddonId, String>>;

pub(crate) async fn run(context: Arc<Context>, lanes: LaneSet) {
    let trouble = Trouble::default();
    let settings = &context.parts.settings;
    loop {
        let begun = Instant::now();
        round(&context, &lanes, &trouble).await;
        // Rotations wait for deployments, which are told of nowhere.
        while begun.elapsed() < settings.reconcile_all_every {
            tokio::time::sleep(settings.reconcile_every).await;
            if let Err(error) = rotate(&context, &lanes).await {
                tracing::warn!(%error, "cannot go on with a rotation");
            }
        }
    }
}

async fn round(context: &Context, lanes: &LaneSet, trouble: &Trouble) {
    let all = match context.parts.store.addons() {
        Ok(all) => all,
        Err(error) => return tracing::warn!(%error, "cannot read what add-ons there are"),
    };
    let known = &look(context, &all).await;
    let looks = all.iter().map(|addon| async move {
        let id = &addon.order.id;
        let outcome = match known.get(id) {
            Some(outcome) => outcome.clone(),
            None => settle(context, lanes, id).await,
        };
        tell(context, trouble, id, outcome);
    });
    stream::iter(looks)
        .for_each_concurrent(AT_ONCE, |look| look)
        .await;
}

/// What one look at all add-ons of a kind tells of each; nothing of those that must be looked at by themselves.
async fn look(context: &Context, all: &[Addon]) -> BTreeMap<AddonId, Result<(), Failure>> {
    let mut known = BTreeMap::new();
    for driver in &context.parts.addons {
        let is_plain = |addon: &&Addon| {
            let order = &addon.order;
            let is_its = (order.id.kind, order.settings.outside) == (driver.kind(), driver.is_outside());
            is_its && order.made && !addon.removing && order.credentials.len() == 1
        };
        let orders: Vec<&AddonOrder> = all.iter().filter(is_plain).map(|addon| &addon.order).collect();
        if orders.is_empty() {
            continue;
        }
        match driver.settled(&orders).await {
            Ok(settled) => known.extend(settled.into_iter().map(|id| (id, Ok(())))),
            Err(failure) => known.extend(
                orders
                    .iter()
                    .map(|order| (order.id.clone(), Err(failure.clone()))),
            ),
        }
    }
    known
}

/// Makes an add-on what it should be, unless its project is on its way out.
async fn settle(context: &Context, lanes: &LaneSet, id: &AddonId) -> Result<(), Failure> {
    let lock = context.lock_of_addon(id);
    let _held = lock.lock().await;
    let Some(addon) = still_there(context, id)? else {
        return Ok(());
    };
    let Some(driver) = driver(context, &addon.order) else {
        return Ok(());
    };
    if addon.removing {
        return take_away(context, driver, id).await;
    }
    driver.ensure(&addon.order).await?;
    if !addon.order.made {
        context.parts.store.note_addon_made(id)?;
    }
    rotation::step(context, lanes, driver, id).await
}

/// The add-on as it is ordered now: read again under its lock.
fn still_there(context: &Context, id: &AddonId) -> Result<Option<Addon>, Failure> {
    let store = &context.parts.store;
    let found = store
        .project(&id.environment.project)
        .and_then(|project| Ok((!project.deleting).then_some(store.addon(id)?)));
    match found {
        Err(failure) if failure.kind == Kind::NotFound => Ok(None),
        found => found,
    }
}

/// Goes on with rotations alone.
async fn rotate(context: &Context, lanes: &LaneSet) -> Result<(), Failure> {
    let all = context.parts.store.addons()?;
    for addon in all.iter().filter(|addon| addon.order.credentials.len() > 1) {
        let id = &addon.order.id;
        let Some(driver) = driver(context, &addon.order) else {
            continue;
        };
        let lock = context.lock_of_addon(id);
        let _held = lock.lock().await;
        if still_there(context, id)?.is_some_and(|addon| !addon.removing) {
            rotation::step(context, lanes, driver, id).await?;
        }
    }
    Ok(())
}

/// The same trouble is told once, and its end.
fn tell(context: &Context, trouble: &Trouble, id: &AddonId, outcome: Result<(), Failure>) {
    // An event is all that is seen of it, so what to try is in it.
    let now = outcome.err().map(|failure| match failure.hint {
        Some(hint) => format!("{} (hint: {hint})", failure.message),
        None => failure.message,
    });
    let before = match &now {
        Some(why) => locked(trouble).insert(id.clone(), why.clone()),
        None => locked(trouble).remove(id),
    };
    let kind = id.kind;
    let what = match now {
        Some(reason) if before.as_ref() != Some(&reason) => What::AddonDown { kind, reason },
        None if before.is_some() => What::AddonBack { kind },
        _ => return,
    };
    if let Err(error) = context.parts.store.record(Some(&id.environment), what) {
        tracing::warn!(%error, "cannot record how an add-on is");
    }
}
