//! What a project needs on a server, put together: an account, a home with its places, a rule for `sudo`. The account
//! comes first and goes last: its comment is the mark by which everything else is known to be HostKit's.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::{EnvironmentName, ProjectName, ReleaseName};
use hostkit_core::project::EnvironmentId;
use hostkit_core::secret::Secret;
use hostkit_core::traits::{Audience, Files, Premises};
use nix::unistd::Group;

use crate::accounts::{Account, Accounts, LinuxAccounts, check_name};
use crate::beneath::Folder;
use crate::change::Change;
use crate::files;
use crate::homes::{DiskHomes, Homes, Owners};
use crate::own_files::OwnFiles;
use crate::sudoers::{Sudoers, SudoersFolder};

/// The group whose members read the machine's logs.
const LOG_READERS: &str = "adm";

/// Where accounts, rules, homes and logs lie: maybe file systems of their own.
const PLACES: [&str; 3] = ["/etc", "/home", "/var/log"];

/// The premises of projects on a machine.
#[derive(Clone)]
pub struct LinuxPremises {
    accounts: Arc<dyn Accounts>,
    homes: Arc<dyn Homes>,
    sudoers: Arc<dyn Sudoers>,
    log_readers: u32,
}

impl LinuxPremises {
    /// Those of this machine, which takes root.
    pub fn of_this_machine() -> Result<Self, Failure> {
        let why = match Group::from_name(LOG_READERS) {
            Ok(Some(group)) => {
                return Ok(LinuxPremises::new(
                    Arc::new(LinuxAccounts),
                    Arc::new(DiskHomes::default()),
                    Arc::new(SudoersFolder::default()),
                    group.gid.as_raw(),
                ));
            }
            Ok(None) => "there is none".to_owned(),
            Err(error) => error.to_string(),
        };
        Err(Failure::new(
            Kind::Unavailable,
            format!("cannot use the group `{LOG_READERS}`, which reads logs: {why}"),
        )
        .hint(format!("addgroup --system {LOG_READERS}")))
    }

    /// Those that are made by other parts; `log_readers` is the gid of those who read logs.
    pub fn new(
        accounts: Arc<dyn Accounts>,
        homes: Arc<dyn Homes>,
        sudoers: Arc<dyn Sudoers>,
        log_readers: u32,
    ) -> Self {
        LinuxPremises {
            accounts,
            homes,
            sudoers,
            log_readers,
        }
    }

    /// The owners of a project's places.
    async fn owners(&self, project: Account) -> Result<(Owners, Change), Failure> {
        let (front_door, change) = self.accounts.ensure_front_door().await?;
        let owners = Owners {
            project,
            front_door: front_door.uid,
            log_readers: self.log_readers,
        };
        Ok((owners, change))
    }

    async fn account(&self, project: &ProjectName) -> Result<Account, Failure> {
        self.accounts.observe(project).await?.ok_or_else(|| {
            Failure::new(
                Kind::Unavailable,
                format!("cannot work for project `{project}`: it has no account on this machine"),
            )
            .hint("restart control, which makes what projects need: `systemctl restart hostkit-control`")
        })
    }

    async fn owners_of(&self, project: &ProjectName) -> Result<Owners, Failure> {
        let account = self.account(project).await?;
        Ok(self.owners(account).await?.0)
    }
}

#[async_trait]
impl Premises for LinuxPremises {
    async fn ensure(&self, project: &ProjectName) -> Result<Vec<String>, Failure> {
        check_name(project)?;
        // Without our account, what lies in its home was put there by somebody else.
        if self.accounts.observe(project).await?.is_none() && self.homes.is_there(project).await? {
            return Err(Failure::new(
                Kind::Conflict,
                format!("cannot make a home for `{project}`: `/home/{project}` is there and not HostKit's"),
            )
            .hint(format!(
                "choose another project name, or move `/home/{project}` away"
            )));
        }
        let mut changes = Vec::new();
        let mut note = |change: Change, what: &str| {
            if change.is_made() {
                changes.push(what.to_owned());
            }
        };
        let (account, made) = self.accounts.ensure(project).await?;
        note(made, "account");
        let (owners, made) = self.owners(account).await?;
        note(made, "account of the front door");
        note(
            self.homes.ensure(project, &owners).await?,
            "home and folder of logs",
        );
        let production = EnvironmentId::new(project.clone(), EnvironmentName::production());
        note(
            self.homes.ensure_environment(&production, &owners).await?,
            "folders of production",
        );
        note(self.sudoers.ensure(project).await?, "rule for sudo");
        if !changes.is_empty() {
            bring_to_the_disk().await?;
        }
        Ok(changes)
    }

    async fn remove(&self, project: &ProjectName) -> Result<(), Failure> {
        if self.accounts.observe(project).await?.is_none() {
            return Ok(());
        }
        let _ = self.accounts.close(project).await?;
        let _ = self.sudoers.remove(project).await?;
        let _ = self.homes.remove(project).await?;
        let _ = self.accounts.remove(project).await?;
        bring_to_the_disk().await
    }

    async fn ensure_environment(&self, id: &EnvironmentId) -> Result<(), Failure> {
        let owners = self.owners_of(&id.project).await?;
        let _ = self.homes.ensure_environment(id, &owners).await?;
        Ok(())
    }

    async fn files(&self, project: &ProjectName) -> Result<Arc<dyn Files>, Failure> {
        Ok(Arc::new(OwnFiles::of(self.account(project).await?)))
    }

    async fn give(&self, project: &ProjectName, folders: Vec<PathBuf>) -> Result<(), Failure> {
        let account = self.account(project).await?;
        let given = tokio::task::spawn_blocking(move || {
            for folder in folders {
                let (Some(around), Some(name)) = (folder.parent(), folder.file_name()) else {
                    continue;
                };
                Folder::open(around)?.give_alone(&name.to_string_lossy(), account)?;
            }
            Ok(())
        });
        given
            .await
            .map_err(|e| Failure::new(Kind::Internal, format!("cannot give folders away: {e}")))?
    }

    async fn settle_release(
        &self,
        id: &EnvironmentId,
        release: &ReleaseName,
        audience: Audience,
    ) -> Result<(), Failure> {
        let owners = self.owners_of(&id.project).await?;
        let _ = self.homes.ensure_release(id, release, audience, &owners).await?;
        Ok(())
    }

    async fn show_live(
        &self,
        id: &EnvironmentId,
        live: Option<(&ReleaseName, &Secret)>,
    ) -> Result<(), Failure> {
        let Some((release, variables)) = live else {
            let _ = self.homes.hide_live(id).await?;
            return Ok(());
        };
        let owners = self.owners_of(&id.project).await?;
        let _ = self.homes.point_release(id, release).await?;
        let _ = self.homes.write_variables(id, variables, &owners).await?;
        Ok(())
    }
}

/// What was made is there, and what was taken away is gone, whenever the power fails from now on.
async fn bring_to_the_disk() -> Result<(), Failure> {
    let synced = tokio::task::spawn_blocking(|| {
        PLACES
            .iter()
            .try_for_each(|place| files::sync_file_system(place.as_ref()))
    });
    synced
        .await
        .unwrap_or_else(|panic| Err(std::io::Error::other(panic)))
        .map_err(|why| {
            Failure::new(
                Kind::Unavailable,
                format!("cannot bring a project to the disk: {why}"),
            )
        })
}
