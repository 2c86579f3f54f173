//! Whether canaries answer: told when one does not any more, and when it does again. Nothing is done about it, as the front
//! door gives its visitors the live release by itself.

use std::collections::HashMap;

use hostkit_core::deployment::DeploymentId;
use hostkit_core::event::What;
use hostkit_core::kind::Failure;
use hostkit_core::project::EnvironmentId;

use crate::context::{Context, locked};
use crate::{canary, health};

/// What is known of each canary, by its generation: whether it answers.
#[derive(Default)]
pub(super) struct Canaries(HashMap<EnvironmentId, (DeploymentId, bool)>);

impl Canaries {
    /// Looks at all of them. One that was never seen to answer since control started tells nothing: it may just not have
    /// been asked yet.
    pub(super) fn tell(&mut self, context: &Context) -> Result<(), Failure> {
        let seen = locked(&context.seen).clone();
        let ejected = health::ejected(context);
        let mut now = HashMap::new();
        for environment in context.parts.store.environments()? {
            let id = &environment.id;
            let Some(of) = environment.canary.as_ref().filter(|_| !environment.stopped) else {
                continue;
            };
            let answers = canary::is_fit(context, &environment, &seen, &ejected);
            let known = self
                .0
                .get(id)
                .filter(|(generation, _)| *generation == of.generation);
            match known.map(|(_, before)| *before) {
                None if !answers => continue,
                Some(before) if before != answers => {
                    let release = of.release.clone();
                    let what = What::Canary { release, answers };
                    context.parts.store.record(Some(id), what)?;
                }
                _ => {}
            }
            now.insert(id.clone(), (of.generation, answers));
        }
        self.0 = now;
        Ok(())
    }
}
