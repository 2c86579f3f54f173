//! What a command knows of its surroundings: the installation, the way to its API, and the project that is meant.

mod hint;

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};

use hostkit_api::client::{Address, Client};
use hostkit_api::endpoints::{GetCaller, NoQuery};
use hostkit_api::target::Installation;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::layout::Layout;
use hostkit_core::manifest::{self, Manifest};
use hostkit_core::names::ProjectName;
use hostkit_core::project::EnvironmentId;
use hostkit_core::secret::Secret;

use crate::args::{Globals, Target};
use crate::local;
use crate::output::Printer;
use crate::upload::reason;

/// One run of the command line.
pub(crate) struct Session<'a> {
    globals: Globals,
    printer: &'a Printer,
    /// What the command turned out to be about: hints name it.
    meant: RefCell<Option<EnvironmentId>>,
    /// Whether that is only the name of the folder, which may be no project at all.
    guessed: Cell<bool>,
}

impl<'a> Session<'a> {
    pub(crate) fn new(globals: Globals, printer: &'a Printer) -> Self {
        Session {
            globals,
            printer,
            meant: RefCell::new(None),
            guessed: Cell::new(false),
        }
    }

    pub(crate) fn printer(&self) -> &'a Printer {
        self.printer
    }

    /// Whether the API is somewhere else, told by its URL.
    pub(crate) fn is_remote(&self) -> bool {
        self.globals.url.is_some()
    }

    /// The data folder, absolute.
    pub(crate) fn data(&self) -> Result<PathBuf, Failure> {
        let named = self
            .globals
            .data
            .clone()
            .filter(|path| !path.as_os_str().is_empty());
        let data = named
            .or_else(|| local::default_data(|name| std::env::var_os(name)))
            .ok_or_else(|| {
                Failure::new(Kind::Invalid, "cannot find the data folder: HOME is not set")
                    .hint("name it with `--data DIR`")
            })?;
        std::path::absolute(&data).map_err(|error| {
            Failure::new(
                Kind::Invalid,
                format!(
                    "cannot find the data folder `{}`: {}",
                    data.display(),
                    reason(&error)
                ),
            )
        })
    }

    /// Where the installation lies that is meant: in the folder that is named, else the server this machine is (also
    /// while it is stopped and its sockets are gone), else the account's own.
    fn layout(&self) -> Result<Layout, Failure> {
        let server = Layout::server();
        let named = self.globals.data.as_ref();
        match named.is_none_or(|path| path.as_os_str().is_empty()) && server.run().is_dir() {
            true => Ok(server),
            false => Ok(Layout::new(self.data()?)),
        }
    }

    /// Whether the installation that is meant is that of a server.
    pub(crate) fn is_server(&self) -> bool {
        self.layout().is_ok_and(|layout| layout.is_server())
    }

    /// Where stat caches lie; nowhere if there is no place for them.
    pub(crate) fn cache(&self) -> Option<PathBuf> {
        Some(local::default_cache(|name| std::env::var_os(name))?.join("stat"))
    }

    /// The way to the API. Nothing is sent yet.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        let given = self.given_token();
        if let Some(url) = &self.globals.url {
            let token = match given {
                Some(token) => Some(token),
                None => self
                    .data()
                    .ok()
                    .and_then(|data| read_token(&Layout::new(data)).ok().flatten()),
            };
            return Ok(Client::new(Address::parse(url)?, token));
        }
        let layout = self.layout()?;
        let token = match given {
            Some(token) => Some(token),
            // The server asks the kernel who calls.
            None if layout.is_server() => None,
            None => read_token(&layout)?,
        };
        Ok(Client::new(Address::Socket(layout.control_socket()), token))
    }

    /// The project and environment a command is about: named, from the manifest in the current folder, the only one
    /// that the caller may work on, or called after that folder as a deploy from it is.
    pub(crate) async fn target(&self, target: &Target) -> Result<EnvironmentId, Failure> {
        let project = self.project(target.project.as_ref()).await?;
        let environment = EnvironmentId::new(project, target.environment.clone());
        self.is_about(&environment);
        Ok(environment)
    }

    /// Remembers what the command is about, for its hints.
    pub(crate) fn is_about(&self, environment: &EnvironmentId) {
        *self.meant.borrow_mut() = Some(environment.clone());
    }

    /// The project a command is about.
    pub(crate) async fn project(&self, named: Option<&ProjectName>) -> Result<ProjectName, Failure> {
        if let Some(name) = named {
            return Ok(name.clone());
        }
        if let Some(name) = of_manifest()? {
            return Ok(name);
        }
        if let Some(name) = self.own_project().await {
            return Ok(name);
        }
        self.guessed.set(!Path::new(manifest::FILE_NAME).exists());
        of_current_folder().ok_or_else(|| untold(None))
    }

    /// The one project that whoever calls may work on, where there is such a limit: the account of a project on a
    /// server, or a token of one. Control is asked, and only where the caller can be such a one. Where it does not
    /// answer there is none, and the command itself will say why.
    pub(crate) async fn own_project(&self) -> Option<ProjectName> {
        let is_owner = self.globals.url.is_none() && self.given_token().is_none() && !self.is_server();
        if is_owner {
            return None;
        }
        let asked = self.client().ok()?;
        let caller = asked.call::<GetCaller>(&Installation, &NoQuery {}, &()).await;
        caller.ok()?.project
    }

    fn given_token(&self) -> Option<Secret> {
        let token = self.globals.token.clone().filter(|token| !token.is_empty());
        token.map(Secret::new)
    }

    /// Whether nothing names a project here: the folder's name is all there is.
    pub(crate) fn has_guessed(&self) -> bool {
        self.guessed.get()
    }

    /// A failure as this command tells it: with the project in the commands to try, and the real reason where a
    /// folder's name is no project's.
    pub(crate) fn tells(&self, mut failure: Failure) -> Failure {
        let meant = self.meant.borrow();
        if let Some(meant) = meant.as_ref() {
            let missing = format!("cannot find project `{}`", meant.project);
            if self.guessed.get() && failure.kind == Kind::NotFound && failure.message.starts_with(&missing) {
                return untold(Some(&meant.project));
            }
            let target = spelled(meant);
            failure.hint = failure.hint.map(|hint| hint::complete(&hint, &target));
        }
        failure
    }
}

/// Nothing says which project is meant.
fn untold(tried: Option<&ProjectName>) -> Failure {
    let here = if Path::new(manifest::FILE_NAME).exists() {
        "./hostkit.toml has no `name`".to_owned()
    } else {
        "there is no ./hostkit.toml".to_owned()
    };
    let why = match tried {
        Some(name) => format!("{here}, and no project is called `{name}` like this folder"),
        None => here,
    };
    Failure::new(
        Kind::Invalid,
        format!("cannot tell which project is meant: {why}"),
    )
    .hint("name it with `--project NAME` or HOSTKIT_PROJECT; `hostkit project list` shows all")
}

/// The project that the manifest in the current folder names.
fn of_manifest() -> Result<Option<ProjectName>, Failure> {
    Ok(read_manifest(Path::new(manifest::FILE_NAME))?.and_then(|manifest| manifest.name))
}

/// The project that is called like the current folder.
fn of_current_folder() -> Option<ProjectName> {
    name_of_folder(&std::env::current_dir().ok()?)
}

/// The options that name an environment in a command to try next: nothing where the current folder says it.
pub(crate) fn spelled(environment: &EnvironmentId) -> String {
    let here = of_manifest().ok().flatten().or_else(of_current_folder);
    let mut options = String::new();
    if here.as_ref() != Some(&environment.project) {
        options.push_str(&format!(" -p {}", environment.project));
    }
    if !environment.environment.is_production() {
        options.push_str(&format!(" -e {}", environment.environment));
    }
    options
}

/// The checked manifest of a folder, if it has one.
pub(crate) fn read_manifest(file: &Path) -> Result<Option<Manifest>, Failure> {
    let shown = file.display();
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(Failure::new(
                Kind::Invalid,
                format!("cannot read `{shown}`: {}", reason(&error)),
            ));
        }
    };
    manifest::parse(&text)
        .map(Some)
        .map_err(|problems| problems.into_failure(&shown.to_string()))
}

fn read_token(layout: &Layout) -> Result<Option<Secret>, Failure> {
    let file = layout.token();
    match std::fs::read_to_string(&file) {
        Ok(text) => Ok(Some(Secret::new(text.trim()))),
        // Without an installation the socket's absence is the better message.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => Err(Failure::new(
            Kind::Invalid,
            format!(
                "cannot use the data folder `{}`: it is no folder",
                file.parent().unwrap_or(&file).display()
            ),
        )
        .hint("name another one with `--data DIR` or HOSTKIT_DATA")),
        Err(error) => Err(Failure::new(
            Kind::Denied,
            format!("cannot read the token `{}`: {}", file.display(), reason(&error)),
        )
        .hint("run as the account that ran `hostkit up`, or set HOSTKIT_TOKEN")),
    }
}

/// A project name from a folder's name, where one can be made.
pub(crate) fn name_of_folder(folder: &Path) -> Option<ProjectName> {
    let text = folder.file_name()?.to_string_lossy().to_lowercase();
    let mut name = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            'a'..='z' | '0'..='9' => name.push(c),
            _ if name.ends_with('-') || name.is_empty() => {}
            _ => name.push('-'),
        }
    }
    let name = name.trim_start_matches(|c: char| !c.is_ascii_lowercase());
    let name: String = name.chars().take(32).collect();
    ProjectName::parse(name.trim_end_matches('-')).ok()
}

#[cfg(test)]
mod tests;
