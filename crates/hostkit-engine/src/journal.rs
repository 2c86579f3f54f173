//! The log of one deployment: masked, one JSON line each, capped. What a killed process had written stays.

use std::io::Write;
use std::sync::{Arc, Mutex};

use hostkit_core::deployment::DeploymentId;
use hostkit_core::kind::Kind;
use hostkit_core::log::{LogLine, LogStream};
use hostkit_core::names::ReleaseName;
use hostkit_core::project::EnvironmentId;
use hostkit_core::traits::BuildLog;
use hostkit_core::variables::Variables;
use hostkit_core::variables::mask::Masker;

use crate::addons;
use crate::context::{Context, locked};

/// The most a deployment may write; a build that prints without end must not fill the disk.
const MOST: u64 = 20 << 20;

pub(crate) struct Journal {
    context: Arc<Context>,
    id: DeploymentId,
    masker: Mutex<Masker>,
    out: Mutex<Out>,
}

struct Out {
    file: Option<Box<dyn Write + Send>>,
    written: u64,
}

impl Journal {
    /// Opens the log of a deployment, to go on where it ended.
    pub(crate) fn open(context: &Arc<Context>, environment: &EnvironmentId, id: DeploymentId) -> Self {
        let path = context.parts.layout.deployment_log(environment, id);
        let file = context.parts.files.append(&path).inspect_err(|error| {
            tracing::warn!(deployment = id, %error, "cannot write the log of a deployment");
        });
        let masker = masker(context, environment, &[], &Variables::new());
        Journal {
            context: context.clone(),
            id,
            masker: Mutex::new(masker),
            out: Mutex::new(Out {
                file: file.ok(),
                written: 0,
            }),
        }
    }

    /// Hides, from now on, the values that are set, those that these releases were frozen with, and those that a program
    /// was given: what was set when it began may be another value by now.
    pub(crate) fn hide(&self, environment: &EnvironmentId, releases: &[ReleaseName], given: &Variables) {
        *locked(&self.masker) = masker(&self.context, environment, releases, given);
    }

    /// HostKit's own word.
    pub(crate) fn say(&self, text: &str) {
        self.line(LogStream::Hostkit, text);
    }

    /// A text without the values of variables.
    pub(crate) fn mask(&self, text: &str) -> String {
        locked(&self.masker).mask(text).into_owned()
    }
}

/// Hides the values of an environment's variables, as they are and as releases were frozen with, and those of its add-ons,
/// and some that were given.
pub(crate) fn masker(
    context: &Context,
    environment: &EnvironmentId,
    releases: &[ReleaseName],
    given: &Variables,
) -> Masker {
    let store = &context.parts.store;
    let frozen = releases
        .iter()
        .map(|release| store.release_variables(environment, release));
    let mut all: Vec<Variables> = Vec::with_capacity(releases.len() + 1);
    for variables in std::iter::once(store.variables(environment)).chain(frozen) {
        match variables {
            Ok(variables) => all.push(variables),
            // Gone meanwhile, and its values with it.
            Err(failure) if failure.kind == Kind::NotFound => {}
            // What is secret is not known: better nothing is shown than too much.
            Err(_) => return Masker::of_everything(),
        }
    }
    let Ok(bound) = addons::secrets(context, environment) else {
        return Masker::of_everything();
    };
    let values = all
        .iter()
        .flat_map(Variables::values)
        .chain(&bound)
        .chain(given.values());
    Masker::new(values.map(|value| value.reveal()))
}

impl BuildLog for Journal {
    fn line(&self, stream: LogStream, text: &str) {
        let line = LogLine {
            at: self.context.parts.clock.now(),
            process: None,
            instance: None,
            stream,
            text: self.mask(text),
        };
        let Ok(mut bytes) = serde_json::to_vec(&line) else {
            return;
        };
        bytes.push(b'\n');
        let mut out = locked(&self.out);
        let before = out.written;
        out.written += bytes.len() as u64;
        // HostKit's own words still come through: they say why the deployment failed.
        if out.written > MOST && stream != LogStream::Hostkit {
            if before <= MOST {
                drop(out);
                self.say("further output is dropped: the log has 20 MB");
            }
            return;
        }
        // A log that cannot be written must not fail the deployment.
        if let Some(file) = &mut out.file
            && file.write_all(&bytes).is_err()
        {
            out.file = None;
        }
        drop(out);
        self.context.feeds.signal(self.id);
    }
}
