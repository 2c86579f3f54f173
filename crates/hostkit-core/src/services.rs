//! Service: a program of HostKit's add-ons that is kept running and belongs to no release, such as a Redis server.

use std::path::PathBuf;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::manifest::StopRule;
use crate::names::RelativePath;
use crate::project::EnvironmentId;
use crate::secret::Secret;
use crate::size::{ByteSize, Span};
use crate::variables::Variables;
use crate::workload::{Exit, InstanceState};

/// What a service is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServiceRole {
    /// A Redis server.
    Redis,
    /// A PostgreSQL server.
    Postgres,
    /// What keeps connections to PostgreSQL.
    PgBouncer,
    /// What speaks Upstash's REST protocol for Redis servers.
    RedisRest,
    /// An object storage.
    Storage,
}

impl ServiceRole {
    /// All of them.
    pub const ALL: [ServiceRole; 5] = [
        ServiceRole::Redis,
        ServiceRole::Postgres,
        ServiceRole::PgBouncer,
        ServiceRole::RedisRest,
        ServiceRole::Storage,
    ];

    /// As it stands in names of units and folders.
    pub fn as_str(self) -> &'static str {
        match self {
            ServiceRole::Redis => "redis",
            ServiceRole::Postgres => "postgres",
            ServiceRole::PgBouncer => "pgbouncer",
            ServiceRole::RedisRest => "redis-rest",
            ServiceRole::Storage => "storage",
        }
    }
}

/// Names a service, the same after a restart of anything.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceName {
    /// Whose it is; none for one that serves all projects.
    pub environment: Option<EnvironmentId>,
    /// What it is for.
    pub role: ServiceRole,
}

impl std::fmt::Display for ServiceName {
    /// `shop.production.redis`, or `postgres` for one of all projects: no name has a dot, so parts cannot run together,
    /// and no name of an instance has as few.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(EnvironmentId { project, environment }) = &self.environment {
            write!(f, "{project}.{environment}.")?;
        }
        f.write_str(self.role.as_str())
    }
}

impl ServiceName {
    /// The account that it runs as on a server. Linux takes 32 characters, and names of projects alone can have more: of
    /// an environment's service the account's comment says whose it is.
    pub fn account(&self) -> String {
        let role = self.role.as_str();
        match &self.environment {
            None => format!("hostkit-{role}"),
            Some(_) => {
                let digest = Sha256::digest(self.to_string().as_bytes());
                let digits: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
                format!("hostkit-{role}-{digits}")
            }
        }
    }

    /// The comment by which that account is known to be HostKit's and this service's.
    pub fn account_comment(&self) -> String {
        format!("HostKit service {self}")
    }
}

impl TryFrom<String> for ServiceName {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let none = || format!("`{text}` does not name a service");
        let (environment, role) = match text.split('.').collect::<Vec<_>>()[..] {
            [role] => (None, role),
            [project, environment, role] => {
                let project = project.parse().map_err(|e| format!("{e}"))?;
                let environment = environment.parse().map_err(|e| format!("{e}"))?;
                (Some(EnvironmentId::new(project, environment)), role)
            }
            _ => return Err(none()),
        };
        let role = ServiceRole::ALL.into_iter().find(|known| known.as_str() == role);
        Ok(ServiceName {
            environment,
            role: role.ok_or_else(none)?,
        })
    }
}

/// How a service should be.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    /// Its name.
    pub name: ServiceName,
    /// The program and its arguments: no shell, and no secrets, for everybody on the machine may read them.
    /// It stays in the foreground.
    pub arguments: Vec<String>,
    /// Everything it finds in its environment.
    pub variables: Variables,
    /// What it reads: written before it is started, below [`ServicePlace::configuration`], readable to it and not
    /// writable. Files there that are not named here are removed.
    pub files: Vec<ServiceFile>,
    /// How it is stopped.
    pub stop: StopRule,
    /// The most memory it may use with all its children; more, and it is killed and started again.
    pub memory: Option<ByteSize>,
    /// Whether the program refuses to run as uid 0: it is not, then, even where HostKit itself runs as root and has no
    /// other account (local mode as root).
    pub never_root: bool,
}

/// A file that a service reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceFile {
    /// Where, below the folder of configuration.
    pub path: RelativePath,
    /// What is in it; mode 0600 or 0640, so secrets may be.
    pub content: Secret,
    /// What is done with a service that runs when the content is another one.
    pub changed: WhenChanged,
}

/// What becomes of a running service when a file of it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenChanged {
    /// It is started afresh.
    Restart,
    /// It is told to read its files again (SIGHUP).
    Reload,
    /// Nothing: whoever ordered it tells the program in the program's own way, and the file is for the next start.
    Leave,
}

/// Where a service's files lie. Pure names: the folders are there once the service was ensured or a command of it run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServicePlace {
    /// Its data: mode 0700, its account's own, and the only place it may write. The program starts in here.
    pub data: PathBuf,
    /// What it reads and may not write.
    pub configuration: PathBuf,
}

/// What had to be done for a service to be as it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ensured {
    /// Nothing.
    AsItWas,
    /// It was told to read its files again.
    Reloaded,
    /// It was started, or started afresh.
    Started,
}

/// A service as it was found.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceState {
    /// How its program is.
    pub state: InstanceState,
    /// The program's process id, while there is one.
    pub pid: Option<u32>,
    /// When the program was last started.
    pub started_at: Option<Timestamp>,
    /// How often it was started again after it ended by itself.
    pub restarts: u32,
    /// How the program last ended.
    pub last_exit: Option<Exit>,
    /// Memory in use by it and all its children, in bytes.
    pub memory: Option<u64>,
}

/// A command that is run to its end as a service would be: same account, same places, same variables. The service
/// itself need not run.
#[derive(Debug, Clone)]
pub struct ServiceTask<'a> {
    /// As what.
    pub service: &'a Service,
    /// The program and its arguments: no shell, no secrets.
    pub arguments: Vec<String>,
    /// What it reads from its standard input; nothing where there is none.
    pub input: Option<Secret>,
    /// How long it may take before it is killed with everything it started.
    pub limit: Span,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_service_has_an_account_of_its_own_that_linux_takes() {
        let long = format!("{}.{}.pgbouncer", "a".repeat(30), "b".repeat(20));
        let names = [
            "redis-rest",
            "pgbouncer",
            "shop.production.redis",
            "shop.staging.redis",
            &long,
        ];
        let accounts: std::collections::BTreeSet<String> = names
            .into_iter()
            .filter_map(|text| Some(ServiceName::try_from(text.to_owned()).ok()?.account()))
            .collect();
        assert_eq!(accounts.len(), names.len());
        assert!(accounts.iter().all(|name| name.len() <= 32), "{accounts:?}");
        // Data on servers belong to these.
        assert!(accounts.contains("hostkit-redis-rest"));
        let shop = ServiceName::try_from("shop.production.redis".to_owned()).unwrap();
        assert_eq!(shop.account(), "hostkit-redis-efdaf44a3bc1");
    }

    #[test]
    fn a_name_is_read_back_and_no_instance_has_it() {
        for text in [
            "shop.production.redis",
            "shop.production.storage",
            "shop.preview-12.pgbouncer",
            "postgres",
            "redis-rest",
        ] {
            assert_eq!(ServiceName::try_from(text.to_owned()).unwrap().to_string(), text);
            assert!(crate::workload::InstanceId::try_from(text.to_owned()).is_err());
        }
        for text in [
            "",
            "shop",
            "shop.redis",
            "shop.production.web",
            "shop.production.redis.1",
            "shop.production.web.4.1",
            "../x.production.redis",
            "shop..redis",
        ] {
            assert!(ServiceName::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
