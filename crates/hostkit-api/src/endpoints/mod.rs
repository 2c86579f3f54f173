//! THE table of endpoints. A row is a type that implements [`Call`]; its doc comment is the reference text. The
//! server must answer every [`Name`] (its router matches on it), and tests walk [`Name::ALL`].

use hostkit_core::access::Permission;
use hostkit_core::addon::AddonSettings;
use hostkit_core::backup::history::{HistorySettings, HistoryStanding};
use hostkit_core::backup::retention::Verdict;
use hostkit_core::backup::schedule::BackupSchedule;
use hostkit_core::backup::{Backup, BackupUpdate};
use hostkit_core::certificate::{CertificateName, CertificateStatus};
use hostkit_core::database::{
    Connection, Database, DatabaseId, DatabaseStats, Extension, Protection, Restored,
};
use hostkit_core::deployment::Deployment;
use hostkit_core::domain::{Domain, DomainReport};
use hostkit_core::event::Event;
use hostkit_core::log::LogLine;
use hostkit_core::names::{ProjectName, TokenName};
use hostkit_core::project::EnvironmentId;
use hostkit_core::route::Purged;
use hostkit_core::storage::{BucketPolicy, BucketReport};
use hostkit_core::traits::OperatorKey;
use hostkit_core::workload::Instance;
use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::addon::{Addon, AddonVariables, NewAddon, OutsideAddress, Rotated};
use crate::backup::{
    Adopted, BackupChange, BackupPlace, Backups, KitText, MomentRestoration, NewBackupTarget, OneBackup,
    OnePart, Pruning, Removal, Restoration, RestorationElsewhere,
};
use crate::cache::CachePurge;
use crate::caller::Caller;
use crate::certificate::{ImportedCertificate, NewCertificate};
use crate::database::{DatabaseClone, NewDatabase, NewExtension, NewProtection};
use crate::deployment::{DeploymentUpdate, Follow, Last, NewDeployment, Trigger};
use crate::domain::{AddedDomain, NewDomain};
use crate::endpoint::{
    Accepted, Bytes, Call, Created, Endpoint, Json, Large, Lines, Nothing, Socket, Text, Unbounded,
};
use crate::event::EventsQuery;
use crate::installation::{Finding, Health, Status};
use crate::log::LogsQuery;
use crate::operator_key::{AddedOperatorKey, NewOperatorKey, WhichOperatorKey};
use crate::project::{Deleted, Deletion, Environment, NewProject, Project, Provisioned};
use crate::release::Release;
use crate::source::{Plan, Source, Stored, Tree};
use crate::target::{Installation, OneAddon, OneDeployment, OneDomain, OneVariable};
use crate::token::{CreatedToken, NewToken, Token};
use crate::variable::{HistoryQuery, Variable, VariableChange, VariableChanges, VariableValue};
use crate::vault::RotatedKey;

/// Nothing stands behind the `?`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoQuery {}

macro_rules! endpoints {
    ($(
        $(#[doc = $doc:literal])+
        $name:ident: $method:ident $path:literal, may $permission:ident, on $target:ty,
            query $query:ty, takes $request:ty, gives $response:ty;
    )*) => {
        $(
            $(#[doc = $doc])+
            #[derive(Debug, Clone, Copy)]
            pub struct $name;

            impl Call for $name {
                type Target = $target;
                type Query = $query;
                type Request = $request;
                type Response = $response;
                const NAME: Name = Name::$name;
                const METHOD: Method = Method::$method;
                const PATH: &'static str = $path;
                const PERMISSION: Permission = Permission::$permission;
                const DOC: &'static str = concat!($($doc, "\n"),+);
            }
        )*

        /// Every endpoint by name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Name {
            $( $(#[doc = $doc])+ $name, )*
        }

        impl Name {
            /// Every endpoint, in the order of the table.
            pub const ALL: &'static [Name] = &[$(Name::$name),*];

            /// The name as text.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Name::$name => stringify!($name),)*
                }
            }

            /// The row of the table.
            pub fn endpoint(self) -> Endpoint {
                match self {
                    $(Name::$name => Endpoint::of::<$name>(),)*
                }
            }
        }
    };
}

endpoints! {
    /// How HostKit itself is.
    /// Answers 200 where every check is healthy, else 503, within 100 ms.
    GetHealth: GET "/api/health", may Public, on Installation,
        query NoQuery, takes Nothing, gives Json<Health>;
    /// This API as an OpenAPI 3.1 document.
    GetOpenApi: GET "/api/openapi.json", may Public, on Installation,
        query NoQuery, takes Nothing, gives Json<serde_json::Value>;
    /// Where this installation is and how long it has been running.
    GetStatus: GET "/api/status", may ReadInstallation, on Installation,
        query NoQuery, takes Nothing, gives Json<Status>;
    /// Looks for what is wrong, or soon will be.
    GetDoctor: GET "/api/doctor", may ReadInstallation, on Installation,
        query NoQuery, takes Nothing, gives Json<Vec<Finding>>;
    /// What the front door counts of requests, by project, environment, process and route, in the text format of
    /// Prometheus.
    GetMetrics: GET "/api/metrics", may ReadInstallation, on Installation,
        query NoQuery, takes Nothing, gives Text;
    /// What happened on the whole installation, oldest first.
    ListEvents: GET "/api/events", may ReadInstallation, on Installation,
        query EventsQuery, takes Nothing, gives Lines<Event>;

    /// Who calls: what HostKit knows of the token or account, and what it may do.
    GetCaller: GET "/api/caller", may KnowOneself, on Installation,
        query NoQuery, takes Nothing, gives Json<Caller>;

    /// Every token, without its text.
    ListTokens: GET "/api/tokens", may ManageInstallation, on Installation,
        query NoQuery, takes Nothing, gives Json<Vec<Token>>;
    /// Makes a token.
    /// The answer has its text, which is not stored and cannot be shown again.
    CreateToken: POST "/api/tokens", may ManageInstallation, on Installation,
        query NoQuery, takes Json<NewToken>, gives Created<CreatedToken>;
    /// Revokes a token, at once.
    DeleteToken: DELETE "/api/tokens/{token}", may ManageInstallation, on TokenName,
        query NoQuery, takes Nothing, gives Nothing;

    /// Makes a new master key, and encrypts every stored value with it.
    /// Everything goes on meanwhile. Refused (409) where systemd gives the key.
    RotateMasterKey: POST "/api/vault/rotate-key", may ManageInstallation, on Installation,
        query NoQuery, takes Nothing, gives Json<RotatedKey>;

    /// Certificates of the front door: for which names, from where, until when, and what is wrong with one.
    /// A token or account of one project is shown those for hosts of its environments. Refused (409) where the front
    /// door does not speak TLS.
    ListCertificates: GET "/api/certificates", may ReadCertificates, on Installation,
        query NoQuery, takes Nothing, gives Json<Vec<CertificateStatus>>;
    /// Takes a certificate with its key, which is shown at once and before any other for its names.
    /// Whoever is no administrator may do so where every name is a host of their environments (else 403, and nothing is
    /// taken). The key is in no answer of this API.
    ImportCertificate: POST "/api/certificates", may ManageCertificates, on Installation,
        query NoQuery, takes Json<NewCertificate>, gives Json<ImportedCertificate>;
    /// Takes away a certificate that was imported, for one name of it.
    RemoveCertificate: DELETE "/api/certificates/{certificate}", may ManageCertificates, on CertificateName,
        query NoQuery, takes Nothing, gives Nothing;
    /// Orders the certificate of a name now, whatever it waits for.
    /// The answer comes at once; the list shows how it went.
    RenewCertificate: POST "/api/certificates/{certificate}/renew", may ManageCertificates, on CertificateName,
        query NoQuery, takes Nothing, gives Nothing;

    /// Every backup, by project and environment, newest first; also those of projects that are gone.
    ListAllBackups: GET "/api/backups", may ReadInstallation, on Installation,
        query NoQuery, takes Nothing, gives Json<Vec<Backup>>;
    /// Where the backups of this installation are kept.
    GetBackupTarget: GET "/api/backups/target", may ReadInstallation, on Installation,
        query NoQuery, takes Nothing, gives Json<BackupPlace>;
    /// Names the place where backups are kept from now on.
    /// It is made ready and looked into first. Those at the place before stay there.
    SetBackupTarget: PUT "/api/backups/target", may ManageInstallation, on Installation,
        query NoQuery, takes Json<NewBackupTarget>, gives Json<BackupPlace>;
    /// Whether every change of databases is kept, and to which moments they can be brought back by that.
    GetHistory: GET "/api/backups/history", may ReadInstallation, on Installation,
        query NoQuery, takes Nothing, gives Json<HistoryStanding>;
    /// Chooses whether every change of databases is kept, and for how many days.
    /// Where the database server has to be started anew for that (`needs_start`), it is, and this lasts until it answers.
    SetHistory: PUT "/api/backups/history", may ManageInstallation, on Installation,
        query NoQuery, takes Json<HistorySettings>, gives Json<HistoryStanding>;
    /// The recovery kit: the key of the backups, and where they are with what is needed to get there.
    /// Refused (409) once somebody has confirmed to have it.
    ShowRecoveryKit: POST "/api/backups/kit", may ManageInstallation, on Installation,
        query NoQuery, takes Nothing, gives Text;
    /// Shows that somebody has the recovery kit. Until then no backup calls itself safe.
    ConfirmRecoveryKit: POST "/api/backups/kit/confirm", may ManageInstallation, on Installation,
        query NoQuery, takes Json<KitText>, gives Nothing;
    /// Takes over the backups that a recovery kit is for: of another machine, or of this one before it was lost.
    /// Refused (409) where there are backups under another key.
    AdoptRecoveryKit: POST "/api/backups/kit/adopt", may ManageInstallation, on Installation,
        query NoQuery, takes Json<KitText>, gives Json<Adopted>;
    /// Restores a backup into another environment, or a project that is gone; what is missing is made.
    /// With a moment: no backup, but the databases as they were then.
    RestoreBackupElsewhere: POST "/api/backups/restore", may ManageInstallation, on Installation,
        query RestorationElsewhere, takes Nothing, gives Lines<BackupUpdate>;

    /// Every project with its environments.
    ListProjects: GET "/api/projects", may ReadInstallation, on Installation,
        query NoQuery, takes Nothing, gives Json<Vec<Project>>;
    /// Creates a project.
    CreateProject: POST "/api/projects", may ManageInstallation, on Installation,
        query NoQuery, takes Json<NewProject>, gives Created<Project>;
    /// Creates a project, or mends what one that is there needs on the machine.
    /// Doing it again changes nothing.
    ProvisionProject: POST "/api/provisions", may ManageInstallation, on Installation,
        query NoQuery, takes Json<NewProject>, gives Json<Provisioned>;
    /// A project with its environments.
    GetProject: GET "/api/projects/{project}", may ReadProject, on ProjectName,
        query NoQuery, takes Nothing, gives Json<Project>;
    /// Deletes a project with all its releases, variables, logs and files.
    /// A last backup of its add-ons and variables is made first, and on a server a last archive of its home; where one of
    /// them cannot be made nothing is deleted.
    DeleteProject: DELETE "/api/projects/{project}", may DeleteProject, on ProjectName,
        query Deletion, takes Nothing, gives Json<Deleted>;

    /// The keys that may log in as the project's account.
    /// Refused in local mode, where projects have no accounts.
    ListOperatorKeys: GET "/api/projects/{project}/keys", may ReadProject, on ProjectName,
        query NoQuery, takes Nothing, gives Json<Vec<OperatorKey>>;
    /// Lets a key log in as the project's account.
    /// A key that is in already stays as it is.
    AddOperatorKey: POST "/api/projects/{project}/keys", may ManageAccess, on ProjectName,
        query NoQuery, takes Json<NewOperatorKey>, gives Json<AddedOperatorKey>;
    /// Takes a key away, named by its fingerprint, its comment or its own line.
    /// Nobody logs in with it any more; sessions that are open stay.
    RemoveOperatorKey: POST "/api/projects/{project}/keys/remove", may ManageAccess, on ProjectName,
        query NoQuery, takes Json<WhichOperatorKey>, gives Json<OperatorKey>;

    /// Says which contents of a source tree have still to be sent.
    /// Where none is missing the tree is frozen at once and the answer names it.
    PlanSource: POST "/api/projects/{project}/sources/plan", may DeployProject, on ProjectName,
        query NoQuery, takes Large<Tree>, gives Json<Plan>;
    /// Stores contents: a tar archive, plain or zstd, of regular files named by the BLAKE3 hash of what is in them.
    /// Contents stored before a failure stay; sending them again is harmless.
    PutContents: PUT "/api/projects/{project}/blobs", may DeployProject, on ProjectName,
        query NoQuery, takes Bytes, gives Json<Stored>;
    /// Freezes a source tree of which every content is stored.
    CommitSource: POST "/api/projects/{project}/sources", may DeployProject, on ProjectName,
        query NoQuery, takes Large<Tree>, gives Created<Source>;
    /// Freezes a source tree from an archive: tar, tar.gz or tar.zst.
    /// For machines without the command line: `curl --data-binary @app.tar.gz`.
    UploadArchive: POST "/api/projects/{project}/archives", may DeployProject, on ProjectName,
        query NoQuery, takes Bytes, gives Created<Source>;

    /// The environments of a project.
    ListEnvironments: GET "/api/projects/{project}/environments", may ReadProject, on ProjectName,
        query NoQuery, takes Nothing, gives Json<Vec<Environment>>;
    /// An environment: where it answers, what is live.
    GetEnvironment: GET "/api/projects/{project}/environments/{environment}", may ReadProject, on EnvironmentId,
        query NoQuery, takes Nothing, gives Json<Environment>;

    /// Goes through the production checklist of an environment.
    /// Its findings say of secrets whether they are good, and so more than who may not read them should know.
    GetEnvironmentDoctor: GET "/api/projects/{project}/environments/{environment}/doctor", may ManageSecrets,
        on EnvironmentId,
        query NoQuery, takes Nothing, gives Json<Vec<Finding>>;

    /// Takes answers of an environment out of the front door's cache.
    /// The next request for each goes to the application. A deploy does it by itself. Doing it twice is harmless.
    PurgeCache: POST "/api/projects/{project}/environments/{environment}/cache/purge", may DeployProject,
        on EnvironmentId,
        query NoQuery, takes Json<CachePurge>, gives Json<Purged>;

    /// Asks for a deployment: deploy, apply, rollback, restart, scale, stop or start.
    /// The answer comes at once; follow the deployment's log to see it through.
    CreateDeployment: POST "/api/projects/{project}/environments/{environment}/deployments", may DeployProject,
        on EnvironmentId,
        query Trigger, takes Json<NewDeployment>, gives Accepted<Deployment>;
    /// The last deployments of an environment, newest first.
    ListDeployments: GET "/api/projects/{project}/environments/{environment}/deployments", may ReadProject,
        on EnvironmentId,
        query Last, takes Nothing, gives Json<Vec<Deployment>>;
    /// A deployment with its steps.
    GetDeployment: GET "/api/projects/{project}/deployments/{deployment}", may ReadProject, on OneDeployment,
        query NoQuery, takes Nothing, gives Json<Deployment>;
    /// Cancels a deployment: one that waits is taken out of the queue, one that runs is undone.
    /// From the moment it switches on it cannot be cancelled (409): a rollback takes it back. The answer comes at once;
    /// follow the deployment's log to see it undone. Doing it twice is harmless.
    CancelDeployment: POST "/api/projects/{project}/deployments/{deployment}/cancel", may DeployProject,
        on OneDeployment,
        query NoQuery, takes Nothing, gives Accepted<Deployment>;
    /// The log of a deployment, its lines and changes of state in order.
    /// With `follow` it goes on until the deployment is over; the last line is the deployment as it ended.
    GetDeploymentLog: GET "/api/projects/{project}/deployments/{deployment}/log", may ReadProject, on OneDeployment,
        query Follow, takes Nothing, gives Lines<DeploymentUpdate>;

    /// The releases that are kept, newest first.
    ListReleases: GET "/api/projects/{project}/environments/{environment}/releases", may ReadProject,
        on EnvironmentId,
        query NoQuery, takes Nothing, gives Json<Vec<Release>>;
    /// The instances that run.
    ListInstances: GET "/api/projects/{project}/environments/{environment}/instances", may ReadProject,
        on EnvironmentId,
        query NoQuery, takes Nothing, gives Json<Vec<Instance>>;
    /// What the programs printed, oldest first.
    GetLogs: GET "/api/projects/{project}/environments/{environment}/logs", may ReadProject, on EnvironmentId,
        query LogsQuery, takes Nothing, gives Lines<LogLine>;
    /// What happened in an environment, oldest first.
    ListEnvironmentEvents: GET "/api/projects/{project}/environments/{environment}/events", may ReadProject,
        on EnvironmentId,
        query EventsQuery, takes Nothing, gives Lines<Event>;

    /// The domains of an environment, and where each comes from.
    ListDomains: GET "/api/projects/{project}/environments/{environment}/domains", may ReadProject, on EnvironmentId,
        query NoQuery, takes Nothing, gives Json<Vec<Domain>>;
    /// Lets an environment answer a domain, at once and without a deploy.
    /// One that it has already stays as it is; one that somebody else has is refused (409). Whether the DNS leads here
    /// does not matter: ask for a check.
    AddDomain: POST "/api/projects/{project}/environments/{environment}/domains", may DeployProject, on EnvironmentId,
        query NoQuery, takes Json<NewDomain>, gives Json<AddedDomain>;
    /// Takes a domain away that was added: nothing answers it any more.
    RemoveDomain: DELETE "/api/projects/{project}/environments/{environment}/domains/{domain}", may DeployProject,
        on OneDomain,
        query NoQuery, takes Nothing, gives Nothing;
    /// Checks whether a domain of an environment leads here, and says what to set in the DNS.
    /// Asks the DNS, and every address of the name for a proof that it is this front door; takes up to ten seconds.
    CheckDomain: GET "/api/projects/{project}/environments/{environment}/domains/{domain}/check", may ReadProject,
        on OneDomain,
        query NoQuery, takes Nothing, gives Json<DomainReport>;

    /// The add-ons of an environment, with how each is.
    ListAddons: GET "/api/projects/{project}/environments/{environment}/addons", may ReadProject, on EnvironmentId,
        query NoQuery, takes Nothing, gives Json<Vec<Addon>>;
    /// Adds an add-on to an environment and answers when it is ready.
    /// One that it has already is refused (409), and so is one whose variables are set by hand. Programs that run are
    /// told of it when they are started anew. The address of one that somebody else keeps is tried first, and where it
    /// cannot be used nothing is added.
    AddAddon: POST "/api/projects/{project}/environments/{environment}/addons", may ManageSecrets, on EnvironmentId,
        query NoQuery, takes Json<NewAddon>, gives Json<Addon>;
    /// Gives an add-on other settings, and answers when it has them.
    /// Some of them need a new start of its server. Where it cannot have them it keeps those it had.
    ChangeAddon: PUT "/api/projects/{project}/environments/{environment}/addons/{addon}", may ManageSecrets, on OneAddon,
        query NoQuery, takes Json<AddonSettings>, gives Json<Addon>;
    /// Takes an add-on away, with all of its data.
    /// They are backed up first, where that is not declined; where they cannot be, nothing is taken away. Programs that run
    /// still have its variables until they are started anew.
    RemoveAddon: DELETE "/api/projects/{project}/environments/{environment}/addons/{addon}", may DeleteProject,
        on OneAddon,
        query Removal, takes Nothing, gives Nothing;
    /// Gives an add-on a new credential and restarts what is live with it; then the old one is refused.
    /// Answers once the restart is queued. A rotation that is under way goes on.
    RotateAddon: POST "/api/projects/{project}/environments/{environment}/addons/{addon}/rotate", may ManageSecrets,
        on OneAddon,
        query NoQuery, takes Nothing, gives Json<Rotated>;
    /// Gives an add-on that somebody else keeps another address and restarts what is live with it.
    /// It is tried first: one that does not work changes nothing. Answers once the restart is queued.
    MoveAddon: POST "/api/projects/{project}/environments/{environment}/addons/{addon}/outside", may ManageSecrets,
        on OneAddon,
        query NoQuery, takes Json<OutsideAddress>, gives Json<Rotated>;
    /// What programs are told of an add-on: variables with their values.
    RevealAddon: POST "/api/projects/{project}/environments/{environment}/addons/{addon}/reveal", may ManageSecrets,
        on OneAddon,
        query NoQuery, takes Nothing, gives Json<AddonVariables>;

    /// The databases of an environment's PostgreSQL, with their sizes and connections.
    ListDatabases: GET "/api/projects/{project}/environments/{environment}/databases", may ReadProject, on EnvironmentId,
        query NoQuery, takes Nothing, gives Json<Vec<Database>>;
    /// Makes a further database, reached with the credentials of the one that is there.
    CreateDatabase: POST "/api/projects/{project}/environments/{environment}/databases", may ManageSecrets, on EnvironmentId,
        query NoQuery, takes Json<NewDatabase>, gives Created<Database>;
    /// Takes a further database away, with all that is in it.
    /// The environment is backed up first, where that is not declined; where it cannot be, nothing is taken away.
    /// The one that is there from the start goes with the add-on (409).
    DropDatabase: DELETE "/api/projects/{project}/environments/{environment}/databases/{database}", may DeleteProject, on DatabaseId,
        query Removal, takes Nothing, gives Nothing;
    /// What of a database is large, what nobody uses, what is slow.
    /// No table is read for it, and no values are in it.
    GetDatabaseStats: GET "/api/projects/{project}/environments/{environment}/databases/{database}/stats", may ReadProject, on DatabaseId,
        query NoQuery, takes Nothing, gives Json<DatabaseStats>;
    /// Who is connected to a database and what they ask, those at work first.
    /// Values are in what they ask.
    ListConnections: GET "/api/projects/{project}/environments/{environment}/databases/{database}/connections", may ManageSecrets, on DatabaseId,
        query NoQuery, takes Nothing, gives Json<Vec<Connection>>;
    /// Extensions that a database has, and those that it may have.
    ListExtensions: GET "/api/projects/{project}/environments/{environment}/databases/{database}/extensions", may ReadProject, on DatabaseId,
        query NoQuery, takes Nothing, gives Json<Vec<Extension>>;
    /// Makes it so that a database has an extension.
    /// One that would give the project more rights than it has is refused (403).
    CreateExtension: POST "/api/projects/{project}/environments/{environment}/databases/{database}/extensions", may ManageSecrets, on DatabaseId,
        query NoQuery, takes Json<NewExtension>, gives Nothing;
    /// Keeps the tenants in a table apart by row-level security, and tries whether they are.
    /// Nothing of the try stays. With `only_try` nothing is changed at all.
    ProtectTable: POST "/api/projects/{project}/environments/{environment}/databases/{database}/protect", may ManageSecrets, on DatabaseId,
        query NoQuery, takes Json<NewProtection>, gives Json<Protection>;
    /// A database as it is at this moment, in the custom format of pg_dump.
    /// An answer that breaks off is not the whole; an event says why.
    DumpDatabase: GET "/api/projects/{project}/environments/{environment}/databases/{database}/dump", may ManageSecrets, on DatabaseId,
        query NoQuery, takes Nothing, gives Unbounded;
    /// Restores a dump in the custom format of pg_dump into a new database, which then takes the place of this one.
    /// Until all of it is restored nothing of the old one is touched. It is run with the rights of the project. The
    /// environment is backed up before, where that is not declined.
    RestoreDatabase: POST "/api/projects/{project}/environments/{environment}/databases/{database}/restore", may ManageSecrets, on DatabaseId,
        query Removal, takes Unbounded, gives Json<Restored>;
    /// Puts a copy of another database of the project into the place of this one, which is made where it is not there.
    /// One that is there is backed up first, where that is not declined.
    CloneDatabase: POST "/api/projects/{project}/environments/{environment}/databases/{database}/clone", may ManageSecrets, on DatabaseId,
        query Removal, takes Json<DatabaseClone>, gives Json<Restored>;
    /// The backups of an environment, when they are made and where they are kept.
    ListBackups: GET "/api/projects/{project}/environments/{environment}/backups", may ReadProject, on EnvironmentId,
        query NoQuery, takes Nothing, gives Json<Backups>;
    /// Makes a backup, reads it back and restores it for trial.
    /// Says what is done as it is done; the last line is the outcome. It goes on when nobody reads.
    CreateBackup: POST "/api/projects/{project}/environments/{environment}/backups", may DeployProject,
        on EnvironmentId,
        query NoQuery, takes Nothing, gives Lines<BackupUpdate>;
    /// Says which backups of an environment stay, why, and which go; and removes those that go.
    PruneBackups: POST "/api/projects/{project}/environments/{environment}/backups/prune", may DeleteProject,
        on EnvironmentId,
        query Pruning, takes Nothing, gives Json<Verdict>;
    /// A backup with its parts, and what was counted in each.
    GetBackup: GET "/api/projects/{project}/environments/{environment}/backups/{backup}", may ReadProject,
        on OneBackup,
        query NoQuery, takes Nothing, gives Json<Backup>;
    /// Keeps a backup whatever the rules say, or lets go of it.
    ChangeBackup: PATCH "/api/projects/{project}/environments/{environment}/backups/{backup}", may DeleteProject,
        on OneBackup,
        query NoQuery, takes Json<BackupChange>, gives Json<Backup>;
    /// Reads a backup back as it is now, and restores it for trial.
    VerifyBackup: POST "/api/projects/{project}/environments/{environment}/backups/{backup}/verify",
        may DeployProject, on OneBackup,
        query NoQuery, takes Nothing, gives Lines<BackupUpdate>;
    /// Restores a backup in the place of what is there.
    /// All of it is read first; a damaged one is refused, and so is everything until all of it was brought in beside what
    /// is there. What is there is backed up first, where that is not declined.
    RestoreBackup: POST "/api/projects/{project}/environments/{environment}/backups/{backup}/restore",
        may DeleteProject, on OneBackup,
        query Restoration, takes Nothing, gives Lines<BackupUpdate>;
    /// Brings the databases of an environment back to a moment.
    /// What is there is backed up first, where that is not declined, and stays until all is brought in beside it. Nothing else
    /// of the environment changes. A moment that cannot be had is refused with those that can.
    RestoreMoment: POST "/api/projects/{project}/environments/{environment}/restore",
        may DeleteProject, on EnvironmentId,
        query MomentRestoration, takes Nothing, gives Lines<BackupUpdate>;
    /// What is in a part of a backup, decrypted: a dump, an RDB, a tar, JSON.
    /// An answer that breaks off is not the whole.
    DownloadBackup: GET "/api/projects/{project}/environments/{environment}/backups/{backup}/parts/{part}",
        may ManageSecrets, on OnePart,
        query NoQuery, takes Nothing, gives Unbounded;
    /// Chooses when an environment is backed up, and which backups stay.
    SetBackupSchedule: PUT "/api/projects/{project}/environments/{environment}/backup-schedule", may DeleteProject,
        on EnvironmentId,
        query NoQuery, takes Json<BackupSchedule>, gives Json<BackupSchedule>;
    /// What the bucket of an environment holds, and what is so in it.
    GetBucket: GET "/api/projects/{project}/environments/{environment}/storage", may ReadProject, on EnvironmentId,
        query NoQuery, takes Nothing, gives Json<BucketReport>;
    /// Sets what is so in the bucket of an environment: its quota, what is public in it, CORS, life-cycle.
    /// All of it at once: what the body leaves out is so no more. In force when it answers.
    SetBucketPolicy: PUT "/api/projects/{project}/environments/{environment}/storage/policy", may ManageSecrets,
        on EnvironmentId,
        query NoQuery, takes Large<BucketPolicy>, gives Json<BucketReport>;

    /// The names of the variables that are set.
    ListVariables: GET "/api/projects/{project}/environments/{environment}/variables", may ReadProject,
        on EnvironmentId,
        query NoQuery, takes Nothing, gives Json<Vec<Variable>>;
    /// Sets and removes variables, all of them or none.
    /// They count from the next deployment on; ask for `apply` to bring them live.
    ChangeVariables: PATCH "/api/projects/{project}/environments/{environment}/variables", may ManageSecrets,
        on EnvironmentId,
        query NoQuery, takes Large<VariableChanges>, gives Nothing;
    /// The newest 1,000 changes of variables, newest first: which, when and by whom; never what they were set to.
    ListVariableChanges: GET "/api/projects/{project}/environments/{environment}/variable-changes", may ReadProject,
        on EnvironmentId,
        query HistoryQuery, takes Nothing, gives Json<Vec<VariableChange>>;
    /// The value of one variable.
    GetVariable: GET "/api/projects/{project}/environments/{environment}/variables/{variable}", may ManageSecrets,
        on OneVariable,
        query NoQuery, takes Nothing, gives Json<VariableValue>;
    /// All variables with their values, as the text of an `.env` file.
    ExportVariables: POST "/api/projects/{project}/environments/{environment}/variables/export", may ManageSecrets,
        on EnvironmentId,
        query NoQuery, takes Nothing, gives Text;

    /// Runs a one-off command in the folder and with the variables of the live release, over a WebSocket.
    /// The first message is text, `{"arguments": ["…"], "terminal": [rows, columns], "release": "…"}` (only
    /// `arguments` is needed). With `"console": "redis"` it is the console of that add-on, and `arguments` is what follows
    /// its name, if anything. All others are binary and begin with the channel: sent are 0 (input; empty: its end)
    /// and 1 (terminal size: rows and columns, two bytes each, high byte first); answered are 1 (output), 2 (error
    /// output) and last 3 (exit code: four bytes, high byte first) or 4 (an error, as JSON).
    RunCommand: GET "/api/projects/{project}/environments/{environment}/run", may DeployProject, on EnvironmentId,
        query NoQuery, takes Nothing, gives Socket;
}

#[cfg(test)]
mod tests;
