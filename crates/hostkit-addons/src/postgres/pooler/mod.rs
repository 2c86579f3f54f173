//! PgBouncer in front of the server: many connections of programs share few of the server's, one transaction at a time.
//! What it lets in is read from the server itself, so that the two never disagree for long.
//!
//! It is told of changes by its console (`RELOAD`), which answers when they hold. Nothing that runs notices: connections
//! stay, and so do transactions. A new start is needed only for another port or another PgBouncer. Then it is told to end
//! in order: transactions that run are finished, connections that wait are closed, which clients that keep connections
//! (all pools do) mend by themselves. PgBouncer 1.18 could also hand its sockets over to a new process (`-R`), but what
//! keeps it running would take the end of the old process for a crash.

mod console;
mod files;

use std::time::{Duration, Instant};

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::manifest::{StopRule, StopSignal};
use hostkit_core::names::RelativePath;
use hostkit_core::secret::Secret;
use hostkit_core::services::{Service, ServiceFile, ServiceName, ServiceRole, WhenChanged};
use hostkit_core::size::Span;
use hostkit_core::traits::Services;
use hostkit_core::variables::Variables;
use hostkit_core::workload::InstanceState;
use hostkit_host::system_program::SystemProgram;

pub use console::{Console, PoolState};
pub(crate) use files::Login;
pub use files::Version;

use super::cluster::{LONGEST_CRASHING, TENANTS};
use super::databases::{self, Limits, OWN_DATABASE};
use super::session::{Access, Session};
use super::verifier;

/// How long it may take to answer after its start.
const LONGEST_START: Duration = Duration::from_secs(30);
/// How often it is tried to connect meanwhile.
const PAUSE: Duration = Duration::from_millis(30);
/// So many lines of its output are shown where it does not start.
const SHOWN_LINES: usize = 8;
/// The user of its console. It is no role of the server.
const OPERATOR: &str = "hostkit_pooler";
/// The most files it may have open: two for each connection. Every Linux lets a program have as many.
const OPEN_FILES: u32 = 4096;

const PROGRAM: SystemProgram = SystemProgram::new("pgbouncer", "pgbouncer");

/// A PgBouncer, described.
#[derive(Debug, Clone)]
pub struct Pooler {
    /// The port on 127.0.0.1 that programs connect to.
    pub port: u16,
    /// The password of its console: HostKit's own, the same at every call.
    pub operator: Secret,
    /// What environments may have.
    pub limits: Limits,
}

impl Pooler {
    /// Refuses a machine that has no PgBouncer.
    pub(crate) fn refuse_missing() -> Result<(), Failure> {
        PROGRAM.file().map(drop)
    }

    /// The name of the program that runs it.
    pub fn name() -> ServiceName {
        ServiceName {
            environment: None,
            role: ServiceRole::PgBouncer,
        }
    }

    /// Makes it so that it runs, answers, and lets in whom the server lets in at this moment. Idempotent. Nothing that
    /// runs through it fails by it.
    pub async fn ensure(&self, services: &dyn Services, server: &Access) -> Result<(), Failure> {
        let version = installed().await?;
        let session = server.connect(OWN_DATABASE).await?;
        let known = databases::known(&session).await?;
        let mut logins = logins(&session).await?;
        drop(session);
        logins.push(self.operator_login(services)?);
        let place = services.place(&Self::name());
        let users = place.configuration.join(USERS);
        let databases = place.configuration.join(DATABASES);
        let described = Service {
            name: Self::name(),
            arguments: vec![
                "prlimit".to_owned(),
                format!("--nofile={OPEN_FILES}:"),
                "--".to_owned(),
                PROGRAM.file()?.display().to_string(),
                place.configuration.join(START).display().to_string(),
            ],
            variables: Variables::new(),
            files: vec![
                file(
                    START,
                    files::start(self, version, &users, &databases),
                    WhenChanged::Restart,
                )?,
                file(
                    DATABASES,
                    files::databases(&known, server, &self.limits)?,
                    WhenChanged::Leave,
                )?,
                file(USERS, files::users(&logins), WhenChanged::Leave)?,
            ],
            // Transactions that run are finished, as far as the time allows.
            stop: StopRule {
                signal: StopSignal::Int,
                grace: Span::secs(30),
            },
            memory: None,
            never_root: true,
        };
        services.ensure(&described).await?;
        self.wait(services, &described).await?.reload().await
    }

    /// Opens the console.
    pub async fn console(&self) -> Result<Console, Failure> {
        Console::open(self.port, OPERATOR, &self.operator).await
    }

    /// The verifier of the console's password, kept as it is while it fits: one that changed would be written anew at
    /// every call.
    fn operator_login(&self, services: &dyn Services) -> Result<Login, Failure> {
        let file = services.place(&Self::name()).configuration.join(USERS);
        let before = std::fs::read_to_string(file).unwrap_or_default();
        let kept = files::verifier_in(&before, OPERATOR).filter(|kept| verifier::is_of(kept, &self.operator));
        Ok(Login {
            name: OPERATOR.to_owned(),
            verifier: match kept {
                Some(kept) => kept,
                None => verifier::make(&self.operator)?,
            },
        })
    }

    /// Waits until it answers. What kept it running may be ended meanwhile; then it is ordered again.
    async fn wait(&self, services: &dyn Services, described: &Service) -> Result<Console, Failure> {
        let began = Instant::now();
        let answers = async {
            loop {
                match self.console().await {
                    Ok(console) => return Ok(console),
                    // Somebody answers on that port who does not know us.
                    Err(failure) if failure.kind == Kind::Denied => return Err(failure),
                    Err(_) => {}
                }
                let found = services.observe(&described.name).await?;
                match found.map(|found| found.state) {
                    None | Some(InstanceState::Stopped) => {
                        services.ensure(described).await?;
                    }
                    Some(InstanceState::CrashLoop) if began.elapsed() > LONGEST_CRASHING => {
                        return Err(does_not_start(services, "it ends again and again").await);
                    }
                    Some(_) => {}
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        match tokio::time::timeout(LONGEST_START, answers).await {
            Ok(done) => done,
            Err(_) => Err(does_not_start(services, "it does not answer").await),
        }
    }
}

async fn does_not_start(services: &dyn Services, why: &str) -> Failure {
    let lines = services.last_lines(&Pooler::name(), SHOWN_LINES).await;
    Failure::new(Kind::Unavailable, format!("cannot start PgBouncer: {why}"))
        .details(lines.unwrap_or_default())
}

const START: &str = "pgbouncer.ini";
const DATABASES: &str = "databases.ini";
const USERS: &str = "users.txt";

fn file(path: &str, content: String, changed: WhenChanged) -> Result<ServiceFile, Failure> {
    let path = RelativePath::parse(path)
        .map_err(|why| Failure::new(Kind::Internal, format!("cannot name a file: {why}")))?;
    Ok(ServiceFile {
        path,
        content: Secret::new(content),
        changed,
    })
}

/// Which version is installed: newer ones know more settings.
async fn installed() -> Result<Version, Failure> {
    let said = PROGRAM.run(&["--version"], b"").await?;
    let text = String::from_utf8_lossy(&said.output);
    Version::parse(&text).ok_or_else(|| {
        Failure::new(
            Kind::Unavailable,
            "cannot start PgBouncer: it does not tell its version",
        )
        .hint("apt install pgbouncer")
    })
}

/// Everybody that programs log in as, with what the server keeps of their passwords. Logins that HostKit makes for its own
/// work are not among them: they go to the server directly.
async fn logins(session: &Session) -> Result<Vec<Login>, Failure> {
    let question = format!(
        "SELECT a.rolname::text, a.rolpassword FROM pg_catalog.pg_authid a
         WHERE a.rolcanlogin AND a.rolpassword IS NOT NULL AND a.rolname ~ '\\.[0-9]+$' AND NOT a.rolsuper
           AND pg_catalog.pg_has_role(a.oid, (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = '{TENANTS}'), 'MEMBER')
         ORDER BY 1"
    );
    let rows = session.rows("look at who may log in", &question, &[]).await?;
    Ok(rows
        .iter()
        .map(|row| Login {
            name: row.get(0),
            verifier: row.get(1),
        })
        .collect())
}
