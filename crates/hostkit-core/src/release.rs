//! Release: an artifact with its settings and variables, frozen under the time it was made.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::manifest::{Command, Manifest, ProcessRule};
use crate::names::{ProcessName, RelativePath, ReleaseName};
use crate::project::EnvironmentId;
use crate::source::SourceId;

/// A frozen release. Its files lie in the folder [`crate::layout::Layout::release`]; its variables are kept,
/// encrypted, by the store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Release {
    /// Whose release it is.
    pub environment: EnvironmentId,
    /// The time it was frozen.
    pub name: ReleaseName,
    /// What it was built from.
    pub source: SourceId,
    /// What the build made.
    pub artifact: Artifact,
    /// The manifest as it was.
    pub manifest: Manifest,
    /// The processes with every default filled in: what is run.
    pub processes: BTreeMap<ProcessName, FrozenProcess>,
    /// When it was frozen.
    pub created_at: Timestamp,
    /// The size of its files in bytes, shared blocks counted in full.
    pub bytes: u64,
}

/// What a builder made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Artifact {
    /// The builder that made it (of the root folder).
    pub builder: String,
    /// The folder of the release that the front door serves, for static sites.
    pub files: Option<StaticFiles>,
    /// Programs the builder proposes, for processes that name no command of their own.
    pub programs: BTreeMap<ProcessName, Program>,
    /// What was assumed because nobody said otherwise, one sentence each.
    pub assumed: Vec<String>,
}

/// Files the front door serves itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StaticFiles {
    /// The folder below the release.
    pub root: RelativePath,
    /// Whether unknown paths answer with `index.html`.
    pub single_page: bool,
}

/// A program of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Program {
    /// What is started.
    pub command: Command,
    /// The folder of the release it starts in.
    pub directory: RelativePath,
    /// Folders of the release put in front of PATH (`venv/bin`, `node_modules/.bin`).
    pub path: Vec<RelativePath>,
    /// Variables the program needs because of how it was built (`NODE_ENV=production`); the user's win.
    pub variables: BTreeMap<String, String>,
}

/// A process as it is run: the user's rule and the program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FrozenProcess {
    /// The rule with defaults filled in.
    pub rule: ProcessRule,
    /// What is started.
    pub program: Program,
}
