//! Secrets that have been the same for long: found for `doctor`, and told of once a week.

use std::collections::BTreeMap;

use hostkit_core::doctor::{Aging, OldSecret, ROTATE_EVERY, old_secrets};
use hostkit_core::event::What;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::project::EnvironmentId;
use hostkit_core::release::Release;
use hostkit_store::Environment;
use jiff::{SignedDuration, Timestamp};

use crate::context::Context;

/// How often somebody is told of the same old secrets.
const TELL_EVERY: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The secrets of an environment that are old, by what its live release says is old.
pub(crate) fn old(
    context: &Context,
    id: &EnvironmentId,
    live: Option<&Release>,
) -> Result<Vec<OldSecret>, Failure> {
    let parts = &context.parts;
    let variables = parts.store.variable_names(id)?.into_iter();
    let variables = variables.map(|one| (Aging::Variable(one.name), one.updated_at));
    let addons = parts.store.addons_of(id)?.into_iter();
    let addons = addons.map(|addon| (Aging::Credential(addon.order.id.kind), addon.credential_since));
    let every = live.and_then(|release| release.manifest.rotate_every);
    let every = every.and_then(|span| SignedDuration::try_from(span.0).ok());
    Ok(old_secrets(
        variables.chain(addons),
        every.unwrap_or(ROTATE_EVERY),
        parts.clock.now(),
    ))
}

/// What was told when. A restart forgets it; the events know.
#[derive(Debug, Default)]
pub(crate) struct Reminders(BTreeMap<EnvironmentId, Timestamp>);

impl Reminders {
    /// Tells of what is old, of each environment at most once a week.
    pub(crate) fn tell(&mut self, context: &Context) {
        let told = context.parts.store.environments().and_then(|environments| {
            environments
                .iter()
                .try_for_each(|environment| self.tell_of(context, environment))
        });
        match told {
            // Deleted meanwhile; the others are looked at the next time.
            Err(failure) if failure.kind == Kind::NotFound => {}
            Err(error) => tracing::warn!(%error, "cannot look for old secrets"),
            Ok(()) => {}
        }
    }

    fn tell_of(&mut self, context: &Context, environment: &Environment) -> Result<(), Failure> {
        let (parts, id) = (&context.parts, &environment.id);
        let now = parts.clock.now();
        let is_recent = |told: &Timestamp| now.duration_since(*told) < TELL_EVERY;
        if self.0.get(id).is_some_and(is_recent) {
            return Ok(());
        }
        let live = match &environment.live {
            Some(live) => Some(context.release(id, &live.release)?),
            None => None,
        };
        let old = old(context, id, live.as_deref())?;
        if old.is_empty() {
            return Ok(());
        }
        if let Some(told) = parts.store.last_event_of(id, "secrets_old")?.filter(is_recent) {
            self.0.insert(id.clone(), told);
            return Ok(());
        }
        let names = old.iter().map(|one| one.secret.to_string()).collect();
        parts.store.record(Some(id), What::SecretsOld { names })?;
        self.0.insert(id.clone(), now);
        Ok(())
    }
}
