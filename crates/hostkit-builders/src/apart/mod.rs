//! Builds of a server: each in a systemd unit of its own, as the project's account, with walls and limits around it.
//! The builder itself runs there, not only the programs it starts: whatever a project's files make it follow, it
//! follows with the project's rights. It is our own binary in the role `build`, told what to do on its input and
//! telling lines and the outcome on its output ([`words`]). What comes from there is the project's word, and read so.

mod room;
mod unit;
mod words;
mod worker;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::release::Artifact;
use hostkit_core::size::ByteSize;
use hostkit_core::traits::{BuildJob, BuildLog, Builder, Detected};
use hostkit_host::accounts::{Account, Accounts};
use hostkit_host::beneath::Folder;
use hostkit_host::command::Ending;
use hostkit_host::systemd::{UnitLimits, UnitName, Units};
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe::{Receiver, Sender};

use crate::BuilderSettings;
use words::{Order, Word, Words};
pub use worker::run as run_worker;

/// What builds of a server are told once.
#[derive(Clone)]
pub struct ApartSettings {
    /// Starts the units.
    pub units: Arc<dyn Units>,
    /// Knows the projects' accounts.
    pub accounts: Arc<dyn Accounts>,
    /// Our own program, at a place that every account may run it from.
    pub program: PathBuf,
    /// What a build may use at most, where its manifest does not say less.
    pub limits: UnitLimits,
    /// The unit of the caller, with which builds end.
    pub caller: Option<UnitName>,
    /// How much room there is on the file system of a path.
    pub free_space: FreeSpace,
}

/// Asks how many bytes are free where a path is.
pub type FreeSpace = fn(&Path) -> std::io::Result<u64>;

/// The builders, each in a unit of its own; in the order in which they are asked.
pub fn catalogue(settings: &BuilderSettings, apart: &ApartSettings) -> Vec<Arc<dyn Builder>> {
    let inside = crate::catalogue(settings.clone()).into_iter();
    inside
        .map(|inner| {
            Arc::new(Apart {
                inner,
                settings: settings.clone(),
                apart: apart.clone(),
            }) as Arc<dyn Builder>
        })
        .collect()
}

struct Apart {
    inner: Arc<dyn Builder>,
    settings: BuilderSettings,
    apart: ApartSettings,
}

#[async_trait::async_trait]
impl Builder for Apart {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    /// Here and now: the source is a copy that nobody but root could touch yet, without links that leave it.
    fn detect(&self, folder: &Path) -> Option<Detected> {
        self.inner.detect(folder)
    }

    async fn build(&self, job: &BuildJob, log: &dyn BuildLog) -> Result<Artifact, Failure> {
        let account = self.account(job).await?;
        // What the build makes, it makes here; given for as long as it runs.
        let place = Lent::new(job, account)?;
        let outcome = self.run(job, log).await;
        place.take_back()?;
        let artifact = outcome?;
        if !std::fs::symlink_metadata(&job.output).is_ok_and(|found| found.is_dir()) {
            return Err(Failure::new(
                Kind::Failed,
                "cannot build: the builder ended without a folder of results",
            ));
        }
        Ok(artifact)
    }
}

impl Apart {
    async fn account(&self, job: &BuildJob) -> Result<Account, Failure> {
        let found = self.apart.accounts.observe(&job.project).await?;
        found.ok_or_else(|| {
            Failure::new(
                Kind::Unavailable,
                format!(
                    "cannot build: project `{}` has no account on this machine",
                    job.project
                ),
            )
            .hint("restart control, which makes what projects need: `systemctl restart hostkit-control`")
        })
    }

    async fn run(&self, job: &BuildJob, log: &dyn BuildLog) -> Result<Artifact, Failure> {
        let broken = |why: std::io::Error| {
            Failure::new(
                Kind::Internal,
                format!("cannot connect the streams of a build: {why}"),
            )
        };
        let (input, to_input) = std::io::pipe().map_err(broken)?;
        let (output, to_output) = std::io::pipe().map_err(broken)?;
        let unit = unit::of(&self.apart, job, self.name(), input.into(), to_output.into())?;
        let mut run = self.apart.units.start_transient(unit).await?;
        let order = Order::new(self.name(), job, &self.settings).text()?;
        let mut to_input = Sender::from_owned_fd(to_input.into()).map_err(broken)?;
        // A worker that ended before it was told everything says why by how it ended.
        let told = async {
            to_input.write_all(&order).await.ok();
            drop(to_input);
        };
        let mut words = Words::new(Receiver::from_owned_fd(output.into()).map_err(broken)?);
        let heard = async {
            let mut outcome = None;
            while let Some(word) = words.next().await {
                match word {
                    Word::Line { stream, text } => log.line(stream, &text),
                    Word::Ended(how) => outcome = Some(how),
                }
            }
            outcome
        };
        let whole = async {
            let ((), outcome) = tokio::join!(told, heard);
            (run.wait().await, outcome)
        };
        let ended = tokio::select! {
            ended = whole => ended,
            free = room::until_little_is_left(self.apart.free_space, job, self.settings.min_free) => {
                run.stop().await?;
                return Err(room::too_little(free, self.settings.min_free));
            }
        };
        let end = match ended {
            // The worker told it all: whether systemd still knows its unit says no more.
            (Err(_), Some(outcome)) => return *outcome,
            (end, outcome) => (end?.ending, outcome),
        };
        match end {
            (Ending::OutOfMemory, _) => Err(out_of_memory(unit::memory(&self.apart, job))),
            (Ending::TimedOut, _) => Err(Failure::new(
                Kind::Failed,
                "cannot build: it took longer than it may",
            )
            .hint("`timeout` in [build] of hostkit.toml is the longest a build may take")),
            (_, Some(outcome)) => *outcome,
            (ending, None) => Err(Failure::new(
                Kind::Failed,
                format!("cannot build: the builder ended with {ending} before it was done"),
            )),
        }
    }
}

fn out_of_memory(limit: ByteSize) -> Failure {
    Failure::new(
        Kind::Failed,
        format!("cannot build: it used more memory than it may ({limit})"),
    )
    .hint("`memory` in [build] of hostkit.toml is the most a build may use")
}

/// The folder in which a build works, its account's for as long as this lives.
struct Lent {
    around: Folder,
    name: String,
    taken_back: bool,
}

impl Lent {
    fn new(job: &BuildJob, to: Account) -> Result<Self, Failure> {
        let (Some(place), Some(source)) = (job.output.parent(), job.source.file_name()) else {
            return Err(misplaced(&job.output));
        };
        let (Some(around), Some(name)) = (place.parent(), place.file_name()) else {
            return Err(misplaced(&job.output));
        };
        if job.source.parent() != Some(place) {
            return Err(misplaced(&job.source));
        }
        let lent = Lent {
            around: Folder::open(around)?,
            name: name.to_string_lossy().into_owned(),
            taken_back: false,
        };
        let inside = lent
            .around
            .folder(&lent.name)?
            .ok_or_else(|| misplaced(&job.output))?;
        inside.give(&source.to_string_lossy(), to)?;
        lent.around.give_alone(&lent.name, to)?;
        Ok(lent)
    }

    fn take_back(mut self) -> Result<(), Failure> {
        self.taken_back = true;
        self.around.give_alone(&self.name, Account::own())
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if !self.taken_back
            && let Err(failure) = self.around.give_alone(&self.name, Account::own())
        {
            tracing::warn!(%failure, "cannot take a build folder back");
        }
    }
}

fn misplaced(path: &Path) -> Failure {
    Failure::new(
        Kind::Internal,
        format!("cannot build in `{}`: it is no place for it", path.display()),
    )
}
