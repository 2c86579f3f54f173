//! One lane per environment: its deployments never overlap. The queue is in the state, the lane is a task of this
//! process: it dies with it, and the next start takes the deployments up.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use hostkit_core::deployment::{Act, Deployment, DeploymentState, StepName, StepRecord, StepState};
use hostkit_core::kind::Failure;
use hostkit_core::names::ProjectName;
use hostkit_core::project::EnvironmentId;
use hostkit_store::Outcome;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;

use crate::cancel::cancelled;
use crate::context::{Context, locked};
use crate::reconcile;
use crate::run::Run;
use crate::saga::{self, Ended};

#[derive(Default)]
struct Lanes {
    running: HashMap<EnvironmentId, JoinHandle<()>>,
    closed: bool,
}

/// All lanes that have something to do.
#[derive(Clone)]
pub(crate) struct LaneSet {
    context: Arc<Context>,
    lanes: Arc<Mutex<Lanes>>,
}

impl LaneSet {
    pub(crate) fn new(context: Arc<Context>) -> Self {
        LaneSet {
            context,
            lanes: Arc::default(),
        }
    }

    /// Takes up what a former process left.
    pub(crate) fn take_up(&self) -> Result<(), Failure> {
        let mut interrupted = HashMap::new();
        let mut waiting = Vec::new();
        for deployment in self.context.parts.store.unfinished_deployments()? {
            self.context.feeds.open(deployment.id);
            match deployment.state {
                DeploymentState::Running => {
                    interrupted.insert(deployment.environment.clone(), deployment);
                }
                _ => waiting.push(deployment.environment),
            }
        }
        for (environment, deployment) in interrupted {
            self.begin(&environment, Some(deployment));
        }
        waiting.iter().for_each(|environment| self.wake(environment));
        Ok(())
    }

    /// Makes sure that what is queued for an environment is run.
    pub(crate) fn wake(&self, environment: &EnvironmentId) {
        self.begin(environment, None);
    }

    fn begin(&self, environment: &EnvironmentId, interrupted: Option<Deployment>) {
        let mut lanes = locked(&self.lanes);
        if lanes.closed || lanes.running.contains_key(environment) {
            return;
        }
        let (lane, id) = (self.clone(), environment.clone());
        let task = tokio::spawn(async move { lane.work(&id, interrupted).await });
        lanes.running.insert(environment.clone(), task);
    }

    async fn work(&self, environment: &EnvironmentId, interrupted: Option<Deployment>) {
        let lock = self.context.lock_of(environment);
        if let Some(deployment) = interrupted {
            let id = deployment.id;
            let slot = match is_building(&deployment) {
                true => tokio::select! {
                    slot = self.slot() => slot,
                    _ = cancelled(&self.context, id) => None,
                },
                false => None,
            };
            let _held = lock.lock().await;
            // It may have been cancelled while it waited.
            let deployment = self.context.parts.store.deployment(id).unwrap_or(deployment);
            if self.run(deployment, slot).await == Ended::Halted {
                return;
            }
        }
        loop {
            match self.next(environment).await {
                Ok(Some((deployment, slot))) => {
                    let _held = lock.lock().await;
                    if self.run(deployment, slot).await == Ended::Halted {
                        return;
                    }
                }
                Ok(None) if self.is_over(environment) => return,
                Ok(None) => {}
                Err(error) => {
                    tracing::error!(%environment, %error, "cannot read the queue of a lane");
                    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                }
            }
        }
    }

    /// Leaves the lane if nothing waits. Asked under the lock that `wake` takes: nobody is forgotten in between.
    fn is_over(&self, environment: &EnvironmentId) -> bool {
        let mut lanes = locked(&self.lanes);
        let waits = self
            .context
            .parts
            .store
            .next_queued(environment)
            .is_ok_and(|next| next.is_some());
        if !waits {
            lanes.running.remove(environment);
        }
        !waits
    }

    /// The next deployment to run, marked as running. A build waits for its slot while it is still queued, so that a
    /// newer one can take its place.
    async fn next(
        &self,
        environment: &EnvironmentId,
    ) -> Result<Option<(Deployment, Option<OwnedSemaphorePermit>)>, Failure> {
        let store = &self.context.parts.store;
        let Some(first) = store.next_queued(environment)? else {
            return Ok(None);
        };
        let mut slot = None;
        if matches!(first.act, Act::Deploy { .. }) {
            slot = self.slot().await;
        }
        let Some(next) = store.next_queued(environment)? else {
            return Ok(None);
        };
        let same_sort = matches!(next.act, Act::Deploy { .. }) == slot.is_some();
        if !same_sort || !store.begin_deployment(next.id)? {
            return Ok(None);
        }
        Ok(Some((store.deployment(next.id)?, slot)))
    }

    async fn slot(&self) -> Option<OwnedSemaphorePermit> {
        self.context.slots.clone().acquire_owned().await.ok()
    }

    async fn run(&self, deployment: Deployment, slot: Option<OwnedSemaphorePermit>) -> Ended {
        let (id, environment) = (deployment.id, deployment.environment.clone());
        let ended = match Run::load(&self.context, deployment) {
            Ok(mut run) => {
                run.slot = slot;
                saga::run(run).await
            }
            Err(failure) => {
                let outcome = Outcome {
                    state: DeploymentState::Failed,
                    message: format!("deployment {id} failed: {failure}"),
                    failure: Some(failure),
                    probe: None,
                };
                if let Err(error) = self.context.parts.store.finish_deployment(id, &outcome) {
                    tracing::error!(deployment = id, %error, "cannot record the end of a deployment");
                }
                Ended::Finished
            }
        };
        if ended == Ended::Finished {
            reconcile::garbage::after_deployment(&self.context, &environment, id).await;
            self.context.wake.notify_one();
        }
        ended
    }

    /// Ends the lanes of a project wherever they are: everything of it is removed afterwards.
    pub(crate) async fn abort_project(&self, project: &ProjectName) {
        let tasks: Vec<JoinHandle<()>> = {
            let mut lanes = locked(&self.lanes);
            let ids: Vec<EnvironmentId> = lanes
                .running
                .keys()
                .filter(|id| id.project == *project)
                .cloned()
                .collect();
            ids.iter().filter_map(|id| lanes.running.remove(id)).collect()
        };
        end(tasks).await;
    }

    /// Ends all lanes wherever they are; what they did not finish is taken up at the next start.
    pub(crate) async fn close(&self) {
        let tasks: Vec<JoinHandle<()>> = {
            let mut lanes = locked(&self.lanes);
            lanes.closed = true;
            lanes.running.drain().map(|(_, task)| task).collect()
        };
        end(tasks).await;
    }
}

/// Whether an interrupted deployment has its build before it.
fn is_building(deployment: &Deployment) -> bool {
    let built = |step: &StepRecord| step.name == StepName::Build && step.state == StepState::Done;
    matches!(deployment.act, Act::Deploy { .. }) && !deployment.steps.iter().any(built)
}

async fn end(tasks: Vec<JoinHandle<()>>) {
    for task in &tasks {
        task.abort();
    }
    for task in tasks {
        // An aborted task ends with an error; that it ended is all that matters.
        drop(task.await);
    }
}
