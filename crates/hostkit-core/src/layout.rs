//! Where things lie. Paths only: nothing here touches the disk. In local mode everything is below one data folder:
//!
//! ```text
//! hostkit.db  key  token                     state, master key and the CLI's token, all 0600
//! backup.key  backups/                       key of backups (0600), and where they are where no place is named
//! history.json                               whether a history of the databases is kept, and how long
//! run/        control.sock proxy.sock up.json
//! proxy/      table.json requests.log cache/ the front door's own
//! projects/NAME/
//!   blobs/ sources/                          uploaded content by hash; file lists
//!   cache/                                   dependencies by lockfile hash
//!   environments/ENV/releases/R/  ENV/app -> releases/R   what runs
//!   environments/ENV/shared/  ENV/.env                    what stays
//!   environments/ENV/build/D/                             scratch of deployment D
//!   environments/ENV/instances/I/                         one folder per instance
//!   environments/ENV/services/S/                          one folder per service of an add-on, with its data
//!   environments/ENV/logs/                                app logs, deploy-D.jsonl
//! services/S/                                services of all projects
//! ```
//!
//! On a server a project is an account, and what is its own lies in its home. What control alone writes stays out of
//! there, so that no account can put a link in root's way (`docs/decisions/003-a-project-on-a-server.md`):
//!
//! ```text
//! /etc/hostkit/server.toml                   settings of the machine
//! /run/hostkit/                              control.sock proxy.sock
//! /var/lib/hostkit/                          hostkit.db key ports.nft proxy/ archives/ bin/hostkit
//!   projects/NAME/blobs/ sources/            as above
//!   projects/NAME/environments/ENV/instances/ ENV/logs/deploy-D.jsonl
//!   services/NAME/                           one folder per service, NAME as `shop.production.redis`, `redis-rest`
//! /home/NAME/releases/ app shared/ .env build/ .cache/    production
//! /home/NAME/environments/ENV/…                           the others, in the same shape
//! /var/log/projects/NAME/                    what programs print; environments/ENV/ below it for the others
//! ```

use std::path::{Path, PathBuf};

use crate::deployment::DeploymentId;
use crate::names::{ProjectName, ReleaseName};
use crate::project::EnvironmentId;
use crate::services::ServiceName;

/// The places of one installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    data: PathBuf,
    run: PathBuf,
    projects: Projects,
}

/// Where what belongs to projects lies.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Projects {
    /// In the data folder, like everything else.
    Inside,
    /// In homes of their own, with their logs apart.
    Homes { homes: PathBuf, logs: PathBuf },
}

impl Layout {
    /// The layout of local mode, below an absolute data folder.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        let data = data.into();
        Layout {
            run: data.join("run"),
            data,
            projects: Projects::Inside,
        }
    }

    /// The layout of a server.
    pub fn server() -> Self {
        Layout::server_below("/")
    }

    /// The layout of a server whose file system begins at `root`: for looking at a machine from outside, and for
    /// tests.
    pub fn server_below(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        Layout {
            data: root.join("var/lib/hostkit"),
            run: root.join("run/hostkit"),
            projects: Projects::Homes {
                homes: root.join("home"),
                logs: root.join("var/log/projects"),
            },
        }
    }

    /// Whether projects are accounts with homes of their own.
    pub fn is_server(&self) -> bool {
        self.projects != Projects::Inside
    }

    /// The data folder: what control itself keeps.
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
        self.run.clone()
    }

    /// The copy of our own program that units of projects start, on a server.
    pub fn launcher(&self) -> PathBuf {
        self.data.join("bin").join("hostkit")
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

    /// The rules by which loopback ports belong to projects, loaded before anything of a project runs.
    pub fn port_rules(&self) -> PathBuf {
        self.data.join("ports.nft")
    }

    /// The front door's own folder.
    pub fn proxy(&self) -> PathBuf {
        self.data.join("proxy")
    }

    /// Last archives of projects that were deleted.
    pub fn archives(&self) -> PathBuf {
        self.data.join("archives")
    }

    /// The key that backups are encrypted with.
    pub fn backup_key(&self) -> PathBuf {
        self.data.join("backup.key")
    }

    /// Where backups are kept as long as nobody names another place.
    pub fn backups(&self) -> PathBuf {
        self.data.join("backups")
    }

    /// Whether a history of the databases is kept, and how long; no file where nobody has chosen.
    pub fn history(&self) -> PathBuf {
        self.data.join("history.json")
    }

    /// What control keeps of projects, a folder for each.
    pub fn projects(&self) -> PathBuf {
        self.data.join("projects")
    }

    /// What control keeps of one project; in local mode that is everything of it.
    pub fn project(&self, project: &ProjectName) -> PathBuf {
        self.projects().join(project.as_str())
    }

    /// The folder that is the project's own: its home on a server.
    pub fn home(&self, project: &ProjectName) -> PathBuf {
        match &self.projects {
            Projects::Inside => self.project(project),
            Projects::Homes { homes, .. } => homes.join(project.as_str()),
        }
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
        let name = match self.projects {
            Projects::Inside => "cache",
            Projects::Homes { .. } => ".cache",
        };
        self.home(project).join(name)
    }

    /// What an environment's programs and builds work with.
    pub fn environment(&self, id: &EnvironmentId) -> PathBuf {
        match self.projects {
            Projects::Inside => self.records(id),
            Projects::Homes { .. } => apart(self.home(&id.project), id),
        }
    }

    /// What control keeps of an environment. Environments lie in a folder of their own below the project.
    fn records(&self, id: &EnvironmentId) -> PathBuf {
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
        self.records(id).join("instances")
    }

    /// What there is of one service: its data, what it reads, what it printed. On a server all services lie in one
    /// folder, which their accounts can pass through, as they cannot through those of projects.
    pub fn service(&self, name: &ServiceName) -> PathBuf {
        let folder = match (&name.environment, &self.projects) {
            (_, Projects::Homes { .. }) => return self.services().join(name.to_string()),
            (Some(id), Projects::Inside) => self.records(id),
            (None, Projects::Inside) => self.data.clone(),
        };
        folder.join("services").join(name.role.as_str())
    }

    /// On a server, the folder of all services.
    pub fn services(&self) -> PathBuf {
        self.data.join("services")
    }

    /// Logs of programs.
    pub fn logs(&self, id: &EnvironmentId) -> PathBuf {
        match &self.projects {
            Projects::Inside => self.records(id).join("logs"),
            Projects::Homes { logs, .. } => apart(logs.join(id.project.as_str()), id),
        }
    }

    /// The log of one deployment: one JSON [`crate::log::LogLine`] a line.
    pub fn deployment_log(&self, id: &EnvironmentId, deployment: DeploymentId) -> PathBuf {
        self.records(id)
            .join("logs")
            .join(format!("deploy-{deployment}.jsonl"))
    }
}

/// A project's folder for production, one below it for any other environment.
fn apart(folder: PathBuf, id: &EnvironmentId) -> PathBuf {
    if id.environment.is_production() {
        folder
    } else {
        folder.join("environments").join(id.environment.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::EnvironmentName;

    fn shop(environment: &str) -> EnvironmentId {
        EnvironmentId::new(
            ProjectName::parse("shop").unwrap(),
            EnvironmentName::parse(environment).unwrap(),
        )
    }

    /// Every place of an environment, by what asks for it.
    fn places(layout: &Layout, id: &EnvironmentId) -> Vec<String> {
        let release = ReleaseName::parse("20250215-120000").unwrap();
        let deployment = 7;
        [
            layout.database(),
            layout.key(),
            layout.control_socket(),
            layout.proxy_socket(),
            layout.proxy(),
            layout.blobs(&id.project),
            layout.sources(&id.project),
            layout.home(&id.project),
            layout.cache(&id.project),
            layout.release(id, &release),
            layout.current(id),
            layout.shared(id),
            layout.dotenv(id),
            layout.scratch(id, deployment),
            layout.instances(id),
            layout.logs(id),
            layout.deployment_log(id, deployment),
        ]
        .iter()
        .map(|path| path.to_str().unwrap().to_owned())
        .collect()
    }

    #[test]
    fn local_mode_is_one_folder() {
        let layout = Layout::new("/data");
        assert!(!layout.is_server());
        assert_eq!(
            places(&layout, &shop("production")),
            [
                "/data/hostkit.db",
                "/data/key",
                "/data/run/control.sock",
                "/data/run/proxy.sock",
                "/data/proxy",
                "/data/projects/shop/blobs",
                "/data/projects/shop/sources",
                "/data/projects/shop",
                "/data/projects/shop/cache",
                "/data/projects/shop/environments/production/releases/20250215-120000",
                "/data/projects/shop/environments/production/app",
                "/data/projects/shop/environments/production/shared",
                "/data/projects/shop/environments/production/.env",
                "/data/projects/shop/environments/production/build/7",
                "/data/projects/shop/environments/production/instances",
                "/data/projects/shop/environments/production/logs",
                "/data/projects/shop/environments/production/logs/deploy-7.jsonl",
            ]
        );
    }

    #[test]
    fn on_a_server_a_project_has_a_home() {
        let layout = Layout::server();
        assert!(layout.is_server());
        assert_eq!(
            places(&layout, &shop("production")),
            [
                "/var/lib/hostkit/hostkit.db",
                "/var/lib/hostkit/key",
                "/run/hostkit/control.sock",
                "/run/hostkit/proxy.sock",
                "/var/lib/hostkit/proxy",
                "/var/lib/hostkit/projects/shop/blobs",
                "/var/lib/hostkit/projects/shop/sources",
                "/home/shop",
                "/home/shop/.cache",
                "/home/shop/releases/20250215-120000",
                "/home/shop/app",
                "/home/shop/shared",
                "/home/shop/.env",
                "/home/shop/build/7",
                "/var/lib/hostkit/projects/shop/environments/production/instances",
                "/var/log/projects/shop",
                "/var/lib/hostkit/projects/shop/environments/production/logs/deploy-7.jsonl",
            ]
        );
    }

    #[test]
    fn other_environments_have_the_same_shape_below() {
        let layout = Layout::server_below("/mnt");
        let id = shop("staging");
        assert_eq!(
            layout.environment(&id),
            Path::new("/mnt/home/shop/environments/staging")
        );
        assert_eq!(
            layout.logs(&id),
            Path::new("/mnt/var/log/projects/shop/environments/staging")
        );
        assert_eq!(
            layout.instances(&id),
            Path::new("/mnt/var/lib/hostkit/projects/shop/environments/staging/instances")
        );
    }

    #[test]
    fn nothing_that_root_names_lies_in_a_home_but_what_the_home_is_for() {
        let layout = Layout::server();
        for path in places(&layout, &shop("production"))
            .iter()
            .filter(|path| path.contains("deploy-") || path.contains("instances") || path.contains("blobs"))
        {
            assert!(path.starts_with("/var/lib/hostkit/"), "{path}");
        }
    }
}
