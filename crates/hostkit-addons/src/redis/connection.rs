//! A connection to a server, and why there is none.

use std::time::Duration;

use hostkit_core::addon::AddonOrder;
use hostkit_core::secret::Secret;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ErrorKind, FromRedisValue, IntoConnectionInfo,
    RedisConnectionInfo, RedisError, RedisResult, ServerErrorKind,
};

use super::users;

/// A server on this machine answers within this time, or it hangs.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoConnection {
    /// It reads its data.
    #[error("it still reads its data")]
    Starting,
    /// Nobody answers.
    #[error("{0}")]
    Silent(String),
    /// It answers, and does not let us in.
    #[error("{0}")]
    Refused(String),
}

/// A connection that was let in.
pub(super) struct Connected(MultiplexedConnection);

impl Connected {
    /// As HostKit itself.
    pub(super) async fn as_operator(order: &AddonOrder) -> Result<Self, NoConnection> {
        Self::open(order, users::OPERATOR, &order.operator).await
    }

    /// As the project's programs with the newest credential.
    pub(super) async fn as_project(order: &AddonOrder) -> Result<Self, NoConnection> {
        let (user, secret) =
            users::newest(order).ok_or_else(|| NoConnection::Refused("it has no credential".into()))?;
        Self::open(order, &user, secret).await
    }

    async fn open(order: &AddonOrder, user: &str, secret: &Secret) -> Result<Self, NoConnection> {
        let port = order.port.unwrap_or_default();
        let connected = async {
            let address = ConnectionAddr::Tcp("127.0.0.1".into(), port);
            let login = RedisConnectionInfo::default()
                .set_username(user)
                .set_password(secret.reveal())
                .set_skip_set_lib_name();
            let client = Client::open(address.into_connection_info()?.set_redis_settings(login))?;
            let config = AsyncConnectionConfig::new()
                .set_connection_timeout(Some(TIMEOUT))
                .set_response_timeout(Some(TIMEOUT));
            let mut connection = client
                .get_multiplexed_async_connection_with_config(&config)
                .await?;
            redis::cmd("PING").query_async::<()>(&mut connection).await?;
            Ok(connection)
        };
        connected.await.map(Connected).map_err(reason)
    }

    /// Asks something.
    pub(super) async fn ask<T: FromRedisValue>(&mut self, command: &Cmd) -> RedisResult<T> {
        command.query_async(&mut self.0).await
    }

    /// The server's version: `7.0.15`.
    pub(super) async fn version(&mut self) -> RedisResult<String> {
        let mut command = redis::cmd("INFO");
        let text: String = self.ask(command.arg("server")).await?;
        let version = text.lines().find_map(|line| line.strip_prefix("redis_version:"));
        Ok(version.unwrap_or("unknown").trim().to_owned())
    }
}

fn reason(error: RedisError) -> NoConnection {
    match error.kind() {
        ErrorKind::Server(ServerErrorKind::BusyLoading) => NoConnection::Starting,
        ErrorKind::AuthenticationFailed => {
            NoConnection::Refused("what answers on its port does not accept its credential".into())
        }
        ErrorKind::Io => NoConnection::Silent(format!("nothing answers on its port: {error}")),
        _ => NoConnection::Refused(error.to_string()),
    }
}
