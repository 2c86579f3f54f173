//! Whether the variables of an environment are as a manifest wants them; those that it wants made up are.

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::manifest::{FILE_NAME, Manifest};
use hostkit_core::plan::variables::{missing, refused};

use crate::addons;
use crate::run::Run;

/// Refuses before it makes anything up: a deployment that is not begun changes nothing.
pub(super) fn check(run: &Run, manifest: &Manifest) -> Result<(), Failure> {
    let id = &run.deployment.environment;
    let store = &run.context.parts.store;
    let user = addons::with(&run.context, id, store.variables(id)?)?;
    let missing = missing(manifest, &user);
    if let Some(first) = missing.first() {
        let names: Vec<String> = missing.iter().map(|name| format!("`{name}`")).collect();
        let which = match missing.len() {
            1 => "variable",
            _ => "variables",
        };
        let message = format!(
            "cannot deploy to `{id}`: the required {which} {} has no value",
            names.join(", ")
        );
        return Err(
            Failure::new(Kind::Invalid, message).hint(format!("set it with `hostkit env set {first}=VALUE`"))
        );
    }
    let check = |user| match refused(manifest, user) {
        refused if refused.is_empty() => Ok(()),
        refused => {
            let message = format!("cannot deploy to `{id}`: variables are not as they must be");
            Err(Failure::new(Kind::Invalid, message).details(refused).hint(
                "set others with `hostkit env set NAME=VALUE`, or change `[variables]` of hostkit.toml",
            ))
        }
    };
    check(&user)?;
    let wanted = manifest
        .generate
        .iter()
        .filter(|(name, _)| !user.contains_key(*name));
    let wanted = wanted.map(|(name, recipe)| (name.clone(), *recipe)).collect();
    let made = store.make_up_variables(id, &wanted, FILE_NAME)?;
    if made.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = made.iter().map(|name| format!("`{name}`")).collect();
    run.journal
        .say(&format!("made up a value for {}", names.join(", ")));
    check(&addons::with(&run.context, id, store.variables(id)?)?)
}
