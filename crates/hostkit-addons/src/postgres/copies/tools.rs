//! How `pg_dump` and `pg_restore` are run. They read what projects wrote, so as root they are run as an account that owns
//! nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hostkit_core::kind::Failure;
use hostkit_core::secret::Secret;
use hostkit_host::command::{Guard, Job, Limits, Running, Wiring};
use hostkit_host::launch::Priority;

use crate::postgres::address::Address;
use crate::postgres::programs::Programs;

/// Runs programs of PostgreSQL's own for one server.
#[derive(Debug, Clone)]
pub struct Tools {
    guard: Guard,
    programs: Programs,
    /// The port of the server itself.
    port: u16,
}

impl Tools {
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
        (login, password): (&str, &Secret),
        database: &str,
    ) -> Result<Running, Failure> {
        let address = Address {
            port: self.port,
            login: login.to_owned(),
            password: password.clone(),
            database: database.to_owned(),
        };
        let variables = address
            .variables()
            .into_iter()
            .map(|(name, value): (_, Secret)| (name.to_string(), value.reveal().to_owned()))
            .collect();
        self.start_with(name, arguments, variables).await
    }

    /// Starts one of them with what it finds the server by.
    pub(crate) async fn start_with(
        &self,
        name: &str,
        arguments: &[&str],
        variables: BTreeMap<String, String>,
    ) -> Result<Running, Failure> {
        let mut environment = variables;
        environment.insert("PATH".to_owned(), "/usr/bin:/bin".to_owned());
        environment.insert("LC_ALL".to_owned(), "C.UTF-8".to_owned());
        // An account that owns nothing.
        let mut words = match nix::unistd::geteuid().is_root() {
            true => acting_as("65534"),
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
        self.guard.start(&job, Wiring::PipesWithInput).await
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
