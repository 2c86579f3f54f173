//! Python programs: dependencies in a virtual environment of the release, and the web framework recognised.

mod application;
mod environment;
mod interpreter;
mod movable;
mod requirements;

use std::path::Path;
use std::sync::Arc;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::release::Artifact;
use hostkit_core::traits::{BuildJob, BuildLog, Builder, Detected};
use hostkit_host::files::folder_size;

use crate::blocking::{aside, cannot};
use crate::shared::disk;
use crate::shared::programs::{Surroundings, relative};
use crate::shared::toolbox::Toolbox;
use crate::shared::tree::{has_file, has_folder};
use crate::shared::workshop::{Step, Workshop};

/// Files that make a folder a Python project, in the order in which they are told.
const SIGNS: [&str; 9] = [
    "requirements.txt",
    "uv.lock",
    "pyproject.toml",
    "Pipfile",
    "manage.py",
    "setup.py",
    "app.py",
    "main.py",
    "app/__main__.py",
];

/// The builder `python`.
pub(crate) struct Python {
    tools: Arc<Toolbox>,
}

impl Python {
    pub(crate) fn new(tools: Arc<Toolbox>) -> Self {
        Python { tools }
    }
}

#[async_trait::async_trait]
impl Builder for Python {
    fn name(&self) -> &'static str {
        "python"
    }

    fn detect(&self, folder: &Path) -> Option<Detected> {
        let sign = SIGNS.iter().find(|sign| has_file(folder, sign))?;
        Some(Detected {
            because: (*sign).to_owned(),
        })
    }

    async fn build(&self, job: &BuildJob, log: &dyn BuildLog) -> Result<Artifact, Failure> {
        let (checked, tools) = (job.clone(), self.tools.clone());
        let dropped = aside(move || {
            let dropped = drop_uploaded_environments(&checked.source)?;
            let bytes = folder_size(&checked.source).map_err(cannot("read", &checked.source))?;
            disk::check(&checked, bytes, tools.min_free)?;
            Ok(dropped)
        })
        .await?;
        let workshop = Workshop::open(&self.tools, job, log)?;
        let mut assumed: Vec<String> = dropped
            .into_iter()
            .map(|name| format!("The uploaded virtual environment `{name}` is not used: one is made here."))
            .collect();
        let python = interpreter::choose(&workshop, &mut assumed).await?;
        let wanted = requirements::read(&job.source, &mut assumed)?;
        environment::install(&workshop, &python, wanted).await?;
        let (venv, source) = (job.source.join(environment::VENV), job.source.clone());
        let app = aside(move || Ok(application::recognise(&source, &venv))).await?;
        self.prepare(&workshop, &app).await?;
        assumed.push(app.because.clone());
        let surroundings = Surroundings {
            path: vec![relative("venv/bin")],
            variables: app.variables.clone().into_iter().collect(),
        };
        let proposal = app
            .command
            .map(|command| surroundings.program(command, app.directory));
        let programs = surroundings.programs(&job.source, proposal, &mut assumed)?;
        let moved = job.clone();
        aside(move || disk::move_to_output(&moved, &moved.source)).await?;
        Ok(Artifact {
            builder: self.name().into(),
            files: None,
            programs,
            assumed,
        })
    }
}

impl Python {
    /// The user's build command, else what the framework needs done once a release.
    async fn prepare(&self, workshop: &Workshop<'_>, app: &application::Application) -> Result<(), Failure> {
        let (act, command) = match (&workshop.job.rule.command, &app.prepare) {
            (Some(own), _) => ("build the source", own.clone()),
            (None, Some(command)) => ("collect the static files", command.clone()),
            (None, None) => return Ok(()),
        };
        let mut step = Step::new(act, command);
        step.path.push(workshop.job.source.join("venv/bin"));
        step.hint = |output| {
            output.contains("ImproperlyConfigured").then_some(
                "Django's settings need a variable that is not set: set it with `hostkit env set NAME=VALUE`",
            )
        };
        workshop.run(step).await
    }
}

/// Virtual environments hold paths of the machine they were made on.
fn drop_uploaded_environments(source: &Path) -> Result<Vec<String>, Failure> {
    let mut dropped = Vec::new();
    for name in ["venv", ".venv", "env"] {
        if has_file(&source.join(name), "pyvenv.cfg") {
            let path = source.join(name);
            hostkit_host::files::remove_tree(&path).map_err(cannot("remove the uploaded", &path))?;
            dropped.push(name.to_owned());
        }
    }
    if has_folder(source, environment::VENV) || has_file(source, environment::VENV) {
        return Err(Failure::new(
            Kind::Invalid,
            "cannot build the source: its `venv` is no virtual environment, and one is made under this name",
        )
        .hint("rename it, or leave it out with a line in `.hostkitignore`"));
    }
    Ok(dropped)
}

#[cfg(test)]
mod tests;
