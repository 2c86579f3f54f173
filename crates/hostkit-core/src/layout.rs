//! Where things lie below the data folder. Paths only: nothing here touches the disk.
//!
//! ```text
//! hostkit.db  key  token                     state, master key and the CLI's token, all 0600
//! run/        control.sock proxy.sock up.json
//! proxy/      table.json requests.log        the front door's own
//! projects/NAME/
//!   blobs/ sources/                          uploaded content by hash; file lists
//!   cache/                                   dependencies by lockfile hash
//!   environments/ENV/releases/R/  ENV/app -> releases/R   what runs
//!   environments/ENV/shared/  ENV/.env                    what stays
//!   environments/ENV/build/D/                             scratch of deployment D
//!   environments/ENV/instances/I/                         one folder per instance
//!   environments/ENV/logs/                                app logs, deploy-D.jsonl
//! ```

use std::path::{Path, PathBuf};

use crate::deployment::DeploymentId;
use crate::names::{ProjectName, ReleaseName};
use crate::project::EnvironmentId;

/// The places of one installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    data: PathBuf,
}

impl Layout {
    /// The layout below an absolute data folder.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Layout { data: data.into() }
    }

    /// The data folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The state database.
    pub fn database(&self) -> PathBuf {
        self.data.join("hostkit.db")
    }

    /// The master key that values in the database are encrypted with.
    pub fn key(&self) -> PathBuf {
        self.data.join("key")
    }

    /// The CLI's token.
    pub fn token(&self) -> PathBuf {
        self.data.join("token")
    }

    /// Sockets and pid files.
    pub fn run(&self) -> PathBuf {
        self.data.join("run")
    }

    /// The API's unix socket.
    pub fn control_socket(&self) -> PathBuf {
        self.run().join("control.sock")
    }

    /// The front door's unix socket for tables and drains.
    pub fn proxy_socket(&self) -> PathBuf {
        self.run().join("proxy.sock")
    }

    /// Who runs and where: written by `hostkit up`.
    pub fn up_file(&self) -> PathBuf {
        self.run().join("up.json")
    }

    /// The front door's own folder.
    pub fn proxy(&self) -> PathBuf {
        self.data.join("proxy")
    }

    /// Everything of one project.
    pub fn project(&self, project: &ProjectName) -> PathBuf {
        self.data.join("projects").join(project.as_str())
    }

    /// Uploaded content by hash.
    pub fn blobs(&self, project: &ProjectName) -> PathBuf {
        self.project(project).join("blobs")
    }

    /// File lists of uploaded sources.
    pub fn sources(&self, project: &ProjectName) -> PathBuf {
        self.project(project).join("sources")
    }

    /// Dependency and builder caches.
    pub fn cache(&self, project: &ProjectName) -> PathBuf {
        self.project(project).join("cache")
    }

    /// Everything of one environment. Environments lie in a folder of their own below the project.
    pub fn environment(&self, id: &EnvironmentId) -> PathBuf {
        self.project(&id.project)
            .join("environments")
            .join(id.environment.as_str())
    }

    /// All releases of an environment.
    pub fn releases(&self, id: &EnvironmentId) -> PathBuf {
        self.environment(id).join("releases")
    }

    /// The files of one release.
    pub fn release(&self, id: &EnvironmentId, release: &ReleaseName) -> PathBuf {
        self.releases(id).join(release.as_str())
    }

    /// The link to the live release.
    pub fn current(&self, id: &EnvironmentId) -> PathBuf {
        self.environment(id).join("app")
    }

    /// Files that outlive releases.
    pub fn shared(&self, id: &EnvironmentId) -> PathBuf {
        self.environment(id).join("shared")
    }

    /// The variables as a file (0600).
    pub fn dotenv(&self, id: &EnvironmentId) -> PathBuf {
        self.environment(id).join(".env")
    }

    /// Scratch of one deployment's build.
    pub fn scratch(&self, id: &EnvironmentId, deployment: DeploymentId) -> PathBuf {
        self.environment(id).join("build").join(deployment.to_string())
    }

    /// One folder per instance.
    pub fn instances(&self, id: &EnvironmentId) -> PathBuf {
        self.environment(id).join("instances")
    }

    /// Logs of programs and deployments.
    pub fn logs(&self, id: &EnvironmentId) -> PathBuf {
        self.environment(id).join("logs")
    }

    /// The log of one deployment: one JSON [`crate::log::LogLine`] a line.
    pub fn deployment_log(&self, id: &EnvironmentId, deployment: DeploymentId) -> PathBuf {
        self.logs(id).join(format!("deploy-{deployment}.jsonl"))
    }
}
