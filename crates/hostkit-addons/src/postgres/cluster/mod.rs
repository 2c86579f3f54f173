//! A cluster that is HostKit's own, in the data folder: local mode. One serves all projects.

mod admission;
mod initialise;
mod own;
mod settings;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::manifest::{StopRule, StopSignal};
use hostkit_core::names::RelativePath;
use hostkit_core::project::EnvironmentId;
use hostkit_core::secret::Secret;
use hostkit_core::services::{Service, ServiceFile, ServiceName, ServiceRole, WhenChanged};
use hostkit_core::size::Span;
use hostkit_core::traits::Services;
use hostkit_core::variables::Variables;
use hostkit_core::workload::InstanceState;
use jiff::Timestamp;

pub(crate) use admission::{COPIERS, SUPERUSER, TENANTS, of_ours as rules_of_ours};
pub(crate) use own::{own_role, prepare_own_database};
pub(crate) use settings::LIBRARY;
pub use settings::{Archiving, ClusterSettings};

use super::archiving::{Recovery, spool_of};
use super::databases::OWN_DATABASE;
use super::programs::Programs;
use super::session::{Access, Place, Session};

/// How long a start may take: after a crash the log is read from the last checkpoint on.
const LONGEST_START: Duration = Duration::from_secs(120);
/// How long it may end again and again: what was killed before may still be on its way out.
pub(super) const LONGEST_CRASHING: Duration = Duration::from_secs(20);
/// How often it is tried to connect meanwhile.
const PAUSE: Duration = Duration::from_millis(50);
/// So many lines of its output are shown where it does not start.
const SHOWN_LINES: usize = 8;
/// In so many of them it is looked for why a moment was not reached: each try to connect leaves one.
const READ_LINES: usize = 400;

/// A private cluster, described. Nothing of it need be there yet.
#[derive(Debug, Clone)]
pub struct Cluster {
    settings: ClusterSettings,
    superuser: Secret,
    /// For whom it was brought to which moment; none for the one that is in use.
    scratch: Option<(EnvironmentId, Timestamp)>,
}

impl Cluster {
    /// Describes a cluster. `superuser` is the password that HostKit itself logs in with: the same at every call.
    pub fn new(settings: ClusterSettings, superuser: Secret) -> Self {
        Cluster {
            settings,
            superuser,
            scratch: None,
        }
    }

    /// The same with other use of its log.
    pub(crate) fn with(&self, archiving: Archiving) -> Self {
        let mut other = self.clone();
        other.settings.archiving = archiving;
        other
    }

    /// One that a base backup of this one is brought to a moment in.
    pub(crate) fn scratch(&self, recovery: &Recovery) -> Self {
        Cluster {
            settings: ClusterSettings {
                port: recovery.port,
                archiving: Archiving::Off,
                ..self.settings.clone()
            },
            superuser: self.superuser.clone(),
            scratch: Some((recovery.environment.clone(), recovery.to)),
        }
    }

    /// The name of the program that runs it.
    pub fn name() -> ServiceName {
        ServiceName {
            environment: None,
            role: ServiceRole::Postgres,
        }
    }

    /// The name of the program that runs one that was brought to a moment for an environment.
    pub(crate) fn scratch_name(environment: &EnvironmentId) -> ServiceName {
        ServiceName {
            environment: Some(environment.clone()),
            role: ServiceRole::Postgres,
        }
    }

    /// The name of the program that runs this one.
    pub(crate) fn service_name(&self) -> ServiceName {
        match &self.scratch {
            Some((environment, _)) => Self::scratch_name(environment),
            None => Self::name(),
        }
    }

    /// Where the data of this one lie.
    pub(crate) fn own_data(&self, services: &dyn Services) -> PathBuf {
        services.place(&self.service_name()).data.join(initialise::FOLDER)
    }

    /// Where the data of the one in use lie.
    pub(crate) fn data(services: &dyn Services) -> PathBuf {
        services.place(&Self::name()).data.join(initialise::FOLDER)
    }

    /// The folder in which its full pieces of the log are filed away.
    pub fn spool(services: &dyn Services) -> PathBuf {
        spool_of(&services.place(&Self::name()).data)
    }

    /// How HostKit gets in.
    pub fn access(&self, services: &dyn Services) -> Access {
        let data = services.place(&self.service_name()).data;
        Access {
            place: settings::socket_folder(&data, self.settings.port).map_or(Place::Loopback, Place::Socket),
            port: self.settings.port,
            user: SUPERUSER.to_owned(),
            password: Some(self.superuser.clone()),
            home: OWN_DATABASE.to_owned(),
        }
    }

    /// Makes it so that the cluster is there, runs and answers. Idempotent. Data that are there are never touched; those
    /// of another version than the installed ones are refused.
    pub async fn ensure(&self, services: &dyn Services) -> Result<(), Failure> {
        let data = Self::data(services);
        let programs = Programs::for_data(&data)?;
        let described = self.describe(services, &programs)?;
        initialise::ensure(services, &described, &programs, &self.superuser).await?;
        services.ensure(&described).await?;
        let session = self.wait(services, &described).await?;
        session.run("set up PostgreSQL", &own_role()).await?;
        session.run("set up PostgreSQL", &shut()).await?;
        prepare_own_database(&self.access(services), &session).await
    }

    /// Makes the folder that a base backup is unpacked in.
    pub(crate) async fn make_folder(&self, services: &dyn Services) -> Result<PathBuf, Failure> {
        let described = self.describe(services, &Programs::newest()?)?;
        initialise::make_folders(services, &described).await?;
        Ok(self.own_data(services))
    }

    /// Starts one that was filled, and returns when it has come to its moment.
    pub(crate) async fn start_scratch(
        &self,
        services: &dyn Services,
        programs: &Programs,
    ) -> Result<(), Failure> {
        let described = self.describe(services, programs)?;
        services.ensure(&described).await?;
        self.wait(services, &described).await.map(drop)
    }

    /// A moment that the log does not have is told by the server as it ends.
    async fn refuse_unreached(&self, services: &dyn Services) -> Result<(), Failure> {
        let lines = services.last_lines(&self.service_name(), READ_LINES).await?;
        let says = |text: &str| lines.iter().any(|line| line.contains(text));
        let (why, hint) = if says("recovery ended before configured recovery target was reached") {
            ("the log that was kept ends before it", "choose an earlier moment")
        } else if says("requested recovery stop point is before consistent recovery point") {
            ("the base backup was made after it", "use an earlier base backup")
        } else {
            return Ok(());
        };
        let to = self
            .scratch
            .as_ref()
            .map(|(_, to)| to.to_string())
            .unwrap_or_default();
        Err(Failure::new(Kind::NotFound, format!("cannot recover to {to}: {why}")).hint(hint))
    }

    /// The program, as it should run.
    fn describe(&self, services: &dyn Services, programs: &Programs) -> Result<Service, Failure> {
        let place = services.place(&self.service_name());
        let sockets = settings::socket_folder(&place.data, self.settings.port);
        let configuration = |name: &str| place.configuration.join(name).display().to_string();
        let mut start = settings::at_start(&self.settings, sockets.as_deref());
        start += &format!("include '{ANY_TIME}'\n");
        if let Some((_, to)) = self.scratch {
            start += &settings::of_recovery(to);
        }
        let file = |path: &str, content: String, changed| {
            let path = RelativePath::parse(path)
                .map_err(|why| Failure::new(Kind::Internal, format!("cannot name a file: {why}")))?;
            Ok::<_, Failure>(ServiceFile {
                path,
                content: Secret::new(content),
                changed,
            })
        };
        Ok(Service {
            name: self.service_name(),
            arguments: vec![
                programs.file("postgres").display().to_string(),
                "-D".to_owned(),
                place.data.join(initialise::FOLDER).display().to_string(),
                format!("--config_file={}", configuration(START)),
                format!("--hba_file={}", configuration(ADMISSION)),
            ],
            variables: Variables::new(),
            files: vec![
                file(START, start, WhenChanged::Restart)?,
                file(
                    ANY_TIME,
                    settings::at_any_time(&self.settings, &spool_of(&place.data)),
                    WhenChanged::Reload,
                )?,
                file(ADMISSION, admission::of_private_cluster(), WhenChanged::Reload)?,
            ],
            // "Fast": open transactions are rolled back, everything is written, nothing has to be recovered.
            stop: StopRule {
                signal: StopSignal::Int,
                grace: Span::secs(60),
            },
            memory: None,
            never_root: true,
        })
    }

    /// Waits until it answers. What kept it running may be ended meanwhile; then it is ordered again.
    async fn wait(&self, services: &dyn Services, described: &Service) -> Result<Session, Failure> {
        let access = self.access(services);
        let began = Instant::now();
        let answers = async {
            loop {
                match access.try_connect("postgres").await {
                    Ok(session) => return Ok(session),
                    Err(why) if is_lasting(&why) => {
                        return Err(super::session::explain("start PostgreSQL", &why));
                    }
                    Err(_) => {}
                }
                if self.scratch.is_some() {
                    self.refuse_unreached(services).await?;
                }
                match services.observe(&described.name).await?.map(|found| found.state) {
                    None | Some(InstanceState::Stopped) => {
                        services.ensure(described).await?;
                    }
                    Some(InstanceState::CrashLoop) if began.elapsed() > LONGEST_CRASHING => {
                        let why = "it ends again and again";
                        return Err(does_not_start(services, &described.name, why).await);
                    }
                    Some(_) => {}
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        match tokio::time::timeout(LONGEST_START, answers).await {
            Ok(done) => done,
            Err(_) => Err(does_not_start(services, &described.name, "it does not answer").await),
        }
    }
}

/// Whether waiting does not help: it answers, and does not let us in.
fn is_lasting(why: &tokio_postgres::Error) -> bool {
    use tokio_postgres::error::SqlState;
    why.code().is_some_and(|code| {
        *code == SqlState::INVALID_PASSWORD || *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION
    })
}

async fn does_not_start(services: &dyn Services, name: &ServiceName, why: &str) -> Failure {
    let lines = services.last_lines(name, SHOWN_LINES).await.unwrap_or_default();
    Failure::new(Kind::Unavailable, format!("cannot start PostgreSQL: {why}")).details(lines)
}

const START: &str = "postgresql.conf";
const ANY_TIME: &str = "running.conf";
const ADMISSION: &str = "pg_hba.conf";

/// Takes the right to connect to the databases that every cluster has from everybody who still has it.
fn shut() -> String {
    let each = ["postgres", "template1"].map(|database| {
        format!(
            "DO $$ BEGIN
                 IF has_database_privilege('{TENANTS}', '{database}', 'CONNECT, TEMPORARY') THEN
                     REVOKE CONNECT, TEMPORARY ON DATABASE {database} FROM PUBLIC;
                 END IF;
             END $$;"
        )
    });
    each.concat()
}
