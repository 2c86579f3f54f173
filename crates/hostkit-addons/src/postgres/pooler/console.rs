//! The console of PgBouncer: a database called `pgbouncer` that knows a few words of its own, in the simple protocol only.

use hostkit_core::kind::Failure;
use hostkit_core::secret::Secret;
use tokio_postgres::{SimpleQueryMessage, SimpleQueryRow};

use crate::postgres::quote::identifier;
use crate::postgres::session::{Access, Place, Session, explain};

/// What it calls itself.
const DATABASE: &str = "pgbouncer";

/// An open console.
#[derive(Debug)]
pub struct Console(Session);

/// How busy the connections of one login to one database are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolState {
    /// The database.
    pub database: String,
    /// The login.
    pub login: String,
    /// Clients in a transaction, or idle.
    pub clients: u32,
    /// Clients that wait for a connection of the server.
    pub waiting: u32,
    /// Connections of the server that are used at this moment.
    pub active: u32,
    /// Connections of the server that are free.
    pub idle: u32,
    /// How long the first of those that wait has waited, in whole seconds.
    pub longest_wait: u32,
}

impl Console {
    pub(super) async fn open(port: u16, user: &str, password: &Secret) -> Result<Self, Failure> {
        let access = Access {
            place: Place::Loopback,
            port,
            user: user.to_owned(),
            password: Some(password.clone()),
            home: DATABASE.to_owned(),
        };
        let opened = access.try_connect(DATABASE).await;
        opened
            .map(Console)
            .map_err(|why| explain("open the console of PgBouncer", &why))
    }

    /// Has it read its files again; what they say holds when this returns.
    pub async fn reload(&self) -> Result<(), Failure> {
        self.0
            .simple("tell PgBouncer of changes", "RELOAD")
            .await
            .map(drop)
    }

    /// Lets transactions on a database finish, and new ones wait. Returns when none is open.
    pub async fn pause(&self, database: &str) -> Result<(), Failure> {
        let command = format!("PAUSE {}", identifier(database)?);
        self.0.simple("hold transactions", &command).await.map(drop)
    }

    /// Lets those that wait go on. That nobody had to wait is no failure.
    pub async fn resume(&self, database: &str) -> Result<(), Failure> {
        if !self.held().await?.iter().any(|held| held == database) {
            return Ok(());
        }
        let command = format!("RESUME {}", identifier(database)?);
        self.0.simple("let transactions go on", &command).await.map(drop)
    }

    /// The databases on which transactions wait.
    pub async fn held(&self) -> Result<Vec<String>, Failure> {
        let said = self
            .0
            .simple("look whether transactions wait", "SHOW DATABASES")
            .await?;
        let held = said.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) if text(row, "paused") == "1" => Some(text(row, "name")),
            _ => None,
        });
        Ok(held.collect())
    }

    /// How busy all pools are.
    pub async fn pools(&self) -> Result<Vec<PoolState>, Failure> {
        let said = self.0.simple("look at the pools", "SHOW POOLS").await?;
        let rows = said.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        Ok(rows
            .map(|row| PoolState {
                database: text(row, "database"),
                login: text(row, "user"),
                clients: number(row, "cl_active"),
                waiting: number(row, "cl_waiting"),
                active: number(row, "sv_active"),
                idle: number(row, "sv_idle") + number(row, "sv_used"),
                longest_wait: number(row, "maxwait"),
            })
            .filter(|pool| pool.database != DATABASE)
            .collect())
    }
}

/// A column of what it answers; empty where there is none.
fn text(row: &SimpleQueryRow, column: &str) -> String {
    row.try_get(column).ok().flatten().unwrap_or_default().to_owned()
}

fn number(row: &SimpleQueryRow, column: &str) -> u32 {
    text(row, column).parse().unwrap_or(0)
}
