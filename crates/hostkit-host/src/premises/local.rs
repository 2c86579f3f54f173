//! Local mode: everything is one account's, so a project needs nothing beforehand and its files are plain ones.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::layout::Layout;
use hostkit_core::names::{ProjectName, ReleaseName};
use hostkit_core::project::EnvironmentId;
use hostkit_core::secret::Secret;
use hostkit_core::traits::{Audience, Files, Premises};

use crate::file_ops::DiskFiles;

/// The premises of projects below one data folder.
#[derive(Debug, Clone)]
pub struct LocalPremises {
    layout: Layout,
}

impl LocalPremises {
    /// Those of one installation.
    pub fn new(layout: Layout) -> Self {
        LocalPremises { layout }
    }

    fn show(&self, id: &EnvironmentId, live: Option<(&ReleaseName, &Secret)>) -> Result<(), Failure> {
        let (link, dotenv) = (self.layout.current(id), self.layout.dotenv(id));
        let files = DiskFiles::default();
        let Some((release, variables)) = live else {
            files.remove(&link).map_err(|e| failure("remove", &link, &e))?;
            return files.remove(&dotenv).map_err(|e| failure("remove", &dotenv, &e));
        };
        files
            .point_link(&link, &self.layout.release(id, release))
            .map_err(|e| failure("link", &link, &e))?;
        files
            .write_private(&dotenv, variables.reveal().as_bytes())
            .map_err(|e| failure("write", &dotenv, &e))
    }
}

#[async_trait]
impl Premises for LocalPremises {
    async fn ensure(&self, _: &ProjectName) -> Result<Vec<String>, Failure> {
        Ok(Vec::new())
    }

    async fn remove(&self, _: &ProjectName) -> Result<(), Failure> {
        Ok(())
    }

    async fn ensure_environment(&self, id: &EnvironmentId) -> Result<(), Failure> {
        let folder = self.layout.environment(id);
        DiskFiles::default()
            .create_folder(&folder)
            .map_err(|e| failure("create", &folder, &e))
    }

    async fn files(&self, _: &ProjectName) -> Result<Arc<dyn Files>, Failure> {
        Ok(Arc::new(DiskFiles::default()))
    }

    async fn give(&self, _: &ProjectName, _: Vec<PathBuf>) -> Result<(), Failure> {
        Ok(())
    }

    async fn settle_release(&self, _: &EnvironmentId, _: &ReleaseName, _: Audience) -> Result<(), Failure> {
        Ok(())
    }

    async fn show_live(
        &self,
        id: &EnvironmentId,
        live: Option<(&ReleaseName, &Secret)>,
    ) -> Result<(), Failure> {
        self.show(id, live)
    }
}

fn failure(verb: &str, path: &Path, why: &io::Error) -> Failure {
    let failure = Failure::new(
        Kind::Internal,
        format!("cannot {verb} `{}`: {why}", path.display()),
    );
    match why.kind() {
        io::ErrorKind::StorageFull => Failure {
            kind: Kind::Unavailable,
            ..failure
        }
        .hint("free some space, then deploy again"),
        _ => failure,
    }
}
