//! Addresses of servers elsewhere.
//!
//! Without a word about it in the URL the connection is encrypted and the server must prove who it is; `sslmode=require`
//! and weaker words, which elsewhere mean "encrypted, to whoever answers", mean the same here. A server whose authority the
//! system does not know needs `sslrootcert=FILE`.

use std::collections::BTreeMap;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::reach::{Reach, is_this_machine};
use hostkit_core::secret::Secret;
use url::Url;

use crate::outside;
use crate::postgres::session::{Access, Place};
use crate::proof::Proof;
use crate::reached;

/// Reads `postgresql://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=…&sslrootcert=…`: how to get in, and the database. Other
/// parameters are for programs and are passed over. No file is read that an address names where HostKit reaches no further
/// than other machines: its reader has more rights than who wrote it.
pub fn parse(url: &Secret, reach: Reach) -> Result<(Access, String), Failure> {
    let refused = |why: &str| {
        // Never with the text: the password is in it.
        Failure::new(
            Kind::Invalid,
            format!("cannot use this address of a database: {why}"),
        )
        .hint("write it as postgresql://USER:PASSWORD@HOST:PORT/DATABASE, special characters as %XX")
    };
    let parsed = Url::parse(url.reveal()).map_err(|_| refused("it is not a URL"))?;
    if !matches!(parsed.scheme(), "postgresql" | "postgres") {
        return Err(refused("it does not begin with `postgresql://`"));
    }
    let host = parsed.host_str().filter(|host| !host.is_empty());
    let host = host.ok_or_else(|| refused("it names no host"))?;
    let plain = |text: &str| outside::plain(text).map_err(refused);
    let user = plain(parsed.username())?;
    if user.is_empty() {
        return Err(refused("it names no user"));
    }
    let database = plain(parsed.path().trim_start_matches('/'))?;
    let parameter = |name: &str| {
        let mut all = parsed.query_pairs();
        all.find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    };
    let is_here = is_this_machine(host);
    let proof = match (parameter("sslmode").as_deref(), parameter("sslrootcert")) {
        (Some("disable"), _) => Proof::None,
        (None, None) if is_here => Proof::None,
        (None | Some("allow" | "prefer" | "require" | "verify-ca" | "verify-full"), authority) => {
            authority.map_or(Proof::System, |file| Proof::Authority(file.into()))
        }
        (Some(_), _) => return Err(refused("PostgreSQL knows no such `sslmode`")),
    };
    if reach != Reach::All && matches!(proof, Proof::Authority(_)) {
        return Err(refused("on a server, `sslrootcert` is not read").hint(
            "have the machine trust the authority: its certificate into /usr/local/share/ca-certificates, then `update-ca-certificates`",
        ));
    }
    let database = if database.is_empty() {
        user.clone()
    } else {
        database
    };
    let access = Access {
        place: Place::Outside {
            host: host.trim_matches(['[', ']']).to_owned(),
            proof,
            reach,
        },
        port: parsed.port().unwrap_or(5432),
        user,
        password: parsed.password().map(plain).transpose()?.map(Secret::new),
        home: database.clone(),
    };
    Ok((access, database))
}

/// Where Debian keeps the authorities that the system trusts: libpq of Debian 12 knows no word for them.
const SYSTEM_AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

impl Access {
    /// For libpq's own programs, which read these from their environment: so the password is no argument.
    pub(crate) fn variables(&self, database: &str) -> Vec<(&'static str, Secret)> {
        let mut all = vec![
            ("PGPORT", Secret::new(self.port.to_string())),
            ("PGUSER", Secret::new(self.user.as_str())),
            ("PGDATABASE", Secret::new(database)),
        ];
        all.extend(self.password.clone().map(|password| ("PGPASSWORD", password)));
        let Place::Outside { host, proof, .. } = &self.place else {
            return all;
        };
        all.push(("PGHOST", Secret::new(host.as_str())));
        let (mode, authority) = match proof {
            Proof::None => ("disable", None),
            Proof::System => ("verify-full", Some(SYSTEM_AUTHORITIES.to_owned())),
            Proof::Authority(file) => ("verify-full", Some(file.display().to_string())),
        };
        all.push(("PGSSLMODE", Secret::new(mode)));
        all.extend(authority.map(|file| ("PGSSLROOTCERT", Secret::new(file))));
        all
    }

    /// The same for programs that HostKit runs itself: they go where it looked, and nowhere else.
    pub(crate) async fn tool_variables(&self, database: &str) -> Result<BTreeMap<String, String>, Failure> {
        let mut all: BTreeMap<String, String> = self
            .variables(database)
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.reveal().to_owned()))
            .collect();
        if let Place::Outside { host, reach, .. } = &self.place {
            let found = reached::addresses(host, self.port, *reach).await?;
            let hosts = vec![host.as_str(); found.len()].join(",");
            let found: Vec<String> = found.iter().map(ToString::to_string).collect();
            all.insert("PGHOST".to_owned(), hosts);
            all.insert("PGHOSTADDR".to_owned(), found.join(","));
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> Result<(Access, String), Failure> {
        parse(&Secret::new(url), Reach::All)
    }

    #[test]
    fn addresses_are_read_and_servers_elsewhere_must_prove_who_they_are() {
        let (access, database) =
            parsed("postgresql://a%40b:p%2Fw%23@db.example.com:6543/my%20db?pgbouncer=true").unwrap();
        assert_eq!(
            (access.user.as_str(), access.port, database.as_str()),
            ("a@b", 6543, "my db")
        );
        assert_eq!(access.password, Some(Secret::new("p/w#")));
        let proof = |url: &str| match parsed(url).unwrap().0.place {
            Place::Outside { proof, .. } => proof,
            other => panic!("{other:?}"),
        };
        assert_eq!(proof("postgres://u@db.example.com/d"), Proof::System);
        assert_eq!(
            proof("postgres://u@db.example.com/d?sslmode=require"),
            Proof::System
        );
        assert_eq!(
            proof("postgres://u@db.example.com/d?sslmode=disable"),
            Proof::None
        );
        assert_eq!(
            proof("postgres://u@db.example.com/d?sslmode=verify-full&sslrootcert=/ca.pem"),
            Proof::Authority("/ca.pem".into())
        );
        assert_eq!(proof("postgres://u@localhost/d"), Proof::None);
        assert_eq!(parsed("postgres://u@h").unwrap().1, "u");
        let named = Secret::new("postgres://u@h/d?sslrootcert=/etc/shadow");
        let refused = parse(&named, Reach::OtherMachines).unwrap_err();
        assert!(refused.message.contains("`sslrootcert` is not read"), "{refused}");
    }

    #[test]
    fn what_is_no_address_is_refused_without_being_said_again() {
        for bad in [
            "",
            "secret",
            "mysql://u:secret@h/d",
            "postgres://:secret@h/d",
            "postgres:///d?secret",
            "postgres://u:secret%00@h/d",
            "postgres://u:secret%ff@h/d",
            "postgres://u:secret@h/d?sslmode=maybe",
            "postgres://u:secret@h:99999/d",
        ] {
            let failure = parsed(bad).unwrap_err();
            assert_eq!(failure.kind, Kind::Invalid, "{bad}");
            assert!(!format!("{failure:?}").contains("secret"), "{failure:?}");
        }
    }
}
