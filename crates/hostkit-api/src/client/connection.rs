//! Where an installation is, how it is reached, and what is said when it cannot be.

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::layout::Layout;
use http::{StatusCode, Uri};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use super::Body;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Where an installation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// Its unix socket.
    Socket(PathBuf),
    /// Its HTTP address.
    Http {
        /// Host name or IP address, and port, as they stand in a URL.
        authority: String,
    },
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Address::Socket(path) => write!(f, "{}", path.display()),
            Address::Http { authority } => write!(f, "http://{authority}"),
        }
    }
}

impl Address {
    /// Reads an address such as `http://127.0.0.1:8090`.
    pub fn parse(url: &str) -> Result<Self, Failure> {
        let refused =
            |why: &str| Failure::new(Kind::Invalid, format!("cannot use the address `{url}`: {why}"));
        let uri: Uri = url
            .parse()
            .map_err(|_| refused("it is not a URL").hint("give it like `http://127.0.0.1:8090`"))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => {
                return Err(refused("this version speaks http only")
                    .hint("reach a machine elsewhere through `ssh -L 8090:127.0.0.1:8090 MACHINE`"));
            }
            _ => return Err(refused("it has no scheme").hint(format!("try `http://{url}`"))),
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(refused("it has a path")
                .hint("give scheme, host and port only, as in `http://127.0.0.1:8090`"));
        }
        let authority = uri.authority().ok_or_else(|| refused("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(
                refused("it has a user name in it").hint("give the token by `--token` or HOSTKIT_TOKEN")
            );
        }
        Ok(Address::Http {
            authority: authority.to_string(),
        })
    }

    pub(super) fn host(&self) -> &str {
        match self {
            Address::Socket(_) => "localhost",
            Address::Http { authority } => authority,
        }
    }

    pub(super) async fn connect(&self) -> Result<SendRequest<Body>, Failure> {
        let connected = async {
            match self {
                Address::Socket(path) => open(UnixStream::connect(path).await?).await,
                Address::Http { authority } => {
                    let stream = match authority.rsplit_once(':') {
                        Some((_, port)) if port.parse::<u16>().is_ok() => {
                            TcpStream::connect(authority).await?
                        }
                        _ => TcpStream::connect(format!("{authority}:80")).await?,
                    };
                    stream.set_nodelay(true)?;
                    open(stream).await
                }
            }
        };
        match tokio::time::timeout(CONNECT_TIMEOUT, connected).await {
            Ok(Ok(sender)) => Ok(sender),
            Ok(Err(why)) => Err(self.unreachable(&why)),
            Err(_) => Err(self.silent(CONNECT_TIMEOUT)),
        }
    }

    /// Whether systemd keeps what answers there.
    fn is_server(&self) -> bool {
        matches!(self, Address::Socket(path) if *path == Layout::server().control_socket())
    }

    fn unreachable(&self, why: &std::io::Error) -> Failure {
        use std::io::ErrorKind;
        let (message, hint) = match (self, why.kind()) {
            (Address::Socket(_), ErrorKind::NotFound | ErrorKind::ConnectionRefused) if self.is_server() => (
                format!("cannot reach HostKit at `{self}`: it is not running"),
                "`systemctl start hostkit-control` starts it, `journalctl -u hostkit-control` says why it ended",
            ),
            (Address::Socket(_), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => (
                format!("cannot reach HostKit at `{self}`: it is not running"),
                "start it with `hostkit up`, or name its data folder with `--data DIR`",
            ),
            (Address::Socket(_), ErrorKind::PermissionDenied) => (
                format!("cannot reach HostKit at `{self}`: it belongs to another user"),
                "use `--url` and `--token`, or be the user who ran `hostkit up`",
            ),
            (_, ErrorKind::ConnectionRefused) => (
                format!("cannot reach HostKit at `{self}`: nothing listens there"),
                "is it running? `hostkit status` on its machine says where its API is",
            ),
            _ => (
                format!("cannot reach HostKit at `{self}`: {why}"),
                "is it running? `hostkit up` prints its address",
            ),
        };
        Failure::new(Kind::Unavailable, message).hint(hint)
    }

    pub(super) fn silent(&self, after: Duration) -> Failure {
        Failure::new(
            Kind::Unavailable,
            format!(
                "cannot reach HostKit at `{self}`: no answer within {} s",
                after.as_secs()
            ),
        )
        .hint(match self.is_server() {
            true => "`systemctl status hostkit-control` and `journalctl -u hostkit-control` say why",
            false => "look with `hostkit status` and `hostkit doctor`",
        })
    }

    /// The connection was lost, or the body that was being sent failed: the innermost cause says which.
    pub(super) fn broke_off(&self, why: &(dyn Error + 'static)) -> Failure {
        let mut cause = why;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        Failure::new(
            Kind::Unavailable,
            format!("cannot finish the call to HostKit at `{self}`: {cause}"),
        )
        .hint("is it still running? look with `hostkit status`")
    }

    pub(super) fn not_hostkit(&self, status: StatusCode) -> Failure {
        Failure::new(
            Kind::Unavailable,
            format!("cannot understand the answer of `{self}` ({status}): it is not one of HostKit's API"),
        )
        .hint("check the address: `hostkit up` prints it")
    }
}

async fn open<S>(stream: S) -> std::io::Result<SendRequest<Body>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = handshake(TokioIo::new(stream))
        .await
        .map_err(std::io::Error::other)?;
    // Its errors come back through the sender and the body.
    tokio::spawn(connection.with_upgrades());
    Ok(sender)
}
