//! Event: what happened, for users. Never parsed by HostKit itself.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::addon::AddonKind;
use crate::certificate::CertificateName;
use crate::deployment::{DeploymentId, DeploymentState, StepName, StepState};
use crate::domain::DomainName;
use crate::names::{DatabaseLabel, EnvironmentName, ProcessName, ProjectName, ReleaseName};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Grows with every event.
    pub id: u64,
    /// When.
    pub at: Timestamp,
    /// Whose.
    pub project: Option<ProjectName>,
    /// Where.
    pub environment: Option<EnvironmentName>,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum What {
    /// HostKit's control process started.
    ControlStarted {
        /// Its version.
        version: String,
    },
    /// A project was created.
    ProjectCreated,
    /// What a project needs on the machine was not as it should be, and was mended.
    ProjectMended {
        /// What was done, in words.
        changes: Vec<String>,
    },
    /// A project was deleted.
    ProjectDeleted,
    /// A key was let in to the project's account, or taken away.
    OperatorKey {
        /// What it is known by.
        fingerprint: String,
        /// Whose it is, in the words of who made it.
        comment: String,
        /// Whether it was let in (else taken away).
        added: bool,
        /// The token or account that asked.
        by: String,
    },
    /// A host name was added to an environment.
    DomainAdded {
        /// The name.
        domain: DomainName,
        /// The token or account that asked.
        by: String,
    },
    /// A host name was taken away from an environment.
    DomainRemoved {
        /// The name.
        domain: DomainName,
        /// The token or account that asked.
        by: String,
    },
    /// A certificate was brought.
    CertificateImported {
        /// What it is for.
        name: CertificateName,
        /// The token or account that asked.
        by: String,
    },
    /// A certificate that was brought was taken away.
    CertificateRemoved {
        /// What it was for.
        name: CertificateName,
        /// The token or account that asked.
        by: String,
    },
    /// A deployment changed its state.
    Deployment {
        /// Which.
        deployment: DeploymentId,
        /// To what.
        state: DeploymentState,
        /// The release, once known.
        release: Option<ReleaseName>,
        /// A sentence for people.
        message: String,
    },
    /// A step of a deployment changed its state.
    Step {
        /// Which deployment.
        deployment: DeploymentId,
        /// Which step.
        step: StepName,
        /// To what.
        state: StepState,
        /// How long it took, once it ended.
        milliseconds: Option<u64>,
    },
    /// Secrets were found in the source of a deployment.
    SecretsFound {
        /// Which deployment.
        deployment: DeploymentId,
        /// How many.
        count: u64,
        /// Where and of which kind, such as `src/mail.ts:12 sendgrid-key`; the first ones.
        places: Vec<String>,
        /// Whether the deployment failed for it.
        stopped: bool,
    },
    /// Variables were changed (names only).
    VariablesChanged {
        /// Names set.
        set: Vec<String>,
        /// Names removed.
        unset: Vec<String>,
    },
    /// Values of variables were shown to somebody (names only).
    VariablesRevealed {
        /// Names of those that were shown.
        names: Vec<String>,
        /// The token that asked.
        by: String,
    },
    /// Secrets of an environment have been the same for long, and should be others.
    SecretsOld {
        /// Which: names of variables, and `credential of Redis`.
        names: Vec<String>,
    },
    /// The master key was replaced, and everything sealed with the new one.
    MasterKeyRotated {
        /// The token or account that asked.
        by: String,
        /// How many values that were.
        values: u64,
    },
    /// An add-on was ordered.
    AddonAdded {
        /// What it is.
        kind: AddonKind,
        /// The token or account that asked.
        by: String,
    },
    /// An add-on got other settings.
    AddonChanged {
        /// What it is.
        kind: AddonKind,
        /// The token or account that asked.
        by: String,
    },
    /// An add-on gets a new credential; the one before is still accepted.
    AddonRotation {
        /// What it is.
        kind: AddonKind,
        /// The token or account that asked.
        by: String,
    },
    /// The credential before the newest is not accepted any more.
    AddonRotated {
        /// What it is.
        kind: AddonKind,
    },
    /// An add-on was taken away, with its data.
    AddonRemoved {
        /// What it was.
        kind: AddonKind,
    },
    /// An add-on does not work.
    AddonDown {
        /// What it is.
        kind: AddonKind,
        /// Why.
        reason: String,
    },
    /// An add-on that did not work works again.
    AddonBack {
        /// What it is.
        kind: AddonKind,
    },
    /// A further database was made.
    DatabaseCreated {
        /// Which.
        database: DatabaseLabel,
        /// The token or account that asked.
        by: String,
    },
    /// A further database was taken away, with all that was in it.
    DatabaseDropped {
        /// Which.
        database: DatabaseLabel,
        /// The token or account that asked.
        by: String,
    },
    /// A copy of a database was asked for, and leaves.
    DatabaseDumped {
        /// Which.
        database: DatabaseLabel,
        /// The token or account that asked.
        by: String,
    },
    /// A copy of a database was not made to its end.
    DatabaseDumpFailed {
        /// Which.
        database: DatabaseLabel,
        /// Why.
        reason: String,
    },
    /// A copy took the place of a database.
    DatabaseReplaced {
        /// Which.
        database: DatabaseLabel,
        /// What it was replaced by, in words: `a dump`, `a clone of …`.
        with: String,
        /// The token or account that asked.
        by: String,
    },
    /// A backup was made and read back.
    BackupMade {
        /// Its number.
        number: u64,
        /// Whether it was restored for trial, too.
        proven: bool,
        /// Why it could not be tried, where it was not.
        reason: Option<String>,
    },
    /// A backup could not be made. What there was before is still there.
    BackupFailed {
        /// Its number.
        number: u64,
        /// Why.
        reason: String,
    },
    /// A backup cannot be restored.
    BackupDamaged {
        /// Its number.
        number: u64,
        /// Why.
        reason: String,
    },
    /// A backup was restored into this environment.
    BackupRestored {
        /// Whose it was and its number: `shop/production 12`.
        backup: String,
        /// The token or account that asked.
        by: String,
    },
    /// Databases of this environment were brought back to a moment.
    DatabasesRecovered {
        /// Whose they were: `shop/production`.
        from: String,
        /// The moment.
        moment: Timestamp,
        /// The token or account that asked.
        by: String,
    },
    /// It was chosen whether a history of the databases is kept, from which any moment can be brought back.
    HistoryChanged {
        /// Whether one is kept from now on.
        on: bool,
        /// How many days can be gone back.
        days: u32,
        /// The token or account that asked.
        by: String,
    },
    /// What databases write does not get to where backups are kept. It waits on the disk meanwhile.
    HistoryHeldUp {
        /// Why.
        reason: String,
    },
    /// What databases write gets to where backups are kept again.
    HistoryGoesOn,
    /// What databases wrote was thrown away, for it would have filled the disk: moments from then on cannot be brought
    /// back until there is a new base.
    HistoryGap {
        /// How many bytes that were.
        bytes: u64,
    },
    /// The recovery kit was shown to somebody, confirmed, or brought from elsewhere.
    RecoveryKit {
        /// What was done: `shown`, `confirmed`, `adopted`.
        done: String,
        /// The token or account that asked.
        by: String,
    },
    /// An instance ended by itself and is started again.
    InstanceCrashed {
        /// Its process.
        process: ProcessName,
        /// Which instance.
        instance: String,
        /// How it ended.
        exit: String,
        /// How often by now.
        restarts: u32,
    },
    /// An instance failed its liveness checks and is started again.
    InstanceUnhealthy {
        /// Its process.
        process: ProcessName,
        /// Which instance.
        instance: String,
        /// Why.
        reason: String,
    },
    /// The canary of an environment does not answer any more, so that its visitors get the live release, or does again.
    Canary {
        /// Its release.
        release: ReleaseName,
        /// Whether it answers.
        answers: bool,
    },
    /// The front door put an entry of its table aside.
    RoutePutAside {
        /// The route.
        route: String,
        /// Why.
        reason: String,
    },
    /// A token was made or revoked.
    Token {
        /// Its name.
        name: String,
        /// Whether it was made (else revoked).
        created: bool,
    },
}
