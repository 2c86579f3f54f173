//! One connection to a server, and the words for what goes wrong on it.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::reach::Reach;
use hostkit_core::secret::Secret;
use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, NoTls, Row, SimpleQueryMessage};

use super::outside;
use crate::proof::Proof;
use crate::reached;

/// How long a server may take to answer a new connection.
const LONGEST_CONNECT: Duration = Duration::from_secs(10);

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A unix socket in this folder.
    Socket(PathBuf),
    /// TCP on 127.0.0.1.
    Loopback,
    /// TCP to a server elsewhere.
    Outside {
        /// Its name or address.
        host: String,
        /// How it proves who it is.
        proof: Proof,
        /// How far HostKit goes to get there.
        reach: Reach,
    },
}

/// How HostKit gets in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// Where the server listens.
    pub place: Place,
    /// Its port, which names the socket, too.
    pub port: u16,
    /// As whom.
    pub user: String,
    /// The password; none where the server asks the kernel who calls.
    pub password: Option<Secret>,
    /// The database that what is not about one database is asked in.
    pub home: String,
}

/// An open connection. It is closed when this is dropped.
#[derive(Debug)]
pub struct Session {
    client: Client,
    driver: JoinHandle<()>,
}

impl Access {
    /// Opens a connection to a database. On this machine nothing that somebody made in there is found by a bare name:
    /// HostKit has more rights there than who made it. Elsewhere its rights are theirs, and no setting is left in a pool.
    pub async fn connect(&self, database: &str) -> Result<Session, Failure> {
        if let Place::Outside { host, proof, reach } = &self.place {
            let addresses = reached::addresses(host, self.port, *reach).await?;
            return self.connect_outside(database, proof, (host, &addresses)).await;
        }
        let act = format!("connect to the database `{database}`");
        let session = self
            .try_connect(database)
            .await
            .map_err(|why| explain(&act, &why))?;
        session.run(&act, "SET search_path = pg_catalog, pg_temp").await?;
        Ok(session)
    }

    /// As [`Access::connect`] on this machine, without a setting, and for who tells failures apart.
    pub(crate) async fn try_connect(&self, database: &str) -> Result<Session, tokio_postgres::Error> {
        let (client, connection) = self.config(database).connect(NoTls).await?;
        Ok(Session::new(client, connection))
    }

    async fn connect_outside(
        &self,
        database: &str,
        proof: &Proof,
        (host, addresses): (&str, &[IpAddr]),
    ) -> Result<Session, Failure> {
        let act = format!("connect to the database `{database}` at `{host}`");
        let is_it_up = format!("is `{host}` up, and does it let this machine in?");
        let mut config = self.config(database);
        for address in addresses {
            config.host(host).hostaddr(*address);
        }
        let connector = outside::connector(proof)?;
        let opened = tokio::time::timeout(LONGEST_CONNECT, async {
            match connector {
                Some(connector) => {
                    config.ssl_mode(SslMode::Require);
                    let opened = config.connect(connector).await;
                    opened.map(|(client, connection)| Session::new(client, connection))
                }
                None => {
                    config.ssl_mode(SslMode::Disable);
                    let opened = config.connect(NoTls).await;
                    opened.map(|(client, connection)| Session::new(client, connection))
                }
            }
        });
        // What takes the connection and says nothing that PostgreSQL says is waited for no longer.
        let opened = opened.await.map_err(|_| {
            let why = format!("cannot {act}: it does not answer in time");
            Failure::new(Kind::Unavailable, why).hint(&is_it_up)
        })?;
        opened.map_err(|why| match why.as_db_error() {
            Some(_) => explain(&act, &why),
            None => explain(&act, &why).hint(is_it_up),
        })
    }

    fn config(&self, database: &str) -> Config {
        let mut config = Config::new();
        config
            .port(self.port)
            .user(&self.user)
            .dbname(database)
            .application_name("hostkit")
            .connect_timeout(LONGEST_CONNECT);
        match &self.place {
            Place::Socket(folder) => {
                config.host_path(folder);
            }
            Place::Loopback => {
                config.host("127.0.0.1");
            }
            // Its addresses are looked for before each connection.
            Place::Outside { .. } => {}
        }
        if let Some(password) = &self.password {
            config.password(password.reveal());
        }
        config
    }
}

impl Session {
    /// A connection, and what drives it.
    fn new<D>(client: Client, driver: D) -> Self
    where
        D: Future<Output = Result<(), tokio_postgres::Error>> + Send + 'static,
    {
        let driver = tokio::spawn(async move {
            // Whoever waits for an answer is told by the client's own error.
            let _ = driver.await;
        });
        Session { client, driver }
    }

    /// Runs statements. `act` names what they are for, as in `cannot <act>`.
    pub async fn run(&self, act: &str, statements: &str) -> Result<(), Failure> {
        self.client
            .batch_execute(statements)
            .await
            .map_err(|why| explain(act, &why))
    }

    /// The rows of a question.
    pub async fn rows(
        &self,
        act: &str,
        question: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Failure> {
        self.client
            .query(question, values)
            .await
            .map_err(|why| explain(act, &why))
    }

    /// The first row of a question, where there is one.
    pub async fn row(
        &self,
        act: &str,
        question: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>, Failure> {
        Ok(self.rows(act, question, values).await?.into_iter().next())
    }

    /// Says something in the simple protocol, the only one that the console of PgBouncer knows.
    pub async fn simple(&self, act: &str, text: &str) -> Result<Vec<SimpleQueryMessage>, Failure> {
        self.client
            .simple_query(text)
            .await
            .map_err(|why| explain(act, &why))
    }

    /// The connection itself, for what needs its types.
    pub fn client(&self) -> &Client {
        &self.client
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// What a server said, for users. No statement is part of it.
pub(crate) fn explain(act: &str, why: &tokio_postgres::Error) -> Failure {
    let Some(said) = why.as_db_error() else {
        let inner = std::error::Error::source(why).map_or_else(|| why.to_string(), ToString::to_string);
        return Failure::new(
            Kind::Unavailable,
            format!("cannot {act}: PostgreSQL does not answer ({inner})"),
        )
        .hint("it may be starting; `hostkit doctor` says how it is");
    };
    let message = format!("cannot {act}: {}", said.message());
    let code = said.code();
    let failure = match code {
        _ if *code == SqlState::DISK_FULL => Failure::new(Kind::Unavailable, message)
            .hint("make room on the disk; nothing that was written before is lost"),
        _ if *code == SqlState::TOO_MANY_CONNECTIONS => Failure::new(Kind::Unavailable, message)
            .hint("close connections, or use the pooled DATABASE_URL in place of DIRECT_URL"),
        // It starts, stops, or recovers.
        _ if *code == SqlState::CANNOT_CONNECT_NOW
            || *code == SqlState::ADMIN_SHUTDOWN
            || *code == SqlState::CRASH_SHUTDOWN =>
        {
            Failure::new(Kind::Unavailable, message).hint("try again in a moment")
        }
        _ if *code == SqlState::INVALID_CATALOG_NAME => Failure::new(Kind::NotFound, message),
        _ if *code == SqlState::INSUFFICIENT_PRIVILEGE
            || *code == SqlState::INVALID_PASSWORD
            || *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION =>
        {
            Failure::new(Kind::Denied, message)
        }
        _ if *code == SqlState::DUPLICATE_DATABASE
            || *code == SqlState::DUPLICATE_OBJECT
            || *code == SqlState::OBJECT_IN_USE =>
        {
            Failure::new(Kind::Conflict, message)
        }
        _ => Failure::new(Kind::Failed, message),
    };
    let details = [said.detail(), said.hint()]
        .into_iter()
        .flatten()
        .map(str::to_owned)
        .collect();
    failure.details(details)
}
