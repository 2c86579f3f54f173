//! Servers elsewhere, by their URL: Supabase, Neon, Amazon, another machine. What is told of databases works on them as far
//! as the login there may look.
//!
//! Without a word about it in the URL the connection is encrypted and the server must prove who it is; `sslmode=require`
//! and weaker words, which elsewhere mean "encrypted, to whoever answers", mean the same here. A server whose authority the
//! system does not know needs `sslrootcert=FILE`.

use std::path::PathBuf;
use std::sync::Arc;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::secret::Secret;
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio_postgres_rustls::MakeRustlsConnect;
use url::Url;

use super::session::{Access, Place};

/// How a server elsewhere proves who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// Not at all, and nothing is encrypted: only where the URL says `sslmode=disable`, or to this machine.
    None,
    /// By an authority that the system trusts.
    System,
    /// By an authority whose certificate is in this file (PEM).
    Authority(PathBuf),
}

/// What a server elsewhere is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its version: `15.4`.
    pub version: String,
    /// Whether the login is a superuser there, which no program should be.
    pub is_superuser: bool,
    /// The most connections it takes.
    pub connection_limit: i64,
    /// Whether the login may make tables in the database.
    pub may_create: bool,
    /// Whether it counts queries.
    pub counts_queries: bool,
}

/// Reads `postgresql://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=…&sslrootcert=…`: how to get in, and the database. Other
/// parameters are for programs and are passed over.
pub fn parse(url: &Secret) -> Result<(Access, String), Failure> {
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
    let plain = |text: &str| {
        let text = percent_encoding::percent_decode_str(text).decode_utf8();
        let text = text.map_err(|_| refused("a part of it is not UTF-8"))?;
        if text.contains('\0') {
            return Err(refused("it has the byte 0 inside"));
        }
        Ok(text.into_owned())
    };
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
    let is_here = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
    let proof = match (parameter("sslmode").as_deref(), parameter("sslrootcert")) {
        (Some("disable"), _) => Proof::None,
        (None, None) if is_here => Proof::None,
        (None | Some("allow" | "prefer" | "require" | "verify-ca" | "verify-full"), authority) => {
            authority.map_or(Proof::System, |file| Proof::Authority(file.into()))
        }
        (Some(_), _) => return Err(refused("PostgreSQL knows no such `sslmode`")),
    };
    let database = if database.is_empty() {
        user.clone()
    } else {
        database
    };
    let access = Access {
        place: Place::Outside {
            host: host.trim_matches(['[', ']']).to_owned(),
            proof,
        },
        port: parsed.port().unwrap_or(5432),
        user,
        password: parsed.password().map(plain).transpose()?.map(Secret::new),
        home: database.clone(),
    };
    Ok((access, database))
}

/// Looks at a server elsewhere: whether it answers, lets us in, and what it is.
pub async fn look(access: &Access) -> Result<Seen, Failure> {
    let session = access.connect(&access.home).await?;
    let question = "SELECT current_setting('server_version'),
               (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),
               current_setting('max_connections')::bigint,
               has_database_privilege(current_database(), 'CREATE'),
               EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_stat_statements')";
    let act = "look at the server";
    let row = session.row(act, question, &[]).await?;
    let row = row.ok_or_else(|| Failure::new(Kind::Unavailable, format!("cannot {act}: it says nothing")))?;
    Ok(Seen {
        version: row.get(0),
        is_superuser: row.get(1),
        connection_limit: row.get(2),
        may_create: row.get(3),
        counts_queries: row.get(4),
    })
}

/// What encrypts connections to a server; none where they are not.
pub(super) fn connector(proof: &Proof) -> Result<Option<MakeRustlsConnect>, Failure> {
    let cannot = |why: &dyn std::fmt::Display| {
        Failure::new(
            Kind::Invalid,
            format!("cannot prove who a server of PostgreSQL is: {why}"),
        )
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|why| cannot(&why))?;
    let config = match proof {
        Proof::None => return Ok(None),
        Proof::System => builder.with_platform_verifier().map_err(|why| cannot(&why))?,
        Proof::Authority(file) => {
            let named = |why: &dyn std::fmt::Display| cannot(&format!("`{}`: {why}", file.display()));
            let mut roots = rustls::RootCertStore::empty();
            for certificate in CertificateDer::pem_file_iter(file).map_err(|why| named(&why))? {
                roots
                    .add(certificate.map_err(|why| named(&why))?)
                    .map_err(|why| named(&why))?;
            }
            builder.with_root_certificates(roots)
        }
    };
    Ok(Some(MakeRustlsConnect::new(config.with_no_client_auth())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> Result<(Access, String), Failure> {
        parse(&Secret::new(url))
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
