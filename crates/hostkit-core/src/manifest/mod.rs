//! `hostkit.toml`, checked. `raw` reads the text and reports every problem at once with its place;
//! what stands here has passed all rules. Every key is optional, and so is the file.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::DomainName;
use crate::names::{ProcessName, ProjectName, RelativePath, VariableName};
use crate::route::Protocol;
use crate::scan::ScanRule;
use crate::size::{ByteSize, Processors, Span};
use crate::variables::generate::Recipe;
use crate::variables::rule::VariableRule;

pub(crate) mod check;
pub(crate) mod keys;
pub(crate) mod problems;
pub(crate) mod raw;
mod render;
pub mod routing;
pub(crate) mod rules;
mod schema;
#[cfg(test)]
mod tests;

pub use problems::{ManifestProblems, Problem};
pub use raw::parse;
pub use render::render;
pub use routing::Routing;
pub use schema::schema;

/// The file's name at the root of a source tree.
pub const FILE_NAME: &str = "hostkit.toml";

/// How a project wants to be built and run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Manifest {
    /// The project this source belongs to, where the file names it.
    pub name: Option<ProjectName>,
    /// Further host names of the production environment, next to the default one; with `*.` before it, a name is all of
    /// one label below it.
    pub hosts: Vec<DomainName>,
    /// How the root folder is built.
    pub build: BuildRule,
    /// The programs by name. Empty means: what the builder proposes.
    pub processes: BTreeMap<ProcessName, ProcessRule>,
    /// Variables that must have a value before a deploy changes anything.
    pub required: Vec<VariableName>,
    /// Values for variables that nobody set.
    pub defaults: BTreeMap<VariableName, String>,
    /// How variables that nobody set get a random value.
    #[serde(default)]
    pub generate: BTreeMap<VariableName, Recipe>,
    /// What values must be.
    #[serde(default)]
    pub checks: BTreeMap<VariableName, VariableRule>,
    /// Files and folders that live in `shared/` and are linked into every release.
    pub keep: Vec<RelativePath>,
    /// After how long a secret is called old (90 days by default).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotate_every: Option<Span>,
    /// How many releases are kept (at least 2; 5 by default).
    pub releases: u32,
    /// A command run once before the new release starts. Stored; run by a later version.
    pub release_command: Option<Command>,
    /// Commands run by the clock. Stored; run by a later version.
    pub cron: Vec<CronRule>,
    /// How the source is looked through for secrets.
    #[serde(default)]
    pub scan: ScanRule,
    /// What becomes of requests.
    #[serde(default)]
    pub routing: Routing,
}

impl Default for Manifest {
    fn default() -> Self {
        Manifest {
            name: None,
            hosts: Vec::new(),
            build: BuildRule::default(),
            processes: BTreeMap::new(),
            required: Vec::new(),
            defaults: BTreeMap::new(),
            generate: BTreeMap::new(),
            checks: BTreeMap::new(),
            keep: Vec::new(),
            rotate_every: None,
            releases: 5,
            release_command: None,
            cron: Vec::new(),
            scan: ScanRule::default(),
            routing: Routing::default(),
        }
    }
}

/// How one folder is built.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BuildRule {
    /// `python`, `node`, `nextjs`, `static`; detected where none is named.
    pub builder: Option<String>,
    /// Replaces the builder's install command.
    pub install: Option<Command>,
    /// Replaces the builder's build command.
    pub command: Option<Command>,
    /// The folder the build writes to, for static sites.
    pub output: Option<RelativePath>,
    /// Whether unknown paths of a static site answer with its `index.html` (single-page apps).
    pub single_page: bool,
    /// The Node.js version needed: `20`, `>=18.17`, `22.x`.
    pub node: Option<String>,
    /// The Python version needed: `3.11`, `>=3.10`.
    pub python: Option<String>,
    /// The longest a build may take (15 minutes by default).
    pub timeout: Span,
    /// The most memory a build may use (4 GB by default).
    pub memory: ByteSize,
}

impl Default for BuildRule {
    fn default() -> Self {
        BuildRule {
            builder: None,
            install: None,
            command: None,
            output: None,
            single_page: false,
            node: None,
            python: None,
            timeout: Span::secs(15 * 60),
            memory: ByteSize::mib(4096),
        }
    }
}

/// How one program is run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProcessRule {
    /// What is started; the builder's proposal where none is given.
    pub command: Option<Command>,
    /// The folder of the source tree this program is built from.
    pub root: RelativePath,
    /// The folder it starts in, below `root`.
    pub directory: RelativePath,
    /// How `root` is built, where it differs from the tree's root.
    pub build: Option<BuildRule>,
    /// How many instances run (0 to 64).
    pub count: u16,
    /// Who may reach it.
    pub reach: Reach,
    /// The variable that tells the program its port (`PORT` by default).
    pub port_variable: VariableName,
    /// How its readiness and liveness are checked.
    pub health: HealthRule,
    /// How long requests in flight may go on after traffic moved away (30 s by default).
    pub drain: Span,
    /// How it is stopped.
    pub stop: StopRule,
    /// The most memory one instance may use; where none is named, what the machine allows.
    pub memory: Option<ByteSize>,
    /// The most processor time one instance may use; where none is named, what the machine allows.
    #[serde(default)]
    pub cpus: Option<Processors>,
    /// Whether a visitor stays on the instance that answered first.
    #[serde(default)]
    pub sticky: bool,
}

impl ProcessRule {
    /// The rule for a process of which nothing is said but its name: `web` is public, all others have no port.
    pub fn named(name: &ProcessName) -> Self {
        ProcessRule {
            command: None,
            root: RelativePath::root(),
            directory: RelativePath::root(),
            build: None,
            count: 1,
            reach: if *name == ProcessName::web() {
                Reach::Public
            } else {
                Reach::Unreachable
            },
            port_variable: VariableName::parse("PORT")
                .unwrap_or_else(|_| unreachable!("PORT is a variable name")),
            health: HealthRule::default(),
            drain: Span::secs(30),
            stop: StopRule::default(),
            memory: None,
            cpus: None,
            sticky: false,
        }
    }
}

/// Who may reach a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// Everybody, through the front door. At most one process of a project.
    Public,
    /// The project's other processes, on a stable loopback address (`NAME_URL`, `NAME_HOST`, `NAME_PORT`).
    Internal,
    /// Nobody: it has no port (a worker).
    Unreachable,
}

/// A command of the user's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Command {
    /// Started as it is, without a shell. `$PORT` and `$HOST` are replaced where they stand as a whole word part.
    Arguments(Vec<String>),
    /// Given to a shell that runs as the project, as in a Procfile.
    Line(String),
}

impl std::fmt::Display for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Command::Arguments(parts) => f.write_str(&parts.join(" ")),
            Command::Line(line) => f.write_str(line),
        }
    }
}

/// How an instance is asked, and how its health is checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HealthRule {
    /// The path asked with GET: 2xx is healthy. Without a path `/` is asked and any answer below 500 is healthy; a
    /// program that speaks h2c is asked by gRPC's own health protocol then.
    pub path: Option<String>,
    /// The path by which an instance says whether it wants requests just now: 2xx is yes. One that does not is not started
    /// again for it. Without one it wants them as long as it is healthy.
    #[serde(default)]
    pub ready: Option<String>,
    /// What the program speaks, to its visitors as to who asks for its health.
    #[serde(default, skip_serializing_if = "Protocol::is_http1")]
    pub protocol: Protocol,
    /// Time between two liveness checks (30 s).
    pub interval: Span,
    /// The longest one check may take (5 s).
    pub timeout: Span,
    /// How many failures in a row restart an instance (3).
    pub failures: u32,
    /// How long a new instance may take to become ready (60 s).
    pub start_period: Span,
}

impl HealthRule {
    /// The question whether an instance wants requests, where it is another than whether it is healthy.
    pub fn readiness(&self) -> Option<HealthRule> {
        let path = self.ready.clone()?;
        Some(HealthRule {
            path: Some(path),
            ready: None,
            ..self.clone()
        })
    }
}

impl Default for HealthRule {
    fn default() -> Self {
        HealthRule {
            path: None,
            ready: None,
            protocol: Protocol::Http1,
            interval: Span::secs(30),
            timeout: Span::secs(5),
            failures: 3,
            start_period: Span::secs(60),
        }
    }
}

/// How an instance is stopped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StopRule {
    /// The signal sent first.
    pub signal: StopSignal,
    /// How long the program has before it is killed (10 s).
    pub grace: Span,
}

impl Default for StopRule {
    fn default() -> Self {
        StopRule {
            signal: StopSignal::Term,
            grace: Span::secs(10),
        }
    }
}

/// A signal that asks a program to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum StopSignal {
    /// SIGTERM
    #[serde(rename = "SIGTERM")]
    Term,
    /// SIGINT
    #[serde(rename = "SIGINT")]
    Int,
    /// SIGQUIT
    #[serde(rename = "SIGQUIT")]
    Quit,
    /// SIGHUP
    #[serde(rename = "SIGHUP")]
    Hup,
    /// SIGUSR1
    #[serde(rename = "SIGUSR1")]
    Usr1,
    /// SIGUSR2
    #[serde(rename = "SIGUSR2")]
    Usr2,
}

impl StopSignal {
    /// Its name, as written in the manifest.
    pub fn name(self) -> &'static str {
        match self {
            StopSignal::Term => "SIGTERM",
            StopSignal::Int => "SIGINT",
            StopSignal::Quit => "SIGQUIT",
            StopSignal::Hup => "SIGHUP",
            StopSignal::Usr1 => "SIGUSR1",
            StopSignal::Usr2 => "SIGUSR2",
        }
    }
}

/// A command run by the clock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CronRule {
    /// Its name.
    pub name: ProcessName,
    /// Five fields, UTC.
    pub schedule: String,
    /// What is run.
    pub command: Command,
}
