//! A deployment under way: what its steps hand on, saved after each.

use std::sync::Arc;

use hostkit_core::deployment::{Deployment, DeploymentId};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::manifest::Manifest;
use hostkit_core::names::ReleaseName;
use hostkit_core::release::Artifact;
use hostkit_core::variables::Variables;
use hostkit_store::Standing;
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::context::Context;
use crate::deploy::first_step;
use crate::journal::Journal;
use crate::parts::Procfile;
use crate::probing::Probe;

/// What steps hand on, saved after each.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Saved {
    /// The place in the list of the step to run next.
    pub(crate) next: usize,
    /// How the environment stood when the deployment began.
    pub(crate) before: Standing,
    /// How it shall stand.
    pub(crate) wanted: Option<Standing>,
    /// What the source says.
    pub(crate) manifest: Option<Manifest>,
    pub(crate) procfile: Option<Procfile>,
    pub(crate) artifact: Option<Artifact>,
    /// The release that is made or brought live.
    pub(crate) release: Option<ReleaseName>,
    /// Why it failed: from then on it is only undone, also after an interruption.
    #[serde(default)]
    pub(crate) failure: Option<Failure>,
    /// The deployment that goes back to the release before, once it is asked for.
    #[serde(default)]
    pub(crate) rollback: Option<DeploymentId>,
}

impl Saved {
    /// As it is stored.
    pub(crate) fn text(&self, id: DeploymentId) -> Result<String, Failure> {
        serde_json::to_string(self)
            .map_err(|e| Failure::new(Kind::Internal, format!("cannot save deployment {id}: {e}")))
    }
}

/// A deployment under way.
pub(crate) struct Run {
    pub(crate) context: Arc<Context>,
    pub(crate) deployment: Deployment,
    pub(crate) saved: Saved,
    pub(crate) journal: Journal,
    pub(crate) probe: Option<Probe>,
    /// When the step under way began.
    pub(crate) step_began: Instant,
    /// The build slot, held until the build is over.
    pub(crate) slot: Option<OwnedSemaphorePermit>,
}

impl Run {
    /// Takes up a running deployment: a fresh one, or one that was interrupted.
    pub(crate) fn load(context: &Arc<Context>, deployment: Deployment) -> Result<Self, Failure> {
        let saved = match context.parts.store.saga(deployment.id)? {
            Some(text) => serde_json::from_str(&text).map_err(|e| {
                Failure::new(
                    Kind::Internal,
                    format!("cannot take up deployment {}: {e}", deployment.id),
                )
            })?,
            None => Saved {
                next: first_step(&deployment.act),
                before: context
                    .parts
                    .store
                    .environment(&deployment.environment)?
                    .standing(),
                ..Saved::default()
            },
        };
        let journal = Journal::open(context, &deployment.environment, deployment.id);
        let run = Run {
            context: context.clone(),
            deployment,
            saved,
            journal,
            probe: None,
            step_began: Instant::now(),
            slot: None,
        };
        run.hide();
        Ok(run)
    }

    /// Hides the values of all releases that play a part, in everything that is logged.
    pub(crate) fn hide(&self) {
        self.hide_with(&Variables::new());
    }

    /// Hides these values as well.
    pub(crate) fn hide_with(&self, given: &Variables) {
        let before = self.saved.before.live.iter().map(|live| live.release.clone());
        let canary = self.saved.before.canary.iter();
        let before = before.chain(canary.map(|canary| canary.release.clone()));
        let releases: Vec<ReleaseName> = before.chain(self.saved.release.clone()).collect();
        self.journal.hide(&self.deployment.environment, &releases, given);
    }

    /// How long the step under way has taken so far.
    pub(crate) fn step_milliseconds(&self) -> Option<u64> {
        u64::try_from(self.step_began.elapsed().as_millis()).ok()
    }

    /// Saves the state in the middle of a step.
    pub(crate) fn save(&self) -> Result<(), Failure> {
        let text = self.saved_text()?;
        let release = self.saved.release.as_ref();
        self.context
            .parts
            .store
            .save_saga(self.deployment.id, &text, release)
    }

    /// How the environment shall stand; known from `freeze` on, or from the beginning where nothing is frozen.
    pub(crate) fn wanted(&self) -> Result<&Standing, Failure> {
        self.saved.wanted.as_ref().ok_or_else(|| {
            Failure::new(
                Kind::Internal,
                format!(
                    "cannot go on with deployment {}: its aim is not known",
                    self.deployment.id
                ),
            )
        })
    }

    pub(crate) fn saved_text(&self) -> Result<String, Failure> {
        self.saved.text(self.deployment.id)
    }
}
