//! Verbs over time: deployments, and the loops that keep things as they should be. Sees the world only through the
//! traits of `hostkit-core`, and the state through `hostkit-store`.

mod addons;
mod aging;
mod backups;
mod canary;
mod cancel;
mod certificates;
mod context;
mod databases;
mod deletion;
mod deploy;
mod doctor;
mod domains;
mod events;
mod exposure;
pub mod faults;
mod feed;
pub mod health;
mod journal;
mod lanes;
mod looks;
mod master_key;
mod one_off;
mod operator_keys;
pub mod parts;
mod ports;
mod probing;
mod provisioning;
mod ready;
mod reconcile;
mod routing;
mod run;
mod saga;
mod variables;
mod wanted;

use std::pin::Pin;
use std::sync::{Arc, Mutex};

use futures_util::Stream;
use futures_util::future::try_join_all;
use hostkit_core::access::{Caller, Role};
use hostkit_core::certificate::{CertificateName, CertificateStatus};
use hostkit_core::deployment::{Act, Deployment, DeploymentId};
use hostkit_core::domain::{Domain, DomainName, DomainReport};
use hostkit_core::event::{Event, What};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::log::{LogLine, LogQuery};
use hostkit_core::names::{ProjectName, ReleaseName, VariableName};
use hostkit_core::project::EnvironmentId;
use hostkit_core::route::{Purge, Purged};
use hostkit_core::secret::Secret;
use hostkit_core::traits::{Archive, ExecStreams, LogLines, OperatorKey};
use hostkit_core::variables::Variables;
use hostkit_core::workload::{Instance, InstanceState, Scope, WorkloadId};
use hostkit_store::{EventQuery, Project, Store};
use tokio::task::JoinHandle;

use context::{Context, locked};
use lanes::LaneSet;

pub use addons::{AddonReport, OutsideAddresses};
pub use backups::history::{MomentOrder, settings_of as history_settings};
pub use backups::{BackupStanding, BackupUpdates, RestoreOrder};
pub use deletion::Keeps;
pub use faults::FaultPlan;
pub use health::{HealthCheck, HealthReport};
pub use hostkit_core::doctor::{Finding, Level};
pub use one_off::OneOffRequest;
pub use parts::{BackupParts, Parts, Procfile, ReadProcfile, Settings};
pub use provisioning::Provisioned;

/// What a follower of a deployment is told.
#[derive(Debug, Clone, PartialEq)]
pub enum DeploymentUpdate {
    /// A line of its log.
    Line(LogLine),
    /// It changed: its state, a step, its release.
    Changed(Box<Deployment>),
}

/// Updates as they come.
pub type DeploymentUpdates = Pin<Box<dyn Stream<Item = DeploymentUpdate> + Send>>;
/// Events as they come.
pub type Events = Pin<Box<dyn Stream<Item = Event> + Send>>;

/// The engine. One per data folder.
pub struct Engine {
    context: Arc<Context>,
    lanes: LaneSet,
    loops: Mutex<Vec<JoinHandle<()>>>,
}

impl Engine {
    /// Takes up what a former process left: finishes or undoes deployments, runs queued ones, starts the loops.
    /// Returns before they are done.
    pub async fn start(parts: Parts) -> Result<Arc<Engine>, Failure> {
        let context = Arc::new(Context::new(parts));
        // Weak: the store is part of the context, and must not keep it alive.
        let told = Arc::downgrade(&context);
        context.parts.store.listen(move |event| {
            if let Some(context) = told.upgrade() {
                context.feeds.take(event);
                // Without a follower there is nobody to tell, which is no error.
                drop(context.events.send(event.clone()));
            }
        });
        // What served before this process began goes on to serve; only what is started from now on has to prove itself.
        for instance in context.parts.runtime.observe(&Scope::default()).await? {
            if instance.state == InstanceState::Running {
                context.ready.mark(&instance);
            }
        }
        // Where that does not succeed nothing is started, and the loops go on trying.
        if let Err(error) = ports::bring_in_force(&context).await {
            tracing::warn!(%error, "cannot keep the ports of projects apart");
        }
        let version = context.parts.settings.version.clone();
        context
            .parts
            .store
            .record(None, What::ControlStarted { version })?;
        let lanes = LaneSet::new(context.clone());
        lanes.take_up()?;
        let mut loops = reconcile::start(&context);
        loops.push(tokio::spawn(deletion::take_up(context.clone(), lanes.clone())));
        loops.push(tokio::spawn(provisioning::take_up(context.clone())));
        loops.push(tokio::spawn(addons::keep::run(context.clone(), lanes.clone())));
        loops.extend(backups::start(&context));
        Ok(Arc::new(Engine {
            context,
            lanes,
            loops: Mutex::new(loops),
        }))
    }

    /// Ends all loops and deployments at their next pause; what was not finished is taken up at the next start.
    /// Instances keep running.
    pub async fn stop(&self) {
        self.lanes.close().await;
        let loops = std::mem::take(&mut *locked(&self.loops));
        for task in &loops {
            task.abort();
        }
        backups::stop(&self.context);
        for task in loops {
            drop(task.await);
        }
        self.context.repairs.lock().await.shutdown().await;
    }

    /// Stops every instance of every environment, by its own stop rule (`hostkit down`), and then the services of add-ons,
    /// which programs use until their last moment; they are started again at
    /// the next start. To be called after [`Engine::stop`].
    pub async fn stop_instances(&self) -> Result<(), Failure> {
        let runtime = &self.context.parts.runtime;
        let observed = runtime.observe(&Scope::default()).await?;
        let mut workloads: Vec<WorkloadId> = observed.into_iter().map(|i| i.id.workload).collect();
        workloads.sort();
        workloads.dedup();
        try_join_all(workloads.iter().map(|workload| runtime.remove(workload))).await?;
        let Some(services) = &self.context.parts.services else {
            return Ok(());
        };
        let all = services.list(None).await?;
        try_join_all(all.iter().map(|name| services.stop(name))).await?;
        Ok(())
    }

    /// The state, to read from.
    pub fn store(&self) -> &Store {
        &self.context.parts.store
    }

    /// Creates a project with its production environment and what it needs on the machine. A name that is taken is a
    /// Conflict. Where it cannot be made, nothing of it is left; interrupted, it is finished at the next start.
    pub async fn create_project(&self, name: &ProjectName) -> Result<Project, Failure> {
        provisioning::create(&self.context, name).await
    }

    /// The same with what somebody else keeps, which production has from the start. Every address is tried first: where one
    /// does not work nothing is made.
    pub async fn create_project_with(
        &self,
        name: &ProjectName,
        outside: &OutsideAddresses,
        by: &str,
    ) -> Result<Project, Failure> {
        provisioning::create_with(&self.context, name, outside, by).await
    }

    /// Creates a project like [`Engine::create_project_with`], or mends what one that is there needs on the machine and adds
    /// what somebody else keeps where production has none of its kind.
    pub async fn provision_project(
        &self,
        name: &ProjectName,
        outside: &OutsideAddresses,
        by: &str,
    ) -> Result<Provisioned, Failure> {
        provisioning::provision(&self.context, name, outside, by).await
    }

    /// Deletes a project with everything of it: deployments end, instances stop, files and rows go. First a last archive
    /// is made where there is a place for it, and answered; where that fails nothing is removed. Idempotent while it
    /// lasts; taken up again at the next start if interrupted. Returns when nothing is left.
    pub async fn delete_project(&self, name: &ProjectName) -> Result<Option<Archive>, Failure> {
        self.delete_project_keeping(name, Keeps::default()).await
    }

    /// Queues an act. The environment is made by a first `Deploy` to it. Refuses what cannot be done (an unknown
    /// project or release, a restart of nothing); a `Deploy` takes the place of older ones that still wait.
    pub async fn submit(
        &self,
        environment: &EnvironmentId,
        act: Act,
        trigger: &str,
    ) -> Result<Deployment, Failure> {
        let store = self.store();
        if let Act::Deploy { source, .. } = &act {
            store.project(&environment.project)?;
            let sources = &self.context.parts.sources;
            sources.list(&environment.project, source).await?;
            store.ensure_environment(environment)?;
        }
        let now = store.environment(environment)?.standing();
        // What is under way may make it possible; then it is asked again when its turn comes.
        if !self.is_busy(environment)? {
            deploy::aim(&self.context, environment, &act, &now, None)?;
        }
        let deployment = store.submit(environment, &act, trigger)?;
        self.lanes.wake(environment);
        Ok(deployment)
    }

    /// Cancels a deployment for somebody: one that waits is taken out of the queue, one that runs is undone. From the
    /// switch on it is a Conflict. Returns before it is undone; idempotent.
    pub fn cancel(&self, id: DeploymentId, by: &str) -> Result<Deployment, Failure> {
        cancel::cancel(&self.context, id, by)
    }

    fn is_busy(&self, environment: &EnvironmentId) -> Result<bool, Failure> {
        Ok(self
            .store()
            .unfinished_deployments()?
            .iter()
            .any(|d| d.environment == *environment))
    }

    /// What a rollback without a release means: the canary is ended where there is one, else the release before the live
    /// one is live again. Conflict where there is neither.
    pub fn way_back(&self, environment: &EnvironmentId) -> Result<Act, Failure> {
        match self.store().environment(environment)?.canary {
            Some(_) => Ok(Act::Abandon),
            None => Ok(Act::Rollback {
                to: self.previous_release(environment)?,
            }),
        }
    }

    /// The release that was live before the one that is. Conflict where there is none.
    pub fn previous_release(&self, environment: &EnvironmentId) -> Result<ReleaseName, Failure> {
        self.store().environment(environment)?.previous.ok_or_else(|| {
            let message =
                format!("cannot roll back `{environment}`: there is no release before the live one");
            Failure::new(Kind::Conflict, message).hint("see what there is with `hostkit releases`")
        })
    }

    /// The log and the changes of a deployment from its beginning; ends when it is final and all was told.
    pub async fn follow(&self, id: DeploymentId) -> Result<DeploymentUpdates, Failure> {
        feed::follow(self.context.clone(), id)
    }

    /// What [`Engine::follow`] would tell up to now; ends there.
    pub async fn told(&self, id: DeploymentId) -> Result<DeploymentUpdates, Failure> {
        feed::told(self.context.clone(), id)
    }

    /// Waits until a deployment is final.
    pub async fn wait(&self, id: DeploymentId) -> Result<Deployment, Failure> {
        feed::wait(&self.context, id).await
    }

    /// Takes answers of an environment out of the front door's cache: all, or those of a path.
    pub async fn purge(&self, environment: &EnvironmentId, path: Option<String>) -> Result<Purged, Failure> {
        self.store().environment(environment)?;
        let purge = Purge {
            environment: environment.clone(),
            path,
        };
        self.context.parts.traffic.purge(&purge).await
    }

    /// Running copies, as they are found now.
    pub async fn instances(&self, scope: &Scope) -> Result<Vec<Instance>, Failure> {
        self.context.parts.runtime.observe(scope).await
    }

    /// How open the machine is to the programs of a project: that of the most open one that runs. None where nothing
    /// runs or the system has no measure for it.
    pub async fn exposure(&self, project: &ProjectName) -> Result<Option<f64>, Failure> {
        exposure::of_project(&self.context, project).await
    }

    /// What programs of an environment printed; values of its variables are masked.
    pub async fn logs(&self, environment: &EnvironmentId, query: &LogQuery) -> Result<LogLines, Failure> {
        variables::masked_logs(&self.context, environment, query).await
    }

    /// Runs a one-off command with the folder and the variables of a release. Ends when the streams are dropped.
    pub async fn run(
        &self,
        environment: &EnvironmentId,
        request: OneOffRequest,
    ) -> Result<ExecStreams, Failure> {
        one_off::run(&self.context, environment, request).await
    }

    /// Sets and removes variables; they take effect with the next deployment or `Act::Apply`. Makes the environment
    /// where its project exists. All or nothing.
    pub async fn set_variables(
        &self,
        environment: &EnvironmentId,
        set: Variables,
        unset: &[VariableName],
        by: &str,
    ) -> Result<(), Failure> {
        variables::set(&self.context, environment, &set, unset, by)
    }

    /// The value of one variable, for a caller who may see it; an event says who asked.
    pub fn reveal_variable(
        &self,
        environment: &EnvironmentId,
        name: &VariableName,
        by: &str,
    ) -> Result<Secret, Failure> {
        variables::reveal(&self.context, environment, name, by)
    }

    /// All variables of an environment, for a caller who may see them; an event says who asked.
    pub fn export_variables(&self, environment: &EnvironmentId, by: &str) -> Result<Variables, Failure> {
        variables::export(&self.context, environment, by)
    }

    /// Every host name of an environment, with where it comes from.
    pub fn domains(&self, environment: &EnvironmentId) -> Result<Vec<Domain>, Failure> {
        domains::list(&self.context, environment)
    }

    /// Adds a domain to an environment, live at once, and says whether it is new. A name that is somebody else's is a
    /// Conflict.
    pub async fn add_domain(
        &self,
        environment: &EnvironmentId,
        domain: &str,
        by: &str,
    ) -> Result<(Domain, bool), Failure> {
        domains::add(&self.context, environment, domain, by).await
    }

    /// Takes a domain away that was added.
    pub async fn remove_domain(
        &self,
        environment: &EnvironmentId,
        domain: &DomainName,
        by: &str,
    ) -> Result<(), Failure> {
        domains::remove(&self.context, environment, domain, by).await
    }

    /// Whether a domain of an environment leads here, and what to set in the DNS where it does not.
    pub async fn check_domain(
        &self,
        environment: &EnvironmentId,
        domain: &DomainName,
    ) -> Result<DomainReport, Failure> {
        domains::check::check(&self.context, environment, domain).await
    }

    /// How certificates are: all of them, or those for hosts of the caller's project.
    pub async fn certificates(&self, caller: &Caller) -> Result<Vec<CertificateStatus>, Failure> {
        certificates::list(&self.context, caller).await
    }

    /// Takes a certificate with its key, both as PEM, shown at once; for which names. One that is for a host that is not
    /// the caller's is Denied.
    pub async fn import_certificate(
        &self,
        chain: String,
        key: Secret,
        caller: &Caller,
    ) -> Result<Vec<CertificateName>, Failure> {
        certificates::import(&self.context, chain, key, caller).await
    }

    /// Orders the certificate of a name now.
    pub async fn renew_certificate(&self, name: &CertificateName, caller: &Caller) -> Result<(), Failure> {
        certificates::renew(&self.context, name, caller).await
    }

    /// Forgets a certificate that was brought, for one name of it.
    pub async fn remove_certificate(&self, name: &CertificateName, caller: &Caller) -> Result<(), Failure> {
        certificates::remove(&self.context, name, caller).await
    }

    /// The keys that may log in as a project's account.
    pub async fn operator_keys(&self, project: &ProjectName) -> Result<Vec<OperatorKey>, Failure> {
        operator_keys::list(&self.context, project).await
    }

    /// Lets a key in, and says whether it is new.
    pub async fn add_operator_key(
        &self,
        project: &ProjectName,
        line: &str,
        by: &str,
    ) -> Result<(OperatorKey, bool), Failure> {
        operator_keys::add(&self.context, project, line, by).await
    }

    /// Takes a key away that is named by its fingerprint, its line or its comment.
    pub async fn remove_operator_key(
        &self,
        project: &ProjectName,
        which: &str,
        by: &str,
    ) -> Result<OperatorKey, Failure> {
        operator_keys::remove(&self.context, project, which, by).await
    }

    /// Makes a token; the result is its text, which is stored nowhere.
    pub fn create_token(
        &self,
        name: &str,
        role: Role,
        project: Option<&ProjectName>,
    ) -> Result<Secret, Failure> {
        self.store().create_token(name, role, project)
    }

    /// Makes a token in the place of the one of this name; the result is its text.
    pub fn replace_token(
        &self,
        name: &str,
        role: Role,
        project: Option<&ProjectName>,
    ) -> Result<Secret, Failure> {
        self.store().replace_token(name, role, project)
    }

    /// Revokes a token.
    pub fn revoke_token(&self, name: &str) -> Result<(), Failure> {
        self.store().revoke_token(name)
    }

    /// Events that happened, and, where asked, those that will. A follower that is too slow is shown what it missed
    /// from the state.
    pub fn events(&self, query: &EventQuery, follow: bool) -> Result<Events, Failure> {
        events::stream(&self.context, query, follow)
    }

    /// How HostKit is: database, front door, disk. Takes less than 100 ms, whatever is broken: of what does not answer
    /// in this time the last answer counts, for some seconds.
    pub async fn health(&self) -> HealthReport {
        health::report(&self.context).await
    }

    /// What the front door counts, in the text format of Prometheus.
    pub async fn metrics(&self) -> Result<String, Failure> {
        self.context.parts.traffic.metrics().await
    }
}
