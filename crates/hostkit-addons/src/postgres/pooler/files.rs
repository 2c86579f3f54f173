//! The files of PgBouncer, written as a whole.

use std::path::Path;

use hostkit_core::kind::{Failure, Kind};

use super::{OPEN_FILES, OPERATOR, Pooler};
use crate::postgres::databases::{Known, Limits};
use crate::postgres::session::{Access, Place};

/// A version of PgBouncer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// 1
    pub major: u32,
    /// 18
    pub minor: u32,
}

impl Version {
    /// The first that keeps prepared statements of clients while transactions go over several connections.
    const PREPARED_STATEMENTS: Version = Version { major: 1, minor: 21 };

    /// Reads `PgBouncer 1.18.0`, the first line of what it prints.
    pub fn parse(text: &str) -> Option<Self> {
        let number = text.lines().next()?.strip_prefix("PgBouncer ")?;
        let mut parts = number.trim().split('.').map(str::parse);
        let (major, minor) = (parts.next()?.ok()?, parts.next()?.ok()?);
        Some(Version { major, minor })
    }
}

/// Somebody who may log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) name: String,
    /// What is kept of the password. The server must have the same one: PgBouncer proves itself to it with what the
    /// client proved itself with.
    pub(crate) verifier: String,
}

/// What can change only with a new start.
pub(super) fn start(pooler: &Pooler, version: Version, users: &Path, databases: &Path) -> String {
    let clients = OPEN_FILES * 3 / 4;
    let mut text = format!(
        "[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
admin_users = {OPERATOR}
pool_mode = transaction
max_client_conn = {clients}
default_pool_size = {pool}
min_pool_size = 0
server_idle_timeout = 60
server_lifetime = 3600
server_connect_timeout = 5
server_login_retry = 1
query_wait_timeout = 60
ignore_startup_parameters = extra_float_digits
log_connections = 0
log_disconnections = 0
log_stats = 0
",
        port = pooler.port,
        users = users.display(),
        pool = pooler.limits.pooled,
    );
    if version >= Version::PREPARED_STATEMENTS {
        text += "max_prepared_statements = 200\n";
    }
    // The section of databases must be the last: what follows an included file is still in its section.
    text += &format!("%include {}\n", databases.display());
    text
}

/// The databases, and how to reach them.
pub(super) fn databases(known: &[Known], server: &Access, limits: &Limits) -> Result<String, Failure> {
    let host = match &server.place {
        Place::Socket(folder) => value(&folder.display().to_string()),
        Place::Loopback => "127.0.0.1".to_owned(),
        Place::Outside { host, .. } => value(host),
    };
    let mut text = "[databases]\n".to_owned();
    for database in known {
        // PgBouncer reads no quotes here, and names of HostKit have nothing else in them.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if !database.name.chars().all(is_plain) {
            return Err(Failure::new(
                Kind::Internal,
                "cannot tell PgBouncer of a database: its name has other characters than names of HostKit",
            ));
        }
        text += &format!(
            "{} = host={host} port={} dbname={} max_db_connections={}\n",
            database.name,
            server.port,
            value(&database.name),
            limits.pooled,
        );
    }
    Ok(text)
}

/// Who may log in.
pub(super) fn users(logins: &[Login]) -> String {
    logins
        .iter()
        .map(|login| format!("{} {}\n", quoted(&login.name), quoted(&login.verifier)))
        .collect()
}

/// What is kept of the password of a user, in a file of users.
pub(super) fn verifier_in(file: &str, user: &str) -> Option<String> {
    let rest = file
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{} ", quoted(user))))?;
    rest.trim()
        .strip_prefix('"')?
        .strip_suffix('"')
        .map(str::to_owned)
}

/// A name between double quotes.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// A value of a connection string.
fn value(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        let old = Version::parse("PgBouncer 1.18.0\nlibevent 2.1.12-stable\n").unwrap();
        assert_eq!((old.major, old.minor), (1, 18));
        assert!(Version::parse("PgBouncer 1.9.0").unwrap() < old);
        assert!(Version::parse("PgBouncer 1.23.1").unwrap() >= Version::PREPARED_STATEMENTS);
        assert_eq!(Version::parse("pgpool 4"), None);
    }

    #[test]
    fn no_name_ends_its_quotes() {
        let known = |name: &str| Known {
            name: name.to_owned(),
            owner: "shop_db".to_owned(),
            connections: 25,
        };
        let server = Access {
            place: Place::Socket("/it's".into()),
            port: 5433,
            user: "hostkit".to_owned(),
            password: None,
            home: "hostkit".to_owned(),
        };
        let text = databases(&[known("my-app--x_db.new")], &server, &Limits::default()).unwrap();
        assert_eq!(
            text,
            "[databases]\nmy-app--x_db.new = host='/it''s' port=5433 dbname='my-app--x_db.new' max_db_connections=10\n"
        );
        for bad in ["a\nb = host=x", "a b", "a;b", "*", "a=b", "a'b"] {
            assert!(
                databases(&[known(bad)], &server, &Limits::default()).is_err(),
                "{bad}"
            );
        }
        let login = Login {
            name: "a\"b".to_owned(),
            verifier: "SCRAM-SHA-256$4096:x$y:z".to_owned(),
        };
        let file = users(&[login]);
        assert_eq!(file, "\"a\"\"b\" \"SCRAM-SHA-256$4096:x$y:z\"\n");
        assert_eq!(
            verifier_in(&file, "a\"b").as_deref(),
            Some("SCRAM-SHA-256$4096:x$y:z")
        );
        assert_eq!(verifier_in(&file, "a"), None);
    }
}
