//! Homes on the real disk.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::{EnvironmentName, ProjectName, ReleaseName};
use hostkit_core::project::EnvironmentId;
use hostkit_core::secret::Secret;

use super::places::{self, ENVIRONMENTS, LIVE, OF_ENVIRONMENT, RELEASES, VARIABLES};
use super::{Audience, Difference, Homes, Owners};
use crate::accounts::Account;
use crate::beneath::{Folder, Rights};
use crate::change::Change;

/// Homes and logs below two folders of root's.
#[derive(Debug, Clone)]
pub struct DiskHomes {
    homes: PathBuf,
    logs: PathBuf,
    root: Account,
}

impl Default for DiskHomes {
    fn default() -> Self {
        DiskHomes {
            homes: "/home".into(),
            logs: "/var/log/projects".into(),
            root: Account { uid: 0, gid: 0 },
        }
    }
}

impl DiskHomes {
    /// Homes and logs somewhere else, where `root` takes the part of root.
    pub fn below(homes: impl Into<PathBuf>, logs: impl Into<PathBuf>, root: Account) -> Self {
        DiskHomes {
            homes: homes.into(),
            logs: logs.into(),
            root,
        }
    }

    /// Files are acted on by a thread that may wait for the disk.
    async fn apart<T: Send + 'static>(
        &self,
        act: impl FnOnce(&DiskHomes) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let own = self.clone();
        tokio::task::spawn_blocking(move || act(&own))
            .await
            .map_err(|e| Failure::new(Kind::Internal, format!("cannot act on a home: {e}")))?
    }

    fn home(&self, project: &ProjectName) -> Result<Folder, Failure> {
        Folder::open(&self.homes)?
            .folder(project.as_str())?
            .ok_or_else(|| missing(&self.homes.join(project.as_str())))
    }

    /// The folder of an environment: production's is the home.
    fn environment(&self, id: &EnvironmentId) -> Result<Folder, Failure> {
        let home = self.home(&id.project)?;
        if id.environment.is_production() {
            return Ok(home);
        }
        let environments = home
            .folder(ENVIRONMENTS)?
            .ok_or_else(|| missing(&home.path().join(ENVIRONMENTS)))?;
        environments
            .folder(id.environment.as_str())?
            .ok_or_else(|| missing(&environments.path().join(id.environment.as_str())))
    }

    fn ensure_now(&self, project: &ProjectName, owners: &Owners) -> Result<Change, Failure> {
        let homes = Folder::open(&self.homes)?;
        self.refuse_foreign(&homes, project.as_str(), owners)?;
        let (home, mut change) =
            homes.ensure_folder(project.as_str(), &places::passage(self.root.uid, owners))?;
        for (name, rights) in places::of_home(self.root.uid, owners) {
            change |= home.ensure_folder(name, &rights)?.1;
        }
        let production = EnvironmentId::new(project.clone(), EnvironmentName::production());
        Ok(change | self.ensure_environment_now(&production, owners)?)
    }

    /// What is there and belongs to a third account is no home of ours.
    fn refuse_foreign(&self, homes: &Folder, name: &str, owners: &Owners) -> Result<(), Failure> {
        let Some(folder) = homes.folder(name)? else {
            return Ok(());
        };
        let owner = folder.stat()?.st_uid;
        if owner == self.root.uid || owner == owners.project.uid {
            return Ok(());
        }
        let path = folder.path().display();
        Err(Failure::new(
            Kind::Conflict,
            format!("cannot use `{path}` as a home: it belongs to account {owner}"),
        )
        .hint(format!(
            "move it away, or choose another project name: ls -ld {path}"
        )))
    }

    /// The folder of an environment's logs, below the project's where it is not production's.
    fn ensure_logs(&self, id: &EnvironmentId, owners: &Owners) -> Result<Change, Failure> {
        let name = self.logs.file_name().and_then(|name| name.to_str());
        let (Some(parent), Some(name)) = (self.logs.parent(), name) else {
            return Err(missing(&self.logs));
        };
        let all = Rights::new(self.root.uid, self.root.gid, 0o755);
        let (mut folder, mut change) = Folder::open(parent)?.ensure_folder(name, &all)?;
        let mut names = vec![id.project.as_str()];
        if !id.environment.is_production() {
            names.extend([ENVIRONMENTS, id.environment.as_str()]);
        }
        for name in names {
            let (inner, made) = folder.ensure_folder(name, &places::logs(owners))?;
            folder = inner;
            change |= made;
        }
        Ok(change)
    }

    fn ensure_environment_now(&self, id: &EnvironmentId, owners: &Owners) -> Result<Change, Failure> {
        let mut change = Change::Unneeded;
        let mut folder = self.home(&id.project)?;
        if !id.environment.is_production() {
            let passage = places::passage(self.root.uid, owners);
            for name in [ENVIRONMENTS, id.environment.as_str()] {
                let (inner, made) = folder.ensure_folder(name, &passage)?;
                folder = inner;
                change |= made;
            }
        }
        for (name, rights) in places::of_environment(self.root.uid, owners) {
            change |= folder.ensure_folder(name, &rights)?.1;
        }
        Ok(change | self.ensure_logs(id, owners)?)
    }

    fn remove_logs(&self, id: &EnvironmentId) -> Result<Change, Failure> {
        let logs = match Folder::open(&self.logs) {
            Ok(logs) => logs.folder(id.project.as_str())?,
            Err(failure) if failure.kind == Kind::NotFound => None,
            Err(failure) => return Err(failure),
        };
        // The project may have put anything at that name: what is no folder of logs is left to it.
        match logs.map(|logs| logs.folder(ENVIRONMENTS)) {
            Some(Ok(Some(environments))) => environments.remove_tree(id.environment.as_str()),
            _ => Ok(Change::Unneeded),
        }
    }

    fn observe_now(&self, project: &ProjectName, owners: &Owners) -> Result<Vec<Difference>, Failure> {
        let mut found = Vec::new();
        let mut look = |folder: &Folder, name: &str, rights: &Rights| -> Result<(), Failure> {
            let differences = match folder.differences(name, rights) {
                Ok(Some(differences)) => differences,
                Ok(None) => vec!["is missing".to_owned()],
                // Something else is there: that is what was asked.
                Err(failure) if failure.kind == Kind::Conflict => vec![failure.message],
                Err(failure) => return Err(failure),
            };
            let path = folder.path().join(name);
            found.extend(differences.into_iter().map(|what| Difference {
                path: path.clone(),
                what,
            }));
            Ok(())
        };
        let homes = Folder::open(&self.homes)?;
        look(&homes, project.as_str(), &places::passage(self.root.uid, owners))?;
        if let Ok(Some(home)) = homes.folder(project.as_str()) {
            let inside = places::of_home(self.root.uid, owners).into_iter();
            for (name, rights) in inside.chain(places::of_environment(self.root.uid, owners)) {
                look(&home, name, &rights)?;
            }
        }
        match Folder::open(&self.logs) {
            Ok(logs) => look(&logs, project.as_str(), &places::logs(owners))?,
            Err(failure) if failure.kind == Kind::NotFound => found.push(Difference {
                path: self.logs.join(project.as_str()),
                what: "is missing".to_owned(),
            }),
            Err(failure) => return Err(failure),
        }
        Ok(found)
    }
}

#[async_trait]
impl Homes for DiskHomes {
    async fn is_there(&self, project: &ProjectName) -> Result<bool, Failure> {
        let home = self.homes.join(project.as_str());
        // A link counts, wherever it leads.
        match tokio::fs::symlink_metadata(&home).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Failure::new(
                Kind::Internal,
                format!("cannot look at `{}`: {error}", home.display()),
            )),
        }
    }

    async fn observe(&self, project: &ProjectName, owners: &Owners) -> Result<Vec<Difference>, Failure> {
        let (project, owners) = (project.clone(), *owners);
        self.apart(move |own| own.observe_now(&project, &owners)).await
    }

    async fn ensure(&self, project: &ProjectName, owners: &Owners) -> Result<Change, Failure> {
        let (project, owners) = (project.clone(), *owners);
        self.apart(move |own| own.ensure_now(&project, &owners)).await
    }

    async fn ensure_environment(&self, id: &EnvironmentId, owners: &Owners) -> Result<Change, Failure> {
        let (id, owners) = (id.clone(), *owners);
        self.apart(move |own| own.ensure_environment_now(&id, &owners))
            .await
    }

    async fn ensure_release(
        &self,
        id: &EnvironmentId,
        release: &ReleaseName,
        audience: Audience,
        owners: &Owners,
    ) -> Result<Change, Failure> {
        let (id, release, owners) = (id.clone(), release.clone(), *owners);
        self.apart(move |own| {
            let environment = own.environment(&id)?;
            let releases = environment
                .folder(RELEASES)?
                .ok_or_else(|| missing(&environment.path().join(RELEASES)))?;
            let private = places::private(&owners, 0o750);
            let Audience::FrontDoor(site) = &audience else {
                return Ok(releases.ensure_folder(release.as_str(), &private)?.1);
            };
            let passage: Vec<&str> = match site.is_root() {
                true => Vec::new(),
                false => site.as_str().split('/').collect(),
            };
            let rights = private.grant(owners.front_door, if passage.is_empty() { 5 } else { 1 });
            let (mut folder, mut change) = releases.ensure_folder(release.as_str(), &rights)?;
            for name in passage {
                change |= folder.grant_entering(owners.front_door, owners.project.uid)?;
                let path = folder.path().join(name);
                folder = folder.folder(name)?.ok_or_else(|| missing(&path))?;
            }
            Ok(change | folder.grant_reading(owners.front_door, owners.project.uid)?)
        })
        .await
    }

    async fn point_release(&self, id: &EnvironmentId, release: &ReleaseName) -> Result<Change, Failure> {
        let (id, target) = (id.clone(), Path::new(RELEASES).join(release.as_str()));
        self.apart(move |own| own.environment(&id)?.point_link(LIVE, &target))
            .await
    }

    async fn write_variables(
        &self,
        id: &EnvironmentId,
        text: &Secret,
        owners: &Owners,
    ) -> Result<Change, Failure> {
        let (id, text, owners) = (id.clone(), text.clone(), *owners);
        self.apart(move |own| {
            let rights = places::private(&owners, 0o600);
            own.environment(&id)?
                .ensure_file(VARIABLES, text.reveal().as_bytes(), &rights)
        })
        .await
    }

    async fn hide_live(&self, id: &EnvironmentId) -> Result<Change, Failure> {
        let id = id.clone();
        self.apart(move |own| {
            let folder = own.environment(&id)?;
            Ok(folder.remove_tree(LIVE)? | folder.remove_tree(VARIABLES)?)
        })
        .await
    }

    async fn remove_environment(&self, id: &EnvironmentId) -> Result<Change, Failure> {
        let id = id.clone();
        self.apart(move |own| {
            let Some(home) = Folder::open(&own.homes)?.folder(id.project.as_str())? else {
                return Ok(Change::Unneeded);
            };
            if id.environment.is_production() {
                return OF_ENVIRONMENT.iter().try_fold(Change::Unneeded, |change, name| {
                    Ok(change | home.remove_tree(name)?)
                });
            }
            let change = own.remove_logs(&id)?;
            match home.folder(ENVIRONMENTS)? {
                Some(environments) => Ok(change | environments.remove_tree(id.environment.as_str())?),
                None => Ok(change),
            }
        })
        .await
    }

    async fn remove(&self, project: &ProjectName) -> Result<Change, Failure> {
        let project = project.clone();
        self.apart(move |own| {
            let change = Folder::open(&own.homes)?.remove_tree(project.as_str())?;
            match Folder::open(&own.logs) {
                Ok(logs) => Ok(change | logs.remove_tree(project.as_str())?),
                Err(failure) if failure.kind == Kind::NotFound => Ok(change),
                Err(failure) => Err(failure),
            }
        })
        .await
    }
}

fn missing(path: &Path) -> Failure {
    Failure::new(
        Kind::NotFound,
        format!("cannot open `{}`: it does not exist", path.display()),
    )
}
