//! Who may speak to which Redis.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hostkit_core::kind::{Failure, Kind};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::scripts::Scripts;
use super::share::Share;
use crate::secret_file;

/// How long a Redis of this machine may take to take a connection.
const CONNECT: Duration = Duration::from_secs(2);
/// How long a command may take: as long as Redis itself calls a script that blocks everybody busy, and more.
const ANSWER: Duration = Duration::from_secs(30);

/// What a gateway is told: the file is for it alone, since it holds passwords.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where it listens: a loopback address. Another one is used from its next start on.
    pub listen: SocketAddr,
    /// Who may do what.
    pub accesses: Vec<Access>,
}

/// One token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// Whose it is: those of one owner share what one may have of the gateway.
    pub owner: String,
    /// SHA-256 of the token, in lowercase hexadecimal digits: [`token_hash`].
    pub token: String,
    /// The Redis.
    pub address: SocketAddr,
    /// Its user: what that one may do is what the token may.
    pub user: String,
    /// The user's password.
    pub password: String,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {}", self.user, self.address)
    }
}

/// What stands for a token in the settings: who reads them learns no token.
pub fn token_hash(token: &str) -> String {
    Sha256::digest(token)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

impl Settings {
    /// Reads a settings file. One that others may read or write is refused ([`Kind::Invalid`]).
    pub fn load(path: &Path) -> Result<Self, Failure> {
        Self::parse(secret_file::read(path)?.reveal())
    }

    /// Reads the text of a settings file.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let cannot = |why: String| {
            Failure::new(
                Kind::Invalid,
                format!("cannot read the settings of the gateway: {why}"),
            )
        };
        // The text of the file is not repeated: it has passwords in it.
        let settings: Settings = serde_json::from_str(text)
            .map_err(|why| cannot(format!("line {}, column {}", why.line(), why.column())))?;
        match settings.listen.ip().is_loopback() {
            true => Ok(settings),
            false => Err(cannot(format!(
                "{} is not of this machine alone",
                settings.listen
            ))),
        }
    }
}

/// The Redis of a token, ready to be spoken to.
#[derive(Clone)]
pub(super) struct Server {
    /// For what needs a connection of its own.
    pub(super) client: Client,
    /// One connection for all commands, made when it is first used and again when it is lost.
    pub(super) commands: ConnectionManager,
    pub(super) scripts: Arc<Scripts>,
    /// What its project has of the gateway: the same for all of its tokens.
    pub(super) share: Arc<Share>,
}

/// All tokens, by their hashes: looking one up takes the same time whatever is in it.
#[derive(Default)]
pub(super) struct Directory {
    by_token: HashMap<String, (Access, Server)>,
    shares: HashMap<String, Arc<Share>>,
}

impl Directory {
    /// What the settings say; connections of accesses that were there before stay, and what their owners have of the gateway.
    pub(super) fn new(settings: &Settings, before: &Directory) -> Result<Self, Failure> {
        let mut directory = Directory::default();
        for access in &settings.accesses {
            let owner = &access.owner;
            let share = directory.shares.entry(owner.clone());
            let share = share.or_insert_with(|| before.shares.get(owner).cloned().unwrap_or_default());
            let server = match before.by_token.get(&access.token) {
                Some((old, server)) if old == access => server.clone(),
                _ => Server::new(access, share.clone())?,
            };
            directory
                .by_token
                .insert(access.token.clone(), (access.clone(), server));
        }
        Ok(directory)
    }

    pub(super) fn find(&self, token: &str) -> Option<&Server> {
        self.by_token.get(&token_hash(token)).map(|(_, server)| server)
    }
}

impl Server {
    fn new(access: &Access, share: Arc<Share>) -> Result<Self, Failure> {
        let cannot = |why: redis::RedisError| {
            Failure::new(
                Kind::Invalid,
                format!("cannot use the Redis at {}: {why}", access.address),
            )
        };
        let login = RedisConnectionInfo::default()
            .set_username(&access.user)
            .set_password(&access.password)
            .set_skip_set_lib_name();
        let client = Client::open(connection(access.address, login).map_err(cannot)?).map_err(cannot)?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(ANSWER))
            .set_number_of_retries(1);
        Ok(Server {
            commands: ConnectionManager::new_lazy_with_config(client.clone(), config).map_err(cannot)?,
            client,
            scripts: Arc::default(),
            share,
        })
    }
}

fn connection(address: SocketAddr, login: RedisConnectionInfo) -> redis::RedisResult<ConnectionInfo> {
    let address = ConnectionAddr::Tcp(address.ip().to_string(), address.port());
    Ok(address.into_connection_info()?.set_redis_settings(login))
}
