//! The place one build works in: its exact environment, its limits, its log. Every program of a build is started here.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::log::LogStream;
use hostkit_core::manifest::Command;
use hostkit_core::secret::Secret;
use hostkit_core::traits::{BuildJob, BuildLog};
use hostkit_core::variables::mask::Masker;
use hostkit_host::command::{Ending, Job, Limits, Priority};

use super::toolbox::Toolbox;
use crate::blocking::cannot;

/// How many of a program's last lines a failure carries.
const LAST_LINES: usize = 30;

/// How folders for what only one build needs are called.
const SCRATCH: &str = "scratch-";
/// What is older than this is no build's any more: it was killed.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

/// Removes scratch of builds that were killed. Best effort: what stays is found next time.
fn forget_abandoned(cache: &Path) {
    for entry in fs::read_dir(cache).into_iter().flatten().flatten() {
        let is_old = || {
            entry
                .metadata()?
                .modified()?
                .elapsed()
                .map_err(std::io::Error::other)
        };
        let is_scratch = entry.file_name().to_string_lossy().starts_with(SCRATCH);
        if is_scratch && is_old().is_ok_and(|age| age > ABANDONED) {
            let _ = hostkit_host::files::remove_tree(&entry.path());
        }
    }
}

/// One build.
pub(crate) struct Workshop<'a> {
    pub(crate) tools: &'a Toolbox,
    pub(crate) job: &'a BuildJob,
    log: &'a dyn BuildLog,
    home: PathBuf,
    scratch: tempfile::TempDir,
    ends: Instant,
}

/// One program of a build.
pub(crate) struct Step {
    /// What it is for, after `cannot`: `install the dependencies`.
    pub(crate) act: &'static str,
    /// What is started.
    pub(crate) command: Command,
    /// Folders put in front of PATH.
    pub(crate) path: Vec<PathBuf>,
    /// Variables for this program, over all others.
    pub(crate) variables: Vec<(&'static str, String)>,
    /// Reads a hint out of the last lines.
    pub(crate) hint: fn(&str) -> Option<&'static str>,
}

impl Step {
    /// A step with nothing special.
    pub(crate) fn new(act: &'static str, command: Command) -> Self {
        Step {
            act,
            command,
            path: Vec::new(),
            variables: Vec::new(),
            hint: |_| None,
        }
    }
}

/// A command of plain arguments.
pub(crate) fn arguments<T: Into<String>>(parts: impl IntoIterator<Item = T>) -> Command {
    Command::Arguments(parts.into_iter().map(Into::into).collect())
}

impl<'a> Workshop<'a> {
    /// Makes the folders a build needs besides its source.
    pub(crate) fn open(
        tools: &'a Toolbox,
        job: &'a BuildJob,
        log: &'a dyn BuildLog,
    ) -> Result<Self, Failure> {
        let home = job.cache.join("home");
        fs::create_dir_all(&home).map_err(cannot("create", &home))?;
        forget_abandoned(&job.cache);
        let scratch = tempfile::Builder::new()
            .prefix(SCRATCH)
            .tempdir_in(&job.cache)
            .map_err(cannot("create a folder in", &job.cache))?;
        let ends = Instant::now() + job.rule.timeout.0;
        Ok(Workshop {
            tools,
            job,
            log,
            home,
            scratch,
            ends,
        })
    }

    /// Says something about the build in its log.
    pub(crate) fn say(&self, text: &str) {
        self.log.line(LogStream::Hostkit, text);
    }

    /// A folder of the project's cache, by name.
    pub(crate) fn cache(&self, name: &str) -> String {
        self.job.cache.join(name).display().to_string()
    }

    /// A folder for what only this build needs.
    pub(crate) fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// Runs a step in the source folder to its end. It is a failure if it ends other than well.
    pub(crate) async fn run(&self, step: Step) -> Result<(), Failure> {
        self.run_in(&self.job.source, step).await
    }

    async fn run_in(&self, directory: &Path, step: Step) -> Result<(), Failure> {
        let shown = step.command.to_string();
        self.say(&format!("$ {shown}"));
        let job = self.host_job(&step, directory, self.time_left());
        let mut last = VecDeque::with_capacity(LAST_LINES + 1);
        let ending = self
            .tools
            .guard
            .run(&job, &mut |stream, line| {
                self.log.line(stream, line);
                last.push_back(line.to_owned());
                if last.len() > LAST_LINES {
                    last.pop_front();
                }
            })
            .await
            .map_err(|why| Failure {
                message: format!("cannot {}: {}", step.act, why.message),
                ..why
            })?;
        if ending.is_success() {
            Ok(())
        } else {
            Err(self.failure(&step, &shown, ending, last))
        }
    }

    /// What a short program prints, trimmed; for questions such as `node --version`.
    pub(crate) async fn ask(&self, program: &Path, question: &[&str]) -> Result<String, Failure> {
        let mut command = vec![program.display().to_string()];
        command.extend(question.iter().map(|part| (*part).to_owned()));
        let step = Step::new("ask a program for its version", Command::Arguments(command));
        let job = self.host_job(
            &step,
            &self.job.source,
            self.time_left().min(Duration::from_secs(30)),
        );
        let mut answer = String::new();
        let ending = self
            .tools
            .guard
            .run(&job, &mut |stream, line| {
                if stream == LogStream::Out {
                    answer.push_str(line);
                    answer.push('\n');
                }
            })
            .await?;
        if ending.is_success() {
            return Ok(answer.trim().to_owned());
        }
        Err(Failure::new(
            Kind::Unavailable,
            format!(
                "cannot use `{}`: `{}` ended with {ending}",
                program.display(),
                step.command
            ),
        ))
    }

    fn host_job(&self, step: &Step, directory: &Path, time: Duration) -> Job {
        let mut parts = match &step.command {
            Command::Arguments(parts) => parts.clone(),
            // The user's own line, as one argument: nothing of ours is put into it.
            Command::Line(line) => vec!["/bin/sh".to_owned(), "-c".to_owned(), line.clone()],
        };
        let program = if parts.is_empty() {
            String::new()
        } else {
            parts.remove(0)
        };
        Job {
            program,
            arguments: parts,
            environment: self.environment(step),
            directory: directory.to_owned(),
            limits: Limits {
                time: Some(time),
                memory: Some(self.job.rule.memory),
                priority: Priority::Background,
            },
        }
    }

    /// The whole environment of a program: what the operator says about registries, then the user's variables, then
    /// what a build cannot do without.
    fn environment(&self, step: &Step) -> BTreeMap<String, String> {
        let mut all = self.tools.operator.clone();
        for (name, value) in [
            ("LANG", "C.UTF-8"),
            ("CI", "1"),
            ("NEXT_TELEMETRY_DISABLED", "1"),
            ("NO_COLOR", "1"),
        ] {
            all.insert(name.into(), value.into());
        }
        for (name, value) in &self.job.variables {
            all.insert(name.to_string(), value.reveal().to_owned());
        }
        for (name, value) in [
            ("HOME", self.home.display().to_string()),
            ("TMPDIR", self.scratch.path().display().to_string()),
            ("npm_config_cache", self.cache("npm")),
            ("npm_config_update_notifier", "false".into()),
            ("YARN_CACHE_FOLDER", self.cache("yarn")),
            ("PIP_CACHE_DIR", self.cache("pip")),
            ("PIP_DISABLE_PIP_VERSION_CHECK", "1".into()),
            ("UV_CACHE_DIR", self.cache("uv")),
        ] {
            all.insert(name.into(), value);
        }
        for (name, value) in &step.variables {
            all.insert((*name).to_owned(), value.clone());
        }
        let mut path: Vec<String> = step
            .path
            .iter()
            .map(|folder| folder.display().to_string())
            .collect();
        path.push(self.tools.path());
        all.insert("PATH".into(), path.join(":"));
        all
    }

    fn time_left(&self) -> Duration {
        self.ends
            .saturating_duration_since(Instant::now())
            .max(Duration::from_millis(1))
    }

    fn failure(&self, step: &Step, shown: &str, ending: Ending, last: VecDeque<String>) -> Failure {
        // A failure is stored and answered as it is; the log is masked by its receiver.
        let mask = Masker::new(self.job.variables.values().map(Secret::reveal));
        let last: Vec<String> = last.iter().map(|line| mask.mask(line).into_owned()).collect();
        let rule = &self.job.rule;
        let failure = |why: String, hint: &str| {
            Failure::new(Kind::Failed, format!("cannot {}: {why}", step.act))
                .hint(hint)
                .details(last.clone())
        };
        match ending {
            Ending::TimedOut => failure(
                format!("the build took longer than {} (during `{shown}`)", rule.timeout),
                "give it more time with `timeout` under `[build]` in hostkit.toml",
            ),
            Ending::OutOfMemory => failure(
                format!("`{shown}` used more memory than {}", rule.memory),
                "give it more with `memory` under `[build]` in hostkit.toml",
            ),
            other => failure(
                format!("`{shown}` ended with {other}"),
                (step.hint)(&last.join("\n"))
                    .unwrap_or("run the same command in the folder to see the error again"),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    #[test]
    fn scratch_of_killed_builds_is_removed_and_of_others_not() {
        let cache = tempfile::tempdir().unwrap();
        let make = |name: &str, age: Duration| {
            let folder = cache.path().join(name);
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join("file"), "x").unwrap();
            fs::File::open(&folder)
                .unwrap()
                .set_modified(SystemTime::now() - age)
                .unwrap();
        };
        make("scratch-old", ABANDONED * 2);
        make("scratch-new", Duration::ZERO);
        make("npm", ABANDONED * 2);
        forget_abandoned(cache.path());
        let mut left: Vec<_> = fs::read_dir(cache.path())
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(left, ["npm", "scratch-new"]);
    }
}
