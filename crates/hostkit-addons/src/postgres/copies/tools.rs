//! How `pg_dump` and `pg_restore` are run. They read what projects wrote, so as root they are run as an account that owns
//! nothing.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::secret::Secret;
use hostkit_host::command::{Guard, Job, Limits, Running, Wiring};
use hostkit_host::launch::Priority;
use nix::unistd::{Gid, Uid, fchown};
use rustix::fs::{MemfdFlags, Mode, fchmod, memfd_create};

use super::pieces::fed;
use crate::postgres::address::Address;
use crate::postgres::programs::Programs;

/// The account that owns nothing.
const NOBODY: u32 = 65534;

/// Runs programs of PostgreSQL's own for one server.
#[derive(Debug, Clone)]
pub struct Tools {
    guard: Guard,
    programs: Programs,
    /// The port of the server itself.
    port: u16,
}

impl Tools {
    /// Where one finds the file that it was started on.
    pub(super) const INPUT: &str = "/proc/self/fd/0";

    /// Those of the server's own version, which is the one whose dumps it reads for certain.
    pub fn new(guard: Guard, programs: Programs, port: u16) -> Self {
        Tools {
            guard,
            programs,
            port,
        }
    }

    /// Starts one of them, with a login that was made for it.
    pub(crate) async fn start(
        &self,
        name: &str,
        arguments: &[&str],
        key: (&str, &Secret),
        database: &str,
    ) -> Result<Running, Failure> {
        self.start_with(name, arguments, self.variables(key, database))
            .await
    }

    /// The same, and [`Tools::INPUT`] is a file that it reads.
    pub(super) async fn start_on(
        &self,
        file: &Kept,
        name: &str,
        arguments: &[&str],
        key: (&str, &Secret),
        database: &str,
    ) -> Result<Running, Failure> {
        let wiring = Wiring::PipesWithFile(file.input()?);
        self.run(name, arguments, self.variables(key, database), wiring)
            .await
    }

    /// Whether what is kept of a dump has all that stands in front of its data.
    pub(super) async fn reads(
        &self,
        kept: &Kept,
        key: (&str, &Secret),
        database: &str,
    ) -> Result<bool, Failure> {
        let arguments = ["--list", "--file=/dev/null", Tools::INPUT];
        let running = self
            .start_on(kept, "pg_restore", &arguments, key, database)
            .await?;
        let (ending, _) = fed(running, Box::pin(futures_util::stream::empty())).await?;
        Ok(ending.is_success())
    }

    /// What one of them finds the server by.
    fn variables(&self, (login, password): (&str, &Secret), database: &str) -> BTreeMap<String, String> {
        let address = Address {
            port: self.port,
            login: login.to_owned(),
            password: password.clone(),
            database: database.to_owned(),
        };
        address
            .variables()
            .into_iter()
            .map(|(name, value): (_, Secret)| (name.to_string(), value.reveal().to_owned()))
            .collect()
    }

    /// Starts one of them with what it finds the server by.
    pub(crate) async fn start_with(
        &self,
        name: &str,
        arguments: &[&str],
        variables: BTreeMap<String, String>,
    ) -> Result<Running, Failure> {
        self.run(name, arguments, variables, Wiring::PipesWithInput).await
    }

    async fn run(
        &self,
        name: &str,
        arguments: &[&str],
        variables: BTreeMap<String, String>,
        wiring: Wiring,
    ) -> Result<Running, Failure> {
        let mut environment = variables;
        environment.insert("PATH".to_owned(), "/usr/bin:/bin".to_owned());
        environment.insert("LC_ALL".to_owned(), "C.UTF-8".to_owned());
        let mut words = match nix::unistd::geteuid().is_root() {
            true => acting_as(&NOBODY.to_string()),
            false => Vec::new(),
        };
        words.push(self.programs.file(name).display().to_string());
        words.extend(arguments.iter().map(|&word| word.to_owned()));
        let job = Job {
            program: words.remove(0),
            arguments: words,
            environment,
            directory: PathBuf::from("/"),
            limits: Limits {
                time: None,
                memory: None,
                // Programs of projects wait for nobody's backup.
                priority: Priority::Background,
            },
        };
        self.guard.start(&job, wiring).await
    }
}

/// A file in memory that the tools may open as often as they like: [`Tools::INPUT`]. Nothing of it is left when nobody has it
/// open any more.
pub(super) struct Kept(OwnedFd);

impl Kept {
    /// Keeps bytes. `act` names what they are for, as in `cannot <act>`.
    pub(super) fn of(bytes: &[u8], act: &str) -> Result<Self, Failure> {
        Self::write(bytes).map_err(|why| {
            let message = format!("cannot {act}: cannot keep the head of its dump in memory: {why}");
            Failure::new(Kind::Internal, message)
        })
    }

    fn write(bytes: &[u8]) -> std::io::Result<Self> {
        let mut file = File::from(memfd_create("hostkit-dump", MemfdFlags::CLOEXEC)?);
        file.write_all(bytes)?;
        fchmod(&file, Mode::RUSR)?;
        if nix::unistd::geteuid().is_root() {
            fchown(&file, Some(Uid::from_raw(NOBODY)), Some(Gid::from_raw(NOBODY)))?;
        }
        Ok(Kept(file.into()))
    }

    fn input(&self) -> Result<OwnedFd, Failure> {
        self.0.try_clone().map_err(|why| {
            Failure::new(
                Kind::Internal,
                format!("cannot hand over the head of a dump: {why}"),
            )
        })
    }
}

/// What is put before a command that root runs as an account, by its name or number, and its group of the same.
pub(crate) fn acting_as(account: &str) -> Vec<String> {
    vec![
        "setpriv".to_owned(),
        format!("--reuid={account}"),
        format!("--regid={account}"),
        "--clear-groups".to_owned(),
        "--no-new-privs".to_owned(),
        "--".to_owned(),
    ]
}
