//! Whether somebody who may become root gets in with a key. Nothing that lets people in is taken away before.

use std::collections::BTreeMap;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::server::{
    Account, Algorithms, Effective, FoundKind, Machine, Order, SetupWish, Shadow, matches_any,
    may_become_root, parse_accounts, parse_shadow, usable_keys,
};

use super::effective;
use crate::server::looks::must;

/// Bits that let others than the owner write.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// Fine where root, or an account that may become root, logs in with a key. Else the failure says of each account why
/// it does not, and what to do.
pub(super) fn somebody_gets_in(
    machine: &dyn Machine,
    wish: &SetupWish,
) -> Result<Result<(), Failure>, Failure> {
    let accounts = must(machine, &Order::new("getent", &["passwd"]), "list the accounts")?;
    let shadow = parse_shadow(&machine.read("/etc/shadow")?.unwrap_or_default());
    let mut reasons = Vec::new();
    let mut next = None;
    for account in parse_accounts(&accounts.out)
        .iter()
        .filter(|account| account.may_be_operator())
    {
        match judge(machine, account, &shadow)? {
            Ok(()) => return Ok(Ok(())),
            Err(Obstacle { why, mend }) => {
                reasons.push(format!("{}: {why}", account.name));
                next = next.or(mend);
            }
        }
    }
    let account = wish.operator.as_deref().unwrap_or("root");
    let again = "then `hostkit server setup` again";
    let hint = match next {
        Some(mend) => format!("`{mend}`, {again}"),
        None => format!("on your own computer `ssh-copy-id {account}@SERVER`, {again}"),
    };
    Ok(Err(Failure::new(
        Kind::Conflict,
        "cannot set SSH to keys only: nobody who may become root could log in with a key, and you would be locked out",
    )
    .details(reasons)
    .hint(hint)))
}

/// Why an account does not count, and the command that mends it where there is one.
struct Obstacle {
    why: String,
    mend: Option<String>,
}

fn obstacle(why: impl Into<String>) -> Result<(), Obstacle> {
    Err(Obstacle {
        why: why.into(),
        mend: None,
    })
}

fn judge(
    machine: &dyn Machine,
    account: &Account,
    shadow: &BTreeMap<String, Shadow>,
) -> Result<Result<(), Obstacle>, Failure> {
    let sshd = effective(machine, &account.name)?;
    let secret = shadow.get(&account.name);
    if let Err(no) = may_log_in(account, &sshd, secret) {
        return Ok(Err(no));
    }
    if let Err(no) = has_key(machine, account, &sshd)? {
        return Ok(Err(no));
    }
    if account.uid == 0 {
        return Ok(Ok(()));
    }
    let listing = machine.run(&Order::new("sudo", &["-n", "-l", "-U", &account.name]))?;
    let rights = if listing.is_fine() {
        may_become_root(&listing.out)
    } else {
        None
    };
    let has_password = secret.is_some_and(|secret| secret.has_password);
    Ok(match rights {
        None => obstacle("has a key, but may not become root with sudo"),
        Some(true) if !has_password => obstacle("has a key, but sudo asks for a password and it has none"),
        Some(_) => Ok(()),
    })
}

/// What sshd says of an account, its keys apart.
fn may_log_in(account: &Account, sshd: &Effective, secret: Option<&Shadow>) -> Result<(), Obstacle> {
    let today = jiff::Timestamp::now().as_second() / 86_400;
    if secret
        .and_then(|secret| secret.expires)
        .is_some_and(|day| day <= today)
    {
        return obstacle("its account has expired");
    }
    if sshd.value("usepam") == "no" && secret.is_some_and(|secret| secret.is_locked) {
        return obstacle("its account is locked");
    }
    if account.uid == 0 && matches!(sshd.value("permitrootlogin"), "no" | "forced-commands-only") {
        return obstacle("sshd does not let root in");
    }
    let name = account.name.as_str();
    let allowed = sshd.words("allowusers");
    if matches_any(&sshd.words("denyusers"), name) || (!allowed.is_empty() && !matches_any(&allowed, name)) {
        return obstacle("sshd does not let it in (AllowUsers, DenyUsers)");
    }
    // Whose groups these are is not looked into: an account that is let in by its group alone does not count.
    if !sshd.words("allowgroups").is_empty() || !sshd.words("denygroups").is_empty() {
        return obstacle("sshd goes by groups (AllowGroups, DenyGroups), which is not looked into");
    }
    let methods = sshd.words("authenticationmethods");
    let key_is_enough = methods.is_empty()
        || methods
            .iter()
            .any(|method| matches!(*method, "any" | "publickey"));
    if !key_is_enough || sshd.value("pubkeyauthentication") == "no" {
        return obstacle("a key alone does not let it in (AuthenticationMethods, PubkeyAuthentication)");
    }
    Ok(())
}

fn has_key(
    machine: &dyn Machine,
    account: &Account,
    sshd: &Effective,
) -> Result<Result<(), Obstacle>, Failure> {
    let algorithms = Algorithms {
        accepted: sshd
            .value("pubkeyacceptedalgorithms")
            .split(',')
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect(),
        rsa_bits: sshd.value("requiredrsasize").parse().unwrap_or(2048),
    };
    let mut why = "has no key".to_owned();
    for pattern in sshd.words("authorizedkeysfile") {
        let path = keys_file(pattern, account);
        // A file that is not to be had is none for sshd either.
        let Some(text) = machine.read(&path).unwrap_or_default() else {
            continue;
        };
        let (usable, refused) = usable_keys(&text, &algorithms);
        if usable == 0 {
            why = match refused.first() {
                Some(line) => format!("no key in {path} lets it in to work: {line}"),
                None => format!("{path} has no key"),
            };
            continue;
        }
        if sshd.value("strictmodes") == "no" {
            return Ok(Ok(()));
        }
        return modes_are_right(machine, account, &path);
    }
    Ok(obstacle(why))
}

/// Where sshd looks for the keys of an account.
fn keys_file(pattern: &str, account: &Account) -> String {
    let path = pattern
        .replace("%%", "\0")
        .replace("%h", &account.home)
        .replace("%u", &account.name)
        .replace("%U", &account.uid.to_string())
        .replace('\0', "%");
    match path.starts_with('/') {
        true => path,
        false => format!("{}/{path}", account.home.trim_end_matches('/')),
    }
}

/// What sshd asks for with `StrictModes`: the file, and each folder up to the home, is the account's or root's, and
/// nobody else's to write.
fn modes_are_right(
    machine: &dyn Machine,
    account: &Account,
    path: &str,
) -> Result<Result<(), Obstacle>, Failure> {
    let (Some(file), Some(home)) = (machine.look(path)?, machine.look(&account.home)?) else {
        return Ok(obstacle(format!("{path} is gone")));
    };
    let mut place = file.real_path.clone();
    let mut found = Some(file);
    while let Some(at) = found {
        let wrong_kind = place == path && at.kind != FoundKind::File;
        if wrong_kind || at.mode & WRITABLE_BY_OTHERS != 0 {
            return Ok(Err(Obstacle {
                why: format!("has a key, but others may write {place}, and sshd takes no key from there"),
                mend: Some(format!("chmod go-w {place}")),
            }));
        }
        if at.uid != 0 && at.uid != account.uid {
            return Ok(Err(Obstacle {
                why: format!("has a key, but {place} belongs to somebody else"),
                mend: Some(format!("chown {} {place}", account.name)),
            }));
        }
        if place == home.real_path {
            break;
        }
        place = match place.rsplit_once('/') {
            Some(("", _)) | None => break,
            Some((above, _)) => above.to_owned(),
        };
        found = machine.look(&place)?;
    }
    Ok(Ok(()))
}
