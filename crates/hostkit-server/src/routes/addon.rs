//! Add-ons. Values of their variables leave through [`reveal`], nowhere else.

use hostkit_api::addon::{Addon, AddonVariables, NewAddon, OutsideAddress, Rotated, Rotation};
use hostkit_api::endpoints::{
    AddAddon, ChangeAddon, ListAddons, MoveAddon, RemoveAddon, RevealAddon, RotateAddon,
};
use hostkit_core::addon::{AddonId, AddonSettings};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::secret::Secret;
use hostkit_engine::AddonReport;

use crate::auth::Admitted;

fn shown(report: AddonReport) -> Addon {
    let AddonReport {
        addon,
        state,
        variables,
    } = report;
    let is_rotating = addon.order.credentials.len() > 1;
    Addon {
        kind: addon.order.id.kind,
        state,
        removing: addon.removing,
        settings: addon.order.settings,
        port: addon.order.port,
        variables,
        created_at: addon.created_at,
        credential_since: addon.credential_since,
        rotation: is_rotating.then_some(Rotation {
            deployment: addon.rotation,
        }),
    }
}

pub(crate) async fn list(call: Admitted<ListAddons>, (): ()) -> Result<Vec<Addon>, Failure> {
    let reports = call.shared().engine.addons(call.target()).await?;
    Ok(reports.into_iter().map(shown).collect())
}

pub(crate) async fn add(call: Admitted<AddAddon>, new: NewAddon) -> Result<Addon, Failure> {
    let id = AddonId::new(call.target().clone(), new.kind);
    let engine = &call.shared().engine;
    let report = match new.outside {
        None => engine.add_addon(&id, &new.settings, call.by()).await?,
        Some(_) if new.settings != AddonSettings::default() => {
            let why = "cannot set anything of an add-on that somebody else keeps: it is set there";
            return Err(Failure::new(Kind::Invalid, why));
        }
        Some(outside) => {
            let address = Secret::new(outside.address);
            engine.add_outside_addon(&id, &address, call.by()).await?
        }
    };
    tracing::info!(by = call.by(), addon = %id, "Added");
    Ok(shown(report))
}

pub(crate) async fn change(call: Admitted<ChangeAddon>, settings: AddonSettings) -> Result<Addon, Failure> {
    let id = &call.target().0;
    let report = call
        .shared()
        .engine
        .change_addon(id, &settings, call.by())
        .await?;
    tracing::info!(by = call.by(), addon = %id, "Changed");
    Ok(shown(report))
}

pub(crate) async fn remove(call: Admitted<RemoveAddon>, (): ()) -> Result<(), Failure> {
    let id = &call.target().0;
    call.shared()
        .engine
        .remove_addon(id, call.query().is_backed_up())
        .await?;
    tracing::info!(by = call.by(), addon = %id, "Removed");
    Ok(())
}

pub(crate) async fn rotate(call: Admitted<RotateAddon>, (): ()) -> Result<Rotated, Failure> {
    let id = &call.target().0;
    let addon = call.shared().engine.rotate_addon(id, call.by()).await?;
    tracing::info!(by = call.by(), addon = %id, "Rotating");
    Ok(Rotated {
        finished: addon.order.credentials.len() == 1,
        deployment: addon.rotation,
    })
}

pub(crate) async fn move_to(call: Admitted<MoveAddon>, to: OutsideAddress) -> Result<Rotated, Failure> {
    let id = &call.target().0;
    let (engine, address) = (&call.shared().engine, Secret::new(to.address));
    let addon = engine.move_outside_addon(id, &address, call.by()).await?;
    tracing::info!(by = call.by(), addon = %id, "Moved");
    Ok(Rotated {
        finished: addon.order.credentials.len() == 1,
        deployment: addon.rotation,
    })
}

pub(crate) async fn reveal(call: Admitted<RevealAddon>, (): ()) -> Result<AddonVariables, Failure> {
    let id = &call.target().0;
    let variables = call.shared().engine.reveal_addon(id, call.by())?;
    tracing::info!(by = call.by(), addon = %id, "Revealed");
    let plain = variables.into_iter();
    Ok(AddonVariables {
        variables: plain
            .map(|(name, value)| (name, value.reveal().to_owned()))
            .collect(),
    })
}
