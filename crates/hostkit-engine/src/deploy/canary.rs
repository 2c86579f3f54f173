//! What acts on a canary make of how an environment stands, and what they are refused for. Pure.

use hostkit_core::canary::Percent;
use hostkit_core::deployment::Act;
use hostkit_core::doctor::options;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::ReleaseName;
use hostkit_core::project::EnvironmentId;
use hostkit_store::{Canary, Live, Standing};

fn refused(message: String, hint: impl Into<String>) -> Failure {
    Failure::new(Kind::Conflict, message).hint(hint)
}

/// Refuses a canary where there is nothing beside which it could be.
pub(super) fn check_possible(id: &EnvironmentId, before: &Standing) -> Result<(), Failure> {
    if before.live.is_none() {
        let message =
            format!("cannot deploy a canary to `{id}`: no release is live beside which it could be");
        return Err(refused(message, "deploy first without `--canary`"));
    }
    check_runs(id, before, "deploy a canary to")
}

fn check_runs(id: &EnvironmentId, before: &Standing, verb: &str) -> Result<(), Failure> {
    match before.stopped {
        true => Err(refused(
            format!("cannot {verb} `{id}`: it is stopped"),
            format!("start it with `hostkit start {}`", options(id)),
        )),
        false => Ok(()),
    }
}

/// Refuses what would replace the live release while a canary is beside it.
pub(super) fn check_none(id: &EnvironmentId, before: &Standing) -> Result<(), Failure> {
    let Some(Canary { release, percent, .. }) = &before.canary else {
        return Ok(());
    };
    let message = format!(
        "cannot replace the live release of `{id}`: release {release} is its canary, which {percent} of the visitors get"
    );
    let options = options(id);
    Err(refused(
        message,
        format!(
            "decide on it first: `hostkit promote {options}` makes it the live one, `hostkit rollback {options}` ends it; \
             `hostkit deploy --canary {} {options}` puts another one in its place",
            percent.get()
        ),
    ))
}

/// The canary of an environment, or a Conflict.
pub(super) fn of<'a>(id: &EnvironmentId, before: &'a Standing, verb: &str) -> Result<&'a Canary, Failure> {
    before.canary.as_ref().ok_or_else(|| {
        refused(
            format!("cannot {verb} the canary of `{id}`: it has none"),
            format!("deploy one with `hostkit deploy --canary 10 {}`", options(id)),
        )
    })
}

/// The canary with another share, or as the live release. Its instances stay: they are known by their generation.
pub(super) fn promoted(
    id: &EnvironmentId,
    before: &Standing,
    percent: Option<Percent>,
) -> Result<Standing, Failure> {
    let canary = of(id, before, "promote")?.clone();
    check_runs(id, before, "promote the canary of")?;
    let before = before.clone();
    Ok(match percent {
        Some(percent) => Standing {
            canary: Some(Canary { percent, ..canary }),
            ..before
        },
        None => Standing {
            previous: before.live.map(|live| live.release).or(before.previous),
            live: Some(Live {
                release: canary.release,
                generation: canary.generation,
            }),
            canary: None,
            ..before
        },
    })
}

/// The release an act is about, where that is the canary.
pub(super) fn concerned<'a>(
    act: &Act,
    before: &'a Standing,
    wanted: &'a Standing,
) -> Option<&'a ReleaseName> {
    let canary = match act {
        Act::Deploy { canary: Some(_), .. } | Act::Promote { percent: Some(_) } => wanted.canary.as_ref(),
        Act::Abandon => before.canary.as_ref(),
        _ => None,
    };
    canary.map(|canary| &canary.release)
}
