//! What all builders are given once, and what they learn about the installed programs.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use hostkit_core::size::ByteSize;
use hostkit_host::command::Guard;
use hostkit_host::launch::find_program;

use crate::operator::search_path;

/// How long an answer of `node --version` is believed. What hides behind a version switcher may change without a
/// change of its file.
const BELIEVED: Duration = Duration::from_secs(300);

/// Settings and programs, shared by the builders of one process.
#[derive(Debug)]
pub(crate) struct Toolbox {
    pub(crate) guard: Guard,
    pub(crate) operator: BTreeMap<String, String>,
    pub(crate) min_free: ByteSize,
    answers: Mutex<HashMap<(PathBuf, SystemTime), (Instant, String)>>,
}

impl Toolbox {
    pub(crate) fn new(guard: Guard, operator: BTreeMap<String, String>, min_free: ByteSize) -> Self {
        Toolbox {
            guard,
            operator,
            min_free,
            answers: Mutex::default(),
        }
    }

    /// The PATH of the machine, without folders of the project.
    pub(crate) fn path(&self) -> String {
        search_path(&self.operator)
    }

    /// The file behind a program's name, if it is installed.
    pub(crate) fn find(&self, program: &str) -> Option<PathBuf> {
        let environment = BTreeMap::from([("PATH".to_owned(), self.path())]);
        find_program(program, &environment, Path::new("/")).ok()
    }

    /// What was learnt about a program, if not too long ago.
    pub(crate) fn known(&self, program: &Path) -> Option<String> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, answer) = answers.get(&identity(program)?)?;
        (at.elapsed() < BELIEVED).then(|| answer.clone())
    }

    /// Remembers what was learnt about a program.
    pub(crate) fn remember(&self, program: &Path, answer: &str) {
        if let Some(identity) = identity(program) {
            let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            answers.insert(identity, (Instant::now(), answer.to_owned()));
        }
    }
}

fn identity(program: &Path) -> Option<(PathBuf, SystemTime)> {
    let changed = std::fs::metadata(program).ok()?.modified().ok()?;
    Some((program.to_owned(), changed))
}
