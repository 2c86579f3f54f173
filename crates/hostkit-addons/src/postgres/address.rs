//! Where programs find a database, as they are told.

use hostkit_core::names::VariableName;
use hostkit_core::secret::Secret;
use hostkit_core::variables::Variables;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::session::{Access, Place};

/// What Prisma must be told of a pool that gives every transaction another connection (PgBouncer before 1.21 does not keep
/// prepared statements).
pub(crate) const POOLED_FOR_PRISMA: &str = "?pgbouncer=true&connection_limit=5";

/// An address on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The port on 127.0.0.1.
    pub port: u16,
    /// The role to log in as.
    pub login: String,
    /// Its password.
    pub password: Secret,
    /// The database.
    pub database: String,
}

impl Address {
    /// As one text, as libpq and everybody after it read it.
    pub fn url(&self) -> Secret {
        let part = |text: &str| utf8_percent_encode(text, KEPT).to_string();
        Secret::new(format!(
            "postgresql://{}:{}@127.0.0.1:{}/{}",
            part(&self.login),
            part(self.password.reveal()),
            self.port,
            part(&self.database)
        ))
    }

    /// For libpq's own programs, which read these from their environment: so the password is no argument.
    pub fn variables(&self) -> Variables {
        [
            ("PGHOST", "127.0.0.1".to_owned()),
            ("PGPORT", self.port.to_string()),
            ("PGUSER", self.login.clone()),
            ("PGPASSWORD", self.password.reveal().to_owned()),
            ("PGDATABASE", self.database.clone()),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((VariableName::parse(name).ok()?, Secret::new(value))))
        .collect()
    }

    /// For connections of our own.
    pub fn access(&self) -> Access {
        Access {
            place: Place::Loopback,
            port: self.port,
            user: self.login.clone(),
            password: Some(self.password.clone()),
            home: self.database.clone(),
        }
    }
}

/// What stands for itself everywhere in a URL (RFC 3986, unreserved).
const KEPT: &percent_encoding::AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_holds_whatever_a_name_or_a_password_is() {
        let mut address = Address {
            port: 6432,
            login: "my-app--staging_db.1".to_owned(),
            password: Secret::new("0af"),
            database: "my-app--staging_db".to_owned(),
        };
        assert_eq!(
            address.url().reveal(),
            "postgresql://my-app--staging_db.1:0af@127.0.0.1:6432/my-app--staging_db"
        );
        address.password = Secret::new("a/b@c:d?e#f%");
        let config: tokio_postgres::Config = address.url().reveal().parse().unwrap();
        assert_eq!(config.get_password(), Some(&b"a/b@c:d?e#f%"[..]));
        assert_eq!(config.get_dbname(), Some("my-app--staging_db"));
        assert!(!format!("{address:?}").contains("a/b"));
    }
}
