//! Whether a Redis elsewhere answers and lets the login in.

use std::time::Duration;

use bytes::Bytes;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::reach::Reach;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ErrorKind, RedisConnectionInfo, RedisError, ServerErrorKind};

use super::address::{Rest, Server};
use crate::stream::open;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer of REST, in bytes.
const LONGEST: usize = 64 * 1024;

/// Logs in, asks, and answers the version where the login may know it.
pub(super) async fn server(server: &Server, reach: Reach) -> Result<Option<String>, Failure> {
    let stream = open(&server.listens, reach).await?;
    let mut login = RedisConnectionInfo::default()
        .set_db(i64::from(server.database))
        .set_skip_set_lib_name();
    if let Some(user) = &server.user {
        login = login.set_username(user);
    }
    if let Some(password) = &server.password {
        login = login.set_password(password.reveal());
    }
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(PATIENCE));
    let asked = async {
        let (mut connection, driver) = MultiplexedConnection::new_with_config(&login, stream, config).await?;
        // Ends with the connection.
        tokio::spawn(driver);
        redis::cmd("PING").query_async::<()>(&mut connection).await?;
        let said: Result<String, RedisError> = redis::cmd("INFO")
            .arg("server")
            .query_async(&mut connection)
            .await;
        Ok(said.ok())
    };
    let said: Option<String> = asked.await.map_err(|why| explain(&server.listens.host, &why))?;
    let version = said.as_deref().and_then(|said| {
        let mut lines = said.lines();
        lines.find_map(|line| line.strip_prefix("redis_version:"))
    });
    Ok(version.map(|version| version.trim().to_owned()))
}

fn explain(host: &str, why: &RedisError) -> Failure {
    let (kind, why) = match why.kind() {
        ErrorKind::AuthenticationFailed => (Kind::Denied, "it does not accept the password".to_owned()),
        ErrorKind::Io => (Kind::Unavailable, format!("it does not answer ({why})")),
        ErrorKind::Server(
            ServerErrorKind::BusyLoading
            | ServerErrorKind::TryAgain
            | ServerErrorKind::ClusterDown
            | ServerErrorKind::MasterDown,
        ) => (Kind::Unavailable, format!("it is not ready ({why})")),
        // What it said instead is not repeated.
        ErrorKind::Parse | ErrorKind::UnexpectedReturnType => (
            Kind::Unavailable,
            "what answers there does not speak as a Redis does".to_owned(),
        ),
        _ => (Kind::Denied, why.to_string()),
    };
    Failure::new(kind, format!("cannot use the Redis at `{host}`: {why}"))
}

/// Asks by Upstash's REST protocol.
pub(super) async fn rest(rest: &Rest, reach: Reach) -> Result<(), Failure> {
    let host = &rest.listens.host;
    let cannot = |kind: Kind, why: &dyn std::fmt::Display| {
        Failure::new(kind, format!("cannot use the Redis at `{host}` by REST: {why}"))
    };
    let stream = TokioIo::new(open(&rest.listens, reach).await?);
    let exchange = async {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
        // Ends with the sender.
        tokio::spawn(connection);
        let request = Request::post("/")
            .header("host", host.as_str())
            .header("authorization", format!("Bearer {}", rest.token.reveal()))
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from_static(br#"["PING"]"#)))?;
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), LONGEST)
            .collect()
            .await?
            .to_bytes();
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>((status, body))
    };
    let answered = tokio::time::timeout(PATIENCE, exchange).await;
    let answered = answered.map_err(|_| cannot(Kind::Unavailable, &"it does not answer in time"))?;
    // What it answers is not repeated: it may be no Redis at all.
    match answered.map_err(|why| cannot(Kind::Unavailable, &why))? {
        (StatusCode::OK, body) if body.windows(6).any(|part| part == b"\"PONG\"") => Ok(()),
        (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => {
            Err(cannot(Kind::Denied, &"it does not accept the token"))
        }
        (status, _) => Err(cannot(
            Kind::Unavailable,
            &format!("it answers {status}, and no PONG"),
        )),
    }
}
