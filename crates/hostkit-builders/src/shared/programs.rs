//! The programs of an artifact: what the builder proposes, and the `Procfile` over it.

use std::collections::BTreeMap;
use std::path::Path;

use hostkit_core::kind::Failure;
use hostkit_core::manifest::Command;
use hostkit_core::names::{ProcessName, RelativePath};
use hostkit_core::release::Program;

use crate::procfile::{FILE_NAME, procfile};

/// How the programs of a folder are started, whichever they are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Surroundings {
    /// Folders put in front of PATH.
    pub(crate) path: Vec<RelativePath>,
    /// Variables every program gets.
    pub(crate) variables: BTreeMap<String, String>,
}

impl Surroundings {
    /// A program started in `directory`.
    pub(crate) fn program(&self, command: Command, directory: RelativePath) -> Program {
        Program {
            command,
            directory,
            path: self.path.clone(),
            variables: self.variables.clone(),
        }
    }

    /// The programs of a folder: those of its `Procfile`, where it has one, else the proposal as `web`.
    pub(crate) fn programs(
        &self,
        folder: &Path,
        proposal: Option<Program>,
        assumed: &mut Vec<String>,
    ) -> Result<BTreeMap<ProcessName, Program>, Failure> {
        let mut programs = BTreeMap::new();
        if let Some(program) = proposal {
            programs.insert(ProcessName::web(), program);
        }
        if let Some(file) = procfile(folder)? {
            let names: Vec<String> = file.programs.keys().map(|name| format!("`{name}`")).collect();
            assumed.push(format!("{FILE_NAME} names what runs: {}.", names.join(", ")));
            for (name, command) in file.programs {
                programs.insert(name, self.program(command, RelativePath::root()));
            }
        }
        Ok(programs)
    }
}

/// A path we made up ourselves.
pub(crate) fn relative(path: &str) -> RelativePath {
    RelativePath::parse(path).unwrap_or_else(|_| RelativePath::root())
}
