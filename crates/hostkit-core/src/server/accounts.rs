//! Who could log in and become root: what `/etc/passwd`, `/etc/shadow` and `sudo -l` say of the accounts.

use std::collections::BTreeMap;

/// An account of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Its number.
    pub uid: u32,
    /// Whether it is a project's.
    pub is_project: bool,
    /// Its home.
    pub home: String,
    /// Its shell.
    pub shell: String,
}

impl Account {
    /// Whether a person may be behind it: root, or an ordinary account with a shell that is no project's.
    pub fn may_be_operator(&self) -> bool {
        let ordinary = self.uid == 0 || (1000..65534).contains(&self.uid);
        let shell = self.shell.rsplit('/').next().unwrap_or_default();
        ordinary && !self.is_project && !matches!(shell, "nologin" | "false" | "sync" | "git-shell")
    }
}

/// Reads lines of `getent passwd`. Lines that are none are passed over.
pub fn parse_accounts(text: &str) -> Vec<Account> {
    text.lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let [name, _, uid, _, comment, home, shell] = fields[..] else {
                return None;
            };
            let plain = !name.is_empty() && !name.starts_with('-') && home.starts_with('/');
            plain.then_some(Account {
                name: name.to_owned(),
                uid: uid.parse().ok()?,
                is_project: comment.starts_with("HostKit project "),
                home: home.to_owned(),
                // No shell means /bin/sh.
                shell: if shell.is_empty() { "/bin/sh" } else { shell }.to_owned(),
            })
        })
        .collect()
}

/// What `/etc/shadow` says of an account. The password itself is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shadow {
    /// Whether some password is right.
    pub has_password: bool,
    /// Whether the account is locked: without PAM sshd turns it away, key or not.
    pub is_locked: bool,
    /// The day, since 1970, from which on nobody logs in any more.
    pub expires: Option<i64>,
}

/// Reads `/etc/shadow`.
pub fn parse_shadow(text: &str) -> BTreeMap<String, Shadow> {
    text.lines()
        .filter_map(|line| {
            let mut fields = line.split(':');
            let (name, password) = (fields.next()?, fields.next()?);
            let shadow = Shadow {
                has_password: password.starts_with('$') || password.starts_with('_'),
                is_locked: password.starts_with('!'),
                expires: fields.nth(5).and_then(|day| day.parse().ok()),
            };
            Some((name.to_owned(), shadow))
        })
        .collect()
}

/// Whether what `sudo -l -U NAME` prints lets an account do everything as root. `Some(true)` where it is asked for its
/// password first.
pub fn may_become_root(listing: &str) -> Option<bool> {
    let mut asked = None;
    for line in listing.lines() {
        let Some((runas, commands)) = line
            .trim()
            .strip_prefix('(')
            .and_then(|rest| rest.split_once(')'))
        else {
            continue;
        };
        let user = runas.split(':').next().unwrap_or_default();
        let as_root = user
            .split(',')
            .map(str::trim)
            .any(|name| name == "ALL" || name == "root");
        let commands = commands.trim();
        let without_password = commands.contains("NOPASSWD:");
        let everything = commands
            .split(',')
            .map(|command| command.rsplit(": ").next().unwrap_or_default().trim())
            .any(|command| command == "ALL" || command.ends_with(":ALL"));
        if as_root && everything {
            // One rule that does not ask is enough.
            asked = Some(asked.unwrap_or(true) && !without_password);
        }
    }
    asked
}
