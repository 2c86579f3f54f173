//! Source folder into an artifact.

use std::path::{Path, PathBuf};

use crate::kind::Failure;
use crate::log::LogStream;
use crate::manifest::BuildRule;
use crate::names::ProjectName;
use crate::release::Artifact;
use crate::variables::Variables;

/// A way to build. One folder of `hostkit-builders` each.
#[async_trait::async_trait]
pub trait Builder: Send + Sync {
    /// Its name, as written in the manifest.
    fn name(&self) -> &'static str;

    /// Whether a source folder looks like its own, and by what sign. Knows nothing of other builders: the order in
    /// which they are asked decides. Reads files of `folder` only.
    fn detect(&self, folder: &Path) -> Option<Detected>;

    /// Turns `job.source` into `job.output`. May change the source folder (it is a private copy) and may rename it
    /// to the output. Stops every program it started when it fails or is dropped. Idempotent: the output folder does
    /// not exist when it is called.
    async fn build(&self, job: &BuildJob, log: &dyn BuildLog) -> Result<Artifact, Failure>;
}

/// Why a builder thinks a folder is its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detected {
    /// For the deploy log: `package.json with a next dependency`.
    pub because: String,
}

/// One build.
#[derive(Debug, Clone)]
pub struct BuildJob {
    /// Whose it is.
    pub project: ProjectName,
    /// The source, a private copy.
    pub source: PathBuf,
    /// Where the files of the release go. Does not exist yet; its parent does, on the same file system as `source`.
    pub output: PathBuf,
    /// Where files may stay from build to build, one folder per project.
    pub cache: PathBuf,
    /// What the user said.
    pub rule: BuildRule,
    /// The environment's variables; the build sees these, PATH, HOME, LANG, CI and nothing else.
    pub variables: Variables,
}

/// Where a build's words go. Lines are masked and kept by the receiver.
pub trait BuildLog: Send + Sync {
    /// One line of a program's output, or of the builder's own ([`LogStream::Hostkit`]).
    fn line(&self, stream: LogStream, text: &str);
}
