//! Whether canaries answer: told when one does not any more, and when it does again. Nothing is done about it, as the front
//! door gives its visitors the live release by itself.

use std::collections::HashMap;

use hostkit_core::deployment::DeploymentId;
use hostkit_core::event::What;
use hostkit_core::kind::Failure;
use hostkit_core::project::EnvironmentId;

use crate::context::{Context, locked};
use crate::{canary, health};

/// What is known of each canary.
#[derive(Default)]
pub(super) struct Canaries {
    /// By its generation whether it answers, if it was seen to do so since control started.
    known: HashMap<EnvironmentId, (DeploymentId, Option<bool>)>,
    has_looked: bool,
}

impl Canaries {
    /// Looks at all of them. One that was there when control started tells nothing until it is seen to answer: it may just
    /// not have been asked yet.
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
                .known
                .get(id)
                .filter(|(generation, _)| *generation == of.generation);
            let known = match known.map(|(_, before)| *before) {
                // Its deployment saw it answer, perhaps after `seen` was taken: what is so at the next look counts.
                None if self.has_looked => Some(true),
                None | Some(None) => answers.then_some(true),
                Some(Some(before)) => {
                    if before != answers {
                        let release = of.release.clone();
                        let what = What::Canary { release, answers };
                        context.parts.store.record(Some(id), what)?;
                    }
                    Some(answers)
                }
            };
            now.insert(id.clone(), (of.generation, known));
        }
        self.known = now;
        self.has_looked = true;
        Ok(())
    }
}
