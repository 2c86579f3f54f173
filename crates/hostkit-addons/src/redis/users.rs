//! Who may do what in a server: the operator everything, each credential of the project what a tenant needs, its reader to
//! read, everybody else nothing (<https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/>).

use std::collections::BTreeSet;

use hostkit_core::addon::{AddonOrder, Credential};
use hostkit_core::secret::Secret;
use redis::RedisError;
use sha2::{Digest, Sha256};

use super::connection::Connected;
use super::derived;

/// HostKit's own user. No project can be called like this.
pub(super) const OPERATOR: &str = "hostkit";

/// Who comes without a name: nobody.
const NOBODY: [&str; 5] = ["reset", "off", "resetkeys", "resetchannels", "-@all"];
/// Everything.
const EVERYTHING: [&str; 3] = ["~*", "&*", "+@all"];
/// What a project may: all data commands and scripts, and of the dangerous ones those that harm nobody but itself. Not:
/// settings, users, modules, replication, debugging, shutting down, saving at will, `RESTORE` (it reads a binary format)
/// and `MIGRATE` (it connects to others). `MONITOR` shows what all users of this one server ask, none of it a password.
const TENANT: [&str; 15] = [
    "~*",
    "&*",
    "+@all",
    "-@admin",
    "-@dangerous",
    "+info",
    "+keys",
    "+sort",
    "+sort_ro",
    "+flushdb",
    "+flushall",
    "+swapdb",
    "+role",
    "+client|list",
    "+monitor",
];
/// What the read-only token of a project may: read, by itself or several commands at once. No scripts, and not the two
/// that look at all keys.
const READER: [&str; 10] = [
    "~*", "&*", "+@read", "-keys", "-scan", "+ping", "+echo", "+multi", "+exec", "+discard",
];

/// The user of a credential.
pub(super) fn name(order: &AddonOrder, credential: &Credential) -> String {
    format!("{}-{}", order.id.environment.project, credential.number)
}

/// The user of a credential that may only read. Nobody is told its password: it is for the gateway alone.
pub(super) fn reader_name(order: &AddonOrder, credential: &Credential) -> String {
    format!("{}-reader", name(order, credential))
}

/// The user and the password that programs are told.
pub(super) fn newest(order: &AddonOrder) -> Option<(String, &Secret)> {
    let credential = order.credentials.first()?;
    Some((name(order, credential), &credential.secret))
}

/// All users as the file says them that a server reads when it starts. Passwords are digests: they have 256 bits of
/// chance, so a quick digest hides them.
pub(super) fn file(order: &AddonOrder) -> String {
    let mut text = String::new();
    let mut say = |name: &str, rules: Vec<String>| {
        text.push_str(&format!("user {name} {}\n", rules.join(" ")));
    };
    let line = |rules: Vec<String>| rules.into_iter().filter(|rule| rule != "reset").collect();
    for (name, rules) in all(order) {
        say(&name, line(rules));
    }
    text
}

/// Makes a running server's users those of the order. A user that stays as it is keeps its connections; one that goes
/// loses them.
pub(super) async fn bring_about(connected: &mut Connected, order: &AddonOrder) -> Result<(), RedisError> {
    let wanted = all(order);
    let names: BTreeSet<&String> = wanted.iter().map(|(name, _)| name).collect();
    for (name, rules) in wanted.iter().filter(|(name, _)| name != OPERATOR) {
        let mut command = redis::cmd("ACL");
        command.arg("SETUSER").arg(name).arg(rules);
        connected.ask::<()>(&command).await?;
    }
    let mut list = redis::cmd("ACL");
    list.arg("USERS");
    let there: Vec<String> = connected.ask(&list).await?;
    for name in there.iter().filter(|name| !names.contains(name)) {
        let mut command = redis::cmd("ACL");
        command.arg("DELUSER").arg(name);
        connected.ask::<()>(&command).await?;
    }
    Ok(())
}

/// Every user with its rules, to be applied in one command.
fn all(order: &AddonOrder) -> Vec<(String, Vec<String>)> {
    let with = |secret: &Secret, rules: &[&str]| {
        let mut all = vec!["reset".to_owned(), "on".to_owned(), digest(secret)];
        all.extend(rules.iter().map(|rule| (*rule).to_owned()));
        all
    };
    let mut users = vec![
        ("default".to_owned(), NOBODY.map(str::to_owned).to_vec()),
        (OPERATOR.to_owned(), with(&order.operator, &EVERYTHING)),
    ];
    for credential in &order.credentials {
        let reader = derived::reader_password(&credential.secret);
        users.push((name(order, credential), with(&credential.secret, &TENANT)));
        users.push((reader_name(order, credential), with(&reader, &READER)));
    }
    users
}

/// `#` and the SHA-256 of a password, as the rules write it.
fn digest(secret: &Secret) -> String {
    let mut text = String::from("#");
    for byte in Sha256::digest(secret.reveal().as_bytes()) {
        text.push_str(&format!("{byte:02x}"));
    }
    text
}
