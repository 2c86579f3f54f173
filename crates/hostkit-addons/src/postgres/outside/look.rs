//! A look at a server elsewhere: whether it answers, lets us in, and what it is.

use hostkit_core::kind::{Failure, Kind};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::postgres::session::{Access, Place};
use crate::proof::Proof;

/// Fewer connections than that are soon too few: every instance has a few, and so has HostKit.
const FEW: i64 = 15;

/// What a server elsewhere is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its version: `15.4`.
    pub version: String,
    /// Whether the login is a superuser there, which no program should be.
    pub is_superuser: bool,
    /// The most connections the login may have.
    pub connection_limit: i64,
    /// Whether the login may make tables in the database.
    pub may_create: bool,
    /// Whether it counts queries.
    pub counts_queries: bool,
}

impl Seen {
    /// The major version: 15.
    pub fn major(&self) -> Option<u16> {
        self.version.split(['.', ' ', 'b', 'r']).next()?.parse().ok()
    }

    /// What would be better otherwise.
    pub fn warnings(&self, access: &Access) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.is_superuser {
            warnings.push("its login is a superuser there: give programs one that is none".to_owned());
        }
        if !self.may_create {
            warnings.push("its login may not make tables: migrations will fail".to_owned());
        }
        if self.connection_limit < FEW {
            warnings.push(format!("it takes {} connections at most", self.connection_limit));
        }
        let is_plain = matches!(&access.place, Place::Outside { host, proof: Proof::None, .. }
            if !matches!(host.as_str(), "localhost" | "127.0.0.1" | "::1"));
        if is_plain {
            warnings.push("nothing is encrypted on the way to it".to_owned());
        }
        warnings
    }
}

/// Looks at a server elsewhere.
pub async fn look(access: &Access) -> Result<Seen, Failure> {
    let session = access.connect(&access.home).await?;
    let question = "SELECT current_setting('server_version'),
               (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),
               (SELECT least(current_setting('max_connections')::bigint, nullif(d.datconnlimit, -1), nullif(r.rolconnlimit, -1))
                FROM pg_database d, pg_roles r WHERE d.datname = current_database() AND r.rolname = current_user),
               coalesce(has_schema_privilege(current_schema(), 'CREATE'), false),
               EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_stat_statements')";
    let act = &match &access.place {
        Place::Outside { host, .. } => format!("look at the server at `{host}`"),
        Place::Socket(_) | Place::Loopback => "look at the server".to_owned(),
    };
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
pub(in crate::postgres) fn connector(proof: &Proof) -> Result<Option<MakeRustlsConnect>, Failure> {
    Ok(proof.client()?.map(MakeRustlsConnect::new))
}
