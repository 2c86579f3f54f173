//! The shape of `hostkit.toml`: every key with its kind, default and meaning. Reading, the schema for editors and
//! the reference page are all drawn from this one table. Other files of ours are described in the same way.

use super::routing::keys::{
    ACCESS, CACHE, COMPRESSION, CORS, HEADER, IMAGES, LIMIT, REDIRECT, REWRITE, ROUTE, ROUTING,
    SECURITY_HEADERS,
};
use super::rules;
use crate::route::Protocol;
use crate::scan::{self, Policy};
use crate::variables::rule::{ValueFormat, check_pattern};

/// The builders a file may name.
pub(super) const BUILDERS: &[&str] = &["python", "node", "nextjs", "static"];
/// The signals a program may be asked to end with.
pub(super) const SIGNALS: &[&str] = &["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2"];

/// The most entries of a list, or names in a table, that are taken.
pub(super) const MOST_ENTRIES: usize = 2048;

/// One key of a table.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    /// Whether the table makes no sense without it.
    pub(crate) needed: bool,
    /// What holds where the key is missing, as TOML.
    pub(crate) default: Option<&'static str>,
    /// What it means, in one or two sentences.
    pub(crate) doc: &'static str,
}

/// What may stand behind a key.
pub(crate) enum Shape {
    /// A text that keeps a rule.
    Text(&'static Text),
    /// A text that keeps a rule, or `false` for none.
    TextOrOff(&'static Text),
    /// One of some words.
    OneOf(&'static [&'static str]),
    /// `true` or `false`.
    Switch,
    /// A whole number from … to.
    Whole(i64, i64),
    /// A duration from … to, in milliseconds.
    Duration(u64, u64),
    /// A size of at least so many bytes.
    Size(u64),
    /// A number of processors, also a part of one.
    Processors,
    /// A line for a shell, or a list of arguments.
    Command,
    /// Several of one shape.
    List(&'static Shape),
    /// A table with known keys.
    Table(&'static [Key]),
    /// A table whose keys are names of the user's choice.
    Named(&'static Text, &'static Shape),
}

/// A rule for a text.
pub(crate) struct Text {
    /// How editors check it: a regular expression, possibly laxer than the rule.
    pub(crate) pattern: Option<&'static str>,
    /// Says what is wrong.
    pub(crate) check: fn(&str) -> Result<(), String>,
}

macro_rules! keys {
    ($($name:literal $shape:expr, $([$need:ident])? $(= $default:literal)?, $doc:literal;)*) => {
        &[$($crate::manifest::keys::Key {
            name: $name,
            shape: $shape,
            needed: $crate::manifest::keys::keys!(@needed $($need)?),
            default: $crate::manifest::keys::keys!(@default $($default)?),
            doc: $doc,
        }),*]
    };
    (@needed) => { false };
    (@needed needed) => { true };
    (@default) => { None };
    (@default $default:literal) => { Some($default) };
}
pub(crate) use keys;

pub(super) const SECOND: u64 = 1000;
pub(super) const MINUTE: u64 = 60 * SECOND;
pub(super) const HOUR: u64 = 60 * MINUTE;
const MIB: u64 = 1 << 20;

pub(crate) const FREE: Text = Text {
    pattern: None,
    check: rules::free,
};
const RECIPE: Text = Text {
    pattern: Some("^([0-9]{2,4} (hex|letters)|uuid)$"),
    check: rules::recipe,
};
const VALUE_PATTERN: Text = Text {
    pattern: None,
    check: check_pattern,
};
const PROJECT: Text = Text {
    pattern: Some("^[a-z][a-z0-9-]{1,30}[a-z0-9]$"),
    check: rules::project,
};
pub(super) const PROCESS: Text = Text {
    pattern: Some("^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$"),
    check: rules::process,
};
pub(crate) const HOST: Text = Text {
    pattern: Some("^[a-z0-9.-]{1,253}$"),
    check: rules::host,
};
const DOMAIN: Text = Text {
    pattern: Some("^([*][.])?[a-z0-9.-]{1,253}$"),
    check: rules::domain,
};
const PATH: Text = Text {
    pattern: Some("^[^/]"),
    check: rules::path,
};
const KEPT: Text = Text {
    pattern: Some("^[^/]"),
    check: rules::kept_path,
};
const VARIABLE: Text = Text {
    pattern: Some("^[A-Za-z_][A-Za-z0-9_]{0,255}$"),
    check: rules::variable,
};
const PORT_VARIABLE: Text = Text {
    check: rules::port_variable,
    ..VARIABLE
};
pub(super) const FREE_VARIABLE: Text = Text {
    check: rules::free_variable,
    ..VARIABLE
};
const VERSION: Text = Text {
    pattern: Some("^[-0-9.xX*<>=~^!|, v]{1,64}$"),
    check: rules::version,
};
const HEALTH_PATH: Text = Text {
    pattern: Some("^/([^/]|$)"),
    check: rules::health_path,
};
const SCHEDULE: Text = Text {
    pattern: Some("^\\s*(\\S+\\s+){4}\\S+\\s*$"),
    check: rules::schedule,
};

const GLOB: Text = Text {
    pattern: Some("^[^!]"),
    check: scan::check_pattern,
};

/// The whole file.
pub(super) const ROOT: &[Key] = keys! {
    "name" Shape::Text(&PROJECT), , "The project this folder belongs to. `hostkit deploy` uses it when no project is named on the command line.";
    "hosts" Shape::List(&Shape::Text(&DOMAIN)), , "Further host names of the production environment, next to the default one. `*.shop.example.com` is every name of one label below that one.";
    "keep" Shape::List(&Shape::Text(&KEPT)), , "Files and folders that outlive releases: they live in `shared/` and are linked into every release.";
    "build" Shape::Table(BUILD), , "How the folder is built. What is not said is detected.";
    "process" Shape::Named(&PROCESS, &Shape::Table(PROCESS_KEYS)), , "The programs of the project by name. Without any, the builder proposes one called `web`.";
    "variables" Shape::Table(VARIABLES), , "What the programs need in their environment.";
    "releases" Shape::Table(RELEASES), , "How releases are kept and prepared.";
    "scan" Shape::Table(SCAN), , "How the source is looked through for secrets before it is built.";
    "clean_urls" Shape::Switch, = "false", "Whether the pages of a static site answer without `.html`, and redirect there with it.";
    "trailing_slash" Shape::Switch, , "Whether paths end with a slash: the other form redirects (308). Where it is missing both answer.";
    "redirects" Shape::List(&Shape::Table(REDIRECT)), , "Other addresses for paths. The first that fits holds.";
    "rewrites" Shape::List(&Shape::Table(REWRITE)), , "Paths that are answered as if another one was asked for. The first that fits holds.";
    "headers" Shape::List(&Shape::Table(HEADER)), , "Headers of answers by path. All that fit hold, the last one wins.";
    "routes" Shape::List(&Shape::Table(ROUTE)), , "Paths that lead to other processes of the project.";
    "routing" Shape::Table(ROUTING), , "What holds for all requests.";
    "compression" Shape::Table(COMPRESSION), , "Which answers are compressed.";
    "cache" Shape::Table(CACHE), , "Which answers the front door keeps.";
    "access" Shape::Table(ACCESS), , "Who may come.";
    "cors" Shape::Table(CORS), , "Which other sites may read answers.";
    "images" Shape::Table(IMAGES), , "Images of the site in other sizes, at `/_hostkit/image?url=/photo.jpg&w=640&q=75`. They are made where this table is, also if it is empty.";
    "security_headers" Shape::Table(SECURITY_HEADERS), , "What browsers are told for visitors' safety, where an answer does not say it itself. `false` turns one off.";
    "limits" Shape::List(&Shape::Table(LIMIT)), , "How many requests are taken.";
    "cron" Shape::List(&Shape::Table(CRON)), , "Commands run by the clock. Checked and stored; run by a later version.";
};

const BUILD: &[Key] = keys! {
    "builder" Shape::OneOf(BUILDERS), , "Which builder is used; detected from the files of the folder where none is named.";
    "install" Shape::Command, , "Replaces the builder's own way to install dependencies.";
    "command" Shape::Command, , "Replaces the builder's own build command.";
    "output" Shape::Text(&PATH), , "The folder the build writes to, for static sites; detected where it is not named.";
    "single_page" Shape::Switch, = "false", "Whether unknown paths of a static site are answered with its `index.html`.";
    "node" Shape::Text(&VERSION), , "The Node.js version needed, as `20`, `22.x` or `>=18.17`. The build is refused where another one is installed.";
    "python" Shape::Text(&VERSION), , "The Python version needed, as `3.11` or `>=3.10`. The build is refused where another one is installed.";
    "timeout" Shape::Duration(SECOND, 24 * HOUR), = "\"15m\"", "The longest a build may take.";
    "memory" Shape::Size(16 * MIB), = "\"4GB\"", "The most memory a build may use.";
};

const PROCESS_KEYS: &[Key] = keys! {
    "command" Shape::Command, , "What is started. A text is given to a shell; a list is started as it is. The builder's proposal where it is missing.";
    "root" Shape::Text(&PATH), = "\".\"", "The folder of the source tree this program is built from.";
    "directory" Shape::Text(&PATH), = "\".\"", "The folder the program starts in, below `root`.";
    "count" Shape::Whole(0, 64), = "1", "How many instances run.";
    "public" Shape::Switch, , "Whether the program is reached from outside, through the front door. At most one process is; `web` is where nothing is said.";
    "internal" Shape::Switch, = "false", "Whether the project's other programs reach it, by `NAME_URL`, `NAME_HOST` and `NAME_PORT`.";
    "port_variable" Shape::Text(&PORT_VARIABLE), = "\"PORT\"", "The variable that tells the program which port to listen on.";
    "drain" Shape::Duration(0, 5 * MINUTE), = "\"30s\"", "How long requests in flight may go on after traffic moved to a newer release.";
    "memory" Shape::Size(4 * MIB), , "The most memory one instance may use, with its children. Where it is missing the server's own limit holds, and none in local mode.";
    "cpus" Shape::Processors, , "The most processor time one instance may use, as a number of processors: `0.5`, `2`. Where it is missing the server's own limit holds. Local mode has none.";
    "sticky" Shape::Switch, = "false", "Whether a visitor stays on the instance that answered first, by a cookie, as long as it is there.";
    "protocol" Shape::OneOf(&Protocol::WORDS), = "\"http1\"", "What the program speaks: HTTP/1.1, or with `h2c` HTTP/2 without TLS, as gRPC does.";
    "health" Shape::Table(HEALTH), , "How it is found out whether an instance is ready and alive.";
    "stop" Shape::Table(STOP), , "How an instance is stopped.";
    "build" Shape::Table(BUILD), , "How `root` is built, with the keys of `[build]`. Needs a `root` of its own.";
};

const HEALTH: &[Key] = keys! {
    "path" Shape::Text(&HEALTH_PATH), , "The path asked with GET: an answer of 2xx is healthy. Without it `/` is asked and any answer below 500 is healthy; with `protocol = \"h2c\"` gRPC's health service is asked instead.";
    "ready" Shape::Text(&HEALTH_PATH), , "The path by which an instance says whether it wants requests: without an answer of 2xx it gets none while another one wants them, and is not restarted for that.";
    "interval" Shape::Duration(SECOND, HOUR), = "\"30s\"", "The time between two checks of a running instance.";
    "timeout" Shape::Duration(1, 5 * MINUTE), = "\"5s\"", "The longest one check may take.";
    "failures" Shape::Whole(1, 1000), = "3", "How many failed checks in a row restart an instance.";
    "start_period" Shape::Duration(1, HOUR), = "\"60s\"", "How long a new instance may take until it is ready.";
};

const STOP: &[Key] = keys! {
    "signal" Shape::OneOf(SIGNALS), = "\"SIGTERM\"", "The signal sent first.";
    "grace" Shape::Duration(0, 5 * MINUTE), = "\"10s\"", "How long the program has to end before it is killed.";
};

const VARIABLES: &[Key] = keys! {
    "required" Shape::List(&Shape::Text(&FREE_VARIABLE)), , "Variables without which a deploy is refused before it changes anything.";
    "defaults" Shape::Named(&FREE_VARIABLE, &Shape::Text(&FREE)), , "Values for variables that nobody set. Not for secrets: this file is part of the source.";
    "generate" Shape::Named(&FREE_VARIABLE, &Shape::Text(&RECIPE)), , "Variables that get a random value, once for each environment, where nobody set them: `64 hex`, `32 letters` or `uuid`.";
    "rotate_every" Shape::Duration(24 * HOUR, 3650 * 24 * HOUR), = "\"90d\"", "After how long `hostkit doctor` calls a secret old: a variable that is named like one, or the credential of an add-on.";
    "checks" Shape::Named(&FREE_VARIABLE, &Shape::Table(CHECK)), , "What values must be; a deploy with others is refused before it changes anything.";
};

const CHECK: &[Key] = keys! {
    "min_length" Shape::Whole(1, 65536), , "The fewest characters it may have.";
    "format" Shape::OneOf(&ValueFormat::WORDS), , "What it looks like: `url`, `integer`, or `boolean` (`true` or `false`).";
    "pattern" Shape::Text(&VALUE_PATTERN), , "A regular expression for the whole value.";
};

const RELEASES: &[Key] = keys! {
    "keep" Shape::Whole(2, 1000), = "5", "How many releases are kept. The live and the previous one are never removed.";
    "command" Shape::Command, , "A command run once before a new release starts. Checked and stored; run by a later version.";
};

const SCAN: &[Key] = keys! {
    "secrets" Shape::OneOf(&Policy::WORDS), = "\"warn\"", "What becomes of a deployment with secrets in its source: `warn` tells them, `stop` fails it before it is built, `off` does not look.";
    "ignore" Shape::List(&Shape::Text(&GLOB)), , "Files that are not looked at, written as in .gitignore: `tests/`, `*.pem`, `docs/**/*.md`.";
};

const CRON: &[Key] = keys! {
    "name" Shape::Text(&PROCESS), [needed], "Its name, once in the file.";
    "schedule" Shape::Text(&SCHEDULE), [needed], "Minute, hour, day of month, month and day of week, in UTC: `0 3 * * *` is every night at three.";
    "command" Shape::Command, [needed], "What is run.";
};

/// Every key of the file as its path, `NAME` standing for a name of the user's choice.
#[cfg(test)]
pub(super) fn every_path() -> Vec<String> {
    let mut paths = Vec::new();
    collect("", ROOT, &mut paths);
    paths
}

#[cfg(test)]
fn collect(above: &str, keys: &[Key], paths: &mut Vec<String>) {
    for key in keys {
        let path = format!("{above}{}", key.name);
        paths.push(path.clone());
        descend(path, &key.shape, paths);
    }
}

#[cfg(test)]
fn descend(path: String, shape: &Shape, paths: &mut Vec<String>) {
    match shape {
        Shape::Table(keys) => collect(&format!("{path}."), keys, paths),
        Shape::Named(_, shape) => descend(format!("{path}.NAME"), shape, paths),
        Shape::List(shape) => descend(path, shape, paths),
        _ => {}
    }
}
