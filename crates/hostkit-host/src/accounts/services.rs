//! Accounts of services: one each, without home and shell, in a range of numbers of their own. So they neither use up those
//! of the system, of which there are nine hundred, nor take one that was a project's.

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::services::ServiceName;
use nix::unistd::User;

use super::linux::{NO_HOME, NO_PASSWORD, NO_SHELL, USERADD, USERDEL, account, run, user};
use super::{Account, SERVICE_UIDS, ending, leftovers};
use crate::change::Change;

pub(super) async fn ensure(service: &ServiceName) -> Result<(Account, Change), Failure> {
    let name = service.account();
    let mut change = Change::Unneeded;
    if user(&name)?.is_none() {
        make(service, &name).await?;
        change = Change::Made;
    }
    match user(&name)? {
        Some(found) if is_ours(&found, service) => Ok((account(&found), change)),
        _ => Err(foreign(service, "use")),
    }
}

/// Ends every process of the account and removes it with what it left in places for everybody.
pub(super) async fn remove(service: &ServiceName) -> Result<Change, Failure> {
    let name = service.account();
    let Some(found) = user(&name)? else {
        return Ok(Change::Unneeded);
    };
    if !is_ours(&found, service) {
        return Err(foreign(service, "remove"));
    }
    let Account { uid, gid } = account(&found);
    let cleared: Result<(), Failure> = tokio::task::spawn_blocking(move || {
        ending::end_processes(uid, gid)?;
        leftovers::remove(uid).map(drop)
    })
    .await
    .map_err(|why| {
        Failure::new(
            Kind::Internal,
            format!(
                "cannot remove the account `{name}`: {why}",
                name = service.account()
            ),
        )
    })?;
    cleared?;
    let _ = leftovers::remove_ipc(uid).await?;
    // Its group, which is nobody else's, goes with it.
    run(&USERDEL, &["--", &name], "remove", &name).await?;
    Ok(Change::Made)
}

async fn make(service: &ServiceName, name: &str) -> Result<(), Failure> {
    let comment = service.account_comment();
    let (lowest, highest) = (SERVICE_UIDS.start(), SERVICE_UIDS.end());
    let keys = [
        format!("UID_MIN={lowest}"),
        format!("UID_MAX={highest}"),
        format!("GID_MIN={lowest}"),
        format!("GID_MAX={highest}"),
        // No further numbers for user namespaces: a process under one of them would not be found as the account's.
        "SUB_UID_COUNT=0".to_owned(),
        "SUB_GID_COUNT=0".to_owned(),
    ];
    let mut arguments = vec![
        "--comment",
        &comment,
        "--home-dir",
        NO_HOME,
        "--no-create-home",
        "--shell",
        NO_SHELL,
        "--user-group",
        "--password",
        NO_PASSWORD,
    ];
    for key in &keys {
        arguments.extend(["--key", key]);
    }
    arguments.extend(["--", name]);
    run(&USERADD, &arguments, "make", &name).await
}

fn is_ours(user: &User, service: &ServiceName) -> bool {
    user.gecos.to_string_lossy() == service.account_comment() && SERVICE_UIDS.contains(&user.uid.as_raw())
}

fn foreign(service: &ServiceName, verb: &str) -> Failure {
    let name = service.account();
    Failure::new(
        Kind::Conflict,
        format!("cannot {verb} the account `{name}` of service `{service}`: it exists and is not HostKit's"),
    )
    .hint(format!("getent passwd {name}"))
}
