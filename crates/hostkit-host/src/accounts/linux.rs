//! The machine's own accounts, by way of `useradd` and its relatives.

use std::path::Path;

use async_trait::async_trait;
use hostkit_core::access::{self, account_comment};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::ProjectName;
use hostkit_core::services::ServiceName;
use nix::unistd::{Group, Uid, User};

use super::{Account, Accounts, FRONT_DOOR, LOWEST_UID, check_name, ending, foreign, leftovers, services};
use crate::change::Change;
use crate::system_program::{Outcome, SystemProgram};

pub(super) const USERADD: SystemProgram = SystemProgram::new("useradd", "passwd");
const USERMOD: SystemProgram = SystemProgram::new("usermod", "passwd");
pub(super) const USERDEL: SystemProgram = SystemProgram::new("userdel", "passwd");
const GROUPADD: SystemProgram = SystemProgram::new("groupadd", "passwd");
const GROUPDEL: SystemProgram = SystemProgram::new("groupdel", "passwd");

const SHELL: &str = "/bin/bash";
pub(super) const NO_SHELL: &str = "/usr/sbin/nologin";
pub(super) const NO_HOME: &str = "/nonexistent";
const FRONT_DOOR_COMMENT: &str = "HostKit front door";

/// A password that nothing matches. Unlike `!` it leaves keys usable on systems whose sshd asks no PAM.
pub(super) const NO_PASSWORD: &str = "*";

/// The accounts of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct LinuxAccounts;

#[async_trait]
impl Accounts for LinuxAccounts {
    async fn observe(&self, project: &ProjectName) -> Result<Option<Account>, Failure> {
        match user(project.as_str())? {
            None => Ok(None),
            Some(user) if is_ours(&user, project) => Ok(Some(account(&user))),
            Some(_) => Err(foreign(project, "use")),
        }
    }

    async fn ensure(&self, project: &ProjectName) -> Result<(Account, Change), Failure> {
        check_name(project)?;
        let name = project.as_str();
        let mut change = Change::Unneeded;
        if self.observe(project).await?.is_none() {
            if group(name)?.is_some() {
                // Whoever is in it has rights that are not for a project.
                return Err(Failure::new(
                    Kind::Conflict,
                    format!("cannot make an account for `{project}`: there is a group of that name"),
                )
                .hint(format!(
                    "choose another project name, or `groupdel {name}` if nobody needs it"
                )));
            }
            make(project).await?;
            change = Change::Made;
        }
        change |= mend(project).await?;
        match user(name)? {
            Some(user) if is_ours(&user, project) => Ok((account(&user), change)),
            _ => Err(foreign(project, "make")),
        }
    }

    async fn close(&self, project: &ProjectName) -> Result<Change, Failure> {
        let name = project.as_str().to_owned();
        let Some(found) = user(&name)? else {
            return Ok(Change::Unneeded);
        };
        if !is_ours(&found, project) {
            return Err(foreign(project, "remove"));
        }
        let Account { uid, gid } = account(&found);
        // From here on neither ssh nor cron begins anything as this account. Its mark stays until the end, so that a
        // removal that was cut off is found and goes on.
        run(&USERMOD, &["--expiredate", "1", "--", &name], "remove", project).await?;
        let cleared: Result<(), Failure> = tokio::task::spawn_blocking(move || {
            let _ = leftovers::remove_linger(&name)?;
            ending::end_processes(uid, gid)?;
            leftovers::remove(uid).map(drop)
        })
        .await
        .map_err(|e| {
            Failure::new(
                Kind::Internal,
                format!("cannot remove the account `{project}`: {e}"),
            )
        })?;
        cleared?;
        let _ = leftovers::remove_ipc(uid).await?;
        Ok(Change::Made)
    }

    async fn remove(&self, project: &ProjectName) -> Result<Change, Failure> {
        if !self.close(project).await?.is_made() {
            return Ok(Change::Unneeded);
        }
        let name = project.as_str().to_owned();
        let Some(found) = user(&name)? else {
            return Ok(Change::Made);
        };
        let Account { gid, .. } = account(&found);
        // The group first, where this version of `groupdel` removes a group that is still somebody's own.
        if is_own_group(&name)? {
            let _ = GROUPDEL.run(&["--force", "--", &name], b"").await?;
        }
        run(&USERDEL, &["--", &name], "remove", project).await?;
        if group(&name)?.is_some_and(|group| group.gid.as_raw() == gid) {
            run(&GROUPDEL, &["--", &name], "remove", project).await?;
        }
        Ok(Change::Made)
    }

    async fn project_of(&self, uid: u32) -> Result<Option<ProjectName>, Failure> {
        if uid < LOWEST_UID {
            return Ok(None);
        }
        let found = User::from_uid(Uid::from_raw(uid)).map_err(|e| unreadable(&e))?;
        Ok(found.as_ref().and_then(project_of))
    }

    async fn ensure_front_door(&self) -> Result<(Account, Change), Failure> {
        let mut change = Change::Unneeded;
        if user(FRONT_DOOR)?.is_none() {
            let arguments = [
                "--system",
                "--user-group",
                "--no-create-home",
                "--home-dir",
                NO_HOME,
                "--shell",
                NO_SHELL,
                "--comment",
                FRONT_DOOR_COMMENT,
                "--",
                FRONT_DOOR,
            ];
            run(&USERADD, &arguments, "make", &FRONT_DOOR).await?;
            change = Change::Made;
        }
        match user(FRONT_DOOR)? {
            // Its name is ours; the package or an administrator may have made it.
            Some(user) if (1..LOWEST_UID).contains(&user.uid.as_raw()) && !can_log_in(&user) => {
                Ok((account(&user), change))
            }
            _ => Err(Failure::new(
                Kind::Conflict,
                format!("cannot use the account `{FRONT_DOOR}`: it is not a system account without a shell"),
            )
            .hint(format!("getent passwd {FRONT_DOOR}"))),
        }
    }

    async fn ensure_service(&self, service: &ServiceName) -> Result<(Account, Change), Failure> {
        services::ensure(service).await
    }

    async fn remove_service(&self, service: &ServiceName) -> Result<Change, Failure> {
        services::remove(service).await
    }

    async fn observe_foreign(&self, name: &str) -> Result<Option<Account>, Failure> {
        Ok(user(name)?.as_ref().map(account))
    }
}

async fn make(project: &ProjectName) -> Result<(), Failure> {
    let (comment, home) = (account_comment(project), home(project));
    let arguments = [
        "--comment",
        &comment,
        "--home-dir",
        &home,
        "--no-create-home",
        "--shell",
        SHELL,
        "--user-group",
        "--password",
        NO_PASSWORD,
        // No further numbers for user namespaces: a process under one of them would not be found as the account's.
        "--key",
        "SUB_UID_COUNT=0",
        "--key",
        "SUB_GID_COUNT=0",
        "--",
        project.as_str(),
    ];
    run(&USERADD, &arguments, "make", project).await
}

/// Brings an account of ours back to what it should be: drift, and what a run that was cut off left.
async fn mend(project: &ProjectName) -> Result<Change, Failure> {
    let name = project.as_str();
    let Some(found) = user(name)? else {
        return Err(foreign(project, "make"));
    };
    let mut change = Change::Unneeded;
    let gid = found.gid.as_raw().to_string();
    match (
        group(name)?,
        Group::from_gid(found.gid).map_err(|e| unreadable(&e))?,
    ) {
        (Some(own), _) if own.gid == found.gid => {}
        // Cut off between account and group.
        (None, None) if found.gid.as_raw() >= LOWEST_UID => {
            run(&GROUPADD, &["--gid", &gid, "--", name], "mend", project).await?;
            change = Change::Made;
        }
        _ => {
            return Err(Failure::new(
                Kind::Conflict,
                format!("cannot mend the account `{project}`: its group is not its own"),
            )
            .hint(format!("id {name}")));
        }
    }
    let home = home(project);
    if found.shell != Path::new(SHELL) || found.dir != Path::new(&home) {
        let arguments = ["--shell", SHELL, "--home", &home, "--", name];
        run(&USERMOD, &arguments, "mend", project).await?;
        change = Change::Made;
    }
    let (is_locked, expires) = shadow(project)?;
    if !is_locked {
        run(
            &USERMOD,
            &["--password", NO_PASSWORD, "--", name],
            "mend",
            project,
        )
        .await?;
        change = Change::Made;
    }
    if expires {
        run(&USERMOD, &["--expiredate", "", "--", name], "mend", project).await?;
        change = Change::Made;
    }
    Ok(change)
}

/// Whether no password fits, and whether the account ends some day.
fn shadow(project: &ProjectName) -> Result<(bool, bool), Failure> {
    let text = std::fs::read_to_string("/etc/shadow").map_err(|e| unreadable(&e))?;
    let line = text
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.first() == Some(&project.as_str()));
    let field = |at: usize| line.as_ref().and_then(|fields| fields.get(at)).copied();
    let is_locked = field(1).is_some_and(|password| password.starts_with(['!', '*']));
    Ok((is_locked, field(7).is_some_and(|day| !day.is_empty())))
}

fn home(project: &ProjectName) -> String {
    format!("/home/{project}")
}

pub(super) fn account(user: &User) -> Account {
    Account {
        uid: user.uid.as_raw(),
        gid: user.gid.as_raw(),
    }
}

fn is_ours(user: &User, project: &ProjectName) -> bool {
    project_of(user).as_ref() == Some(project)
}

/// The project an account is marked as belonging to; an account of the system is none's.
fn project_of(user: &User) -> Option<ProjectName> {
    let account = access::Account {
        name: user.name.clone(),
        comment: user.gecos.to_string_lossy().into_owned(),
    };
    account.project().filter(|_| user.uid.as_raw() >= LOWEST_UID)
}

fn can_log_in(user: &User) -> bool {
    !["nologin", "false"]
        .iter()
        .any(|shell| user.shell.file_name().is_some_and(|name| name == *shell))
}

/// Whether the group of that name is no more than the account's own.
fn is_own_group(name: &str) -> Result<bool, Failure> {
    Ok(group(name)?.is_some_and(|group| group.gid.as_raw() >= LOWEST_UID && group.mem.is_empty()))
}

/// By all the sources the machine asks: a name that only a directory service knows is taken as well.
pub(super) fn user(name: &str) -> Result<Option<User>, Failure> {
    User::from_name(name).map_err(|e| unreadable(&e))
}

fn group(name: &str) -> Result<Option<Group>, Failure> {
    Group::from_name(name).map_err(|e| unreadable(&e))
}

pub(super) async fn run(
    program: &SystemProgram,
    arguments: &[&str],
    verb: &str,
    name: &(dyn std::fmt::Display + Send + Sync),
) -> Result<(), Failure> {
    let ended = program.run(arguments, b"").await?;
    if ended.is_success() {
        Ok(())
    } else {
        Err(refused(verb, name, &ended))
    }
}

fn refused(verb: &str, name: &(dyn std::fmt::Display + Send + Sync), ended: &Outcome) -> Failure {
    let why = ended.why();
    // Exit code 1 is "cannot update the password file": somebody else holds its lock, or we are not root.
    let kind = if why.contains("Permission denied") {
        Kind::Denied
    } else if ended.code == Some(1) {
        Kind::Unavailable
    } else {
        Kind::Internal
    };
    let failure = Failure::new(kind, format!("cannot {verb} the account `{name}`: {why}"));
    match kind {
        Kind::Denied => failure.hint("run it as root"),
        _ => failure.hint(format!("getent passwd {name}")),
    }
}

fn unreadable(why: &dyn std::fmt::Display) -> Failure {
    Failure::new(
        Kind::Internal,
        format!("cannot read the accounts of this machine: {why}"),
    )
}
