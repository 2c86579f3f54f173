//! Add-ons that somebody else keeps, used by their address. HostKit makes nothing there and takes nothing away: it tells
//! programs the address, looks whether it works, and forgets it.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;
use hostkit_core::addon::{AddonId, AddonKind, AddonOrder, AddonSettings, Credential};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::project::EnvironmentId;
use hostkit_core::secret::Secret;
use hostkit_store::Addon;

use super::{provided, rotation};
use crate::context::Context;
use crate::lanes::LaneSet;

/// Where things are that somebody else keeps, by kind.
pub type OutsideAddresses = BTreeMap<AddonKind, Secret>;

/// Tries addresses that nothing uses so far, all of them at once. Of those that do not work the first is told.
pub(crate) async fn try_outside(
    context: &Context,
    environment: &EnvironmentId,
    addresses: &OutsideAddresses,
) -> Result<(), Failure> {
    let tries = addresses.iter().map(|(kind, address)| async move {
        let id = AddonId::new(environment.clone(), *kind);
        let settings = AddonSettings {
            outside: true,
            ..AddonSettings::default()
        };
        let driver = provided(context, "add", &id, &settings)?;
        let lock = context.lock_of_addon(&id);
        let _held = lock.lock().await;
        let order = AddonOrder {
            id,
            credentials: vec![Credential {
                number: 1,
                secret: address.clone(),
            }],
            // Nothing is made there that HostKit would need it for.
            operator: Secret::new(""),
            port: None,
            settings,
            made: false,
        };
        driver.ensure(&order).await
    });
    // Each to its end: a trial may have something to take back.
    let tried = join_all(tries).await.into_iter().collect::<Result<(), _>>();
    tried.map_err(|failure| {
        let note = "addresses are tried first: nothing was made".to_owned();
        let details = [failure.details.clone(), vec![note]].concat();
        failure.details(details)
    })
}

/// Gives an add-on another address: it is tried first, told to programs by a restart of what is live, and the one before
/// is forgotten once they run with it.
pub(super) async fn change(
    context: &Arc<Context>,
    lanes: &LaneSet,
    id: &AddonId,
    address: &Secret,
    by: &str,
) -> Result<Addon, Failure> {
    let refused = |why: &str| {
        Failure::new(
            Kind::Conflict,
            format!("cannot change the address of {id}: {why}"),
        )
    };
    let store = &context.parts.store;
    let lock = context.lock_of_addon(id);
    let _held = lock.lock().await;
    let addon = store.addon(id)?;
    if !addon.order.settings.outside {
        return Err(refused("it is kept here, and has none that can be chosen"));
    }
    if addon.removing {
        return Err(refused("it is being removed"));
    }
    let [only] = &addon.order.credentials[..] else {
        let failure = refused("the one that was given last is not told to all programs yet");
        return Err(failure.hint("`hostkit deploy` or `hostkit restart` tells it, then try again"));
    };
    let driver = provided(context, "change", id, &addon.order.settings)?;
    let mut wanted = addon.order.clone();
    wanted.credentials = vec![Credential {
        number: only.number + 1,
        secret: address.clone(),
    }];
    driver.ensure(&wanted).await?;
    store.begin_rotation_to(id, address, by)?;
    rotation::step(context, lanes, driver, id).await?;
    store.addon(id)
}

/// An add-on is to be one that somebody else keeps, and nobody says where.
pub(super) fn without_address(id: &AddonId) -> Failure {
    let message = format!("cannot add {id}: it is to be one elsewhere, and no address is named");
    Failure::new(Kind::Invalid, message).hint(format!(
        "`hostkit addon add {} {} --outside -` takes it from stdin",
        id.environment.project, id.kind
    ))
}

/// Nothing of it can be set here.
pub(super) fn not_set(id: &AddonId) -> Failure {
    let message = format!(
        "cannot set {id}: one that is kept elsewhere is set there, and one that is kept here stays so"
    );
    Failure::new(Kind::Conflict, message)
}

/// HostKit gives no credentials there.
pub(super) fn not_rotated(id: &AddonId) -> Failure {
    let message = format!("cannot rotate {id}: it is kept elsewhere, where credentials are given");
    let (project, kind) = (&id.environment.project, id.kind);
    Failure::new(Kind::Conflict, message).hint(format!(
        "make a new one there, then `hostkit addon rotate {project} {kind} --outside -` with the new address"
    ))
}

/// Its address is none that a program for people takes.
pub(super) fn without_console(id: &AddonId) -> Failure {
    let (project, kind) = (&id.environment.project, id.kind);
    match kind {
        AddonKind::Redis => {
            let message = format!(
                "cannot open a console of {id}: its address is for REST alone, which `redis-cli` does not speak"
            );
            Failure::new(Kind::Conflict, message).hint(format!(
                "give the other address as well, `REDIS_URL=rediss://…` beside the lines for REST: `hostkit addon rotate {project} {kind} --outside -`"
            ))
        }
        AddonKind::Postgres | AddonKind::Storage => {
            let message = format!("cannot open a console of {id}: there is none for what its address names");
            Failure::new(Kind::Conflict, message)
        }
    }
}
