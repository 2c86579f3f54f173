//! What programs are told of add-ons. A binding is no part of a release: programs are told what is accepted when they are
//! started, so that a rollback to a release from before a rotation finds its database (docs/decisions/008-add-ons.md).
//! A name is either the user's or a binding's, never both: who sets the second is refused.

use std::collections::BTreeSet;
use std::sync::Arc;

use hostkit_core::addon::{AddonId, AddonOrder, Credential};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::VariableName;
use hostkit_core::project::EnvironmentId;
use hostkit_core::secret::Secret;
use hostkit_core::traits::Addon as Driver;
use hostkit_core::variables::Variables;
use hostkit_store::Addon;

use super::driver;
use crate::context::Context;

/// The add-ons that an environment has and keeps.
fn kept(context: &Context, id: &EnvironmentId) -> Result<Vec<Addon>, Failure> {
    let mut addons = context.parts.store.addons_of(id)?;
    addons.retain(|addon| !addon.removing);
    Ok(addons)
}

/// What the bindings of an environment give today.
pub(crate) fn bound(context: &Context, id: &EnvironmentId) -> Result<Variables, Failure> {
    let mut variables = Variables::new();
    for addon in kept(context, id)? {
        if let Some(driver) = driver(context, &addon.order) {
            variables.extend(driver.variables(&addon.order));
        }
    }
    Ok(variables)
}

/// Variables of the user's with what bindings give, which wins over what a release of an earlier time was frozen with.
pub(crate) fn with(context: &Context, id: &EnvironmentId, user: Variables) -> Result<Variables, Failure> {
    let mut variables = user;
    variables.extend(bound(context, id)?);
    Ok(variables)
}

/// The names that bindings give, by kind.
pub(crate) fn names(context: &Context, id: &EnvironmentId) -> Result<Vec<(AddonId, VariableName)>, Failure> {
    let mut names = Vec::new();
    for addon in kept(context, id)? {
        if let Some(driver) = driver(context, &addon.order) {
            let given = driver.variable_names().into_iter();
            names.extend(given.map(|name| (addon.order.id.clone(), name)));
        }
    }
    Ok(names)
}

/// All that must be shown nowhere: every credential that is accepted, and what bindings give or gave with it.
pub(crate) fn secrets(context: &Context, id: &EnvironmentId) -> Result<Vec<Secret>, Failure> {
    let mut secrets = Vec::new();
    for addon in context.parts.store.addons_of(id)? {
        let driver = driver(context, &addon.order);
        if addon.order.settings.outside {
            secrets.extend(driver.map_or_else(Vec::new, |driver| passwords(driver, &addon.order)));
            secrets.extend(addon.order.credentials.into_iter().map(|one| one.secret));
            continue;
        }
        for credential in &addon.order.credentials {
            // Programs that were started before a rotation were told of the older one.
            let told = |secret: &Secret| {
                let credential = Credential {
                    number: credential.number,
                    secret: secret.clone(),
                };
                let order = AddonOrder {
                    credentials: vec![credential],
                    ..addon.order.clone()
                };
                driver.map_or_else(Variables::new, |driver| driver.variables(&order))
            };
            // What is the same with any secret tells none: a bucket's name would hide every other word of a log.
            let plain = told(&Secret::new(""));
            let values = told(&credential.secret).into_iter();
            secrets.extend(
                values
                    .filter(|(name, value)| {
                        plain
                            .get(name)
                            .is_none_or(|other| other.reveal() != value.reveal())
                    })
                    .map(|(_, value)| value),
            );
            secrets.push(credential.secret.clone());
        }
        secrets.push(addon.order.operator);
    }
    Ok(secrets)
}

/// The passwords of what somebody else keeps, and every value they are in: of the rest nothing has to be hidden.
fn passwords(driver: &Arc<dyn Driver>, order: &AddonOrder) -> Vec<Secret> {
    let mut secrets = Vec::new();
    for credential in &order.credentials {
        let order = AddonOrder {
            credentials: vec![credential.clone()],
            ..order.clone()
        };
        let passwords = driver.passwords(&order);
        let told = driver.variables(&order).into_values();
        secrets.extend(told.filter(|value| {
            let mut hidden = passwords.iter();
            hidden.any(|password| value.reveal().contains(password.reveal()))
        }));
        secrets.extend(passwords);
    }
    secrets
}

/// Refuses variables of a user's that a binding gives.
pub(crate) fn refuse_bound(context: &Context, id: &EnvironmentId, set: &Variables) -> Result<(), Failure> {
    let bound = names(context, id)?;
    let Some((addon, name)) = bound.iter().find(|(_, name)| set.contains_key(name)) else {
        return Ok(());
    };
    let (kind, project) = (addon.kind, &id.project);
    let message = format!(
        "cannot set variable `{name}` of `{id}`: its {} gives it",
        kind.title()
    );
    Err(Failure::new(Kind::Conflict, message).hint(format!(
        "use another name, or take the add-on away with its data: `hostkit addon remove {project} {kind}`"
    )))
}

/// Refuses an add-on whose variables a user has set.
pub(super) fn refuse_taken(context: &Context, id: &AddonId, names: &[VariableName]) -> Result<(), Failure> {
    let set = match context.parts.store.variable_names(&id.environment) {
        // An environment that is made by its first add-on.
        Err(failure) if failure.kind == Kind::NotFound => return Ok(()),
        set => set?,
    };
    let set: BTreeSet<&VariableName> = set.iter().map(|info| &info.name).collect();
    let Some(name) = names.iter().find(|name| set.contains(name)) else {
        return Ok(());
    };
    let message = format!(
        "cannot add {} to `{}`: variable `{name}` is set by hand, and the add-on gives it",
        id.kind.title(),
        id.environment
    );
    Err(Failure::new(Kind::Conflict, message).hint(format!("take it away first: `hostkit env unset {name}`")))
}
