//! Where a server is reached: sockets that were handed to it, or one that it opens itself.

use std::fs;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;

use hostkit_core::kind::Failure;
use rustix::net::AddressFamily;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::cannot;
use crate::storage::settings::Listen;

/// One socket that takes connections.
pub(super) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// One connection.
pub(super) enum Connection {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Listener {
    /// Those that were handed over; where there are none, the one of the settings.
    pub(super) async fn all(sockets: Vec<OwnedFd>, listen: &Listen) -> Result<Vec<Self>, Failure> {
        if sockets.is_empty() {
            return Ok(vec![Self::open(listen).await?]);
        }
        sockets.into_iter().map(Self::of_socket).collect()
    }

    async fn open(listen: &Listen) -> Result<Self, Failure> {
        match listen {
            Listen::Address(address) => {
                let listener = TcpListener::bind(address)
                    .await
                    .map_err(|why| cannot(&format!("listen on {address}"), &why))?;
                Ok(Listener::Tcp(listener))
            }
            Listen::Socket(path) => {
                let failed = |why| cannot(&format!("listen on `{}`", path.display()), &why);
                remove_stale(path).map_err(failed)?;
                let listener = UnixListener::bind(path).map_err(failed)?;
                fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
                Ok(Listener::Unix(listener))
            }
        }
    }

    fn of_socket(socket: OwnedFd) -> Result<Self, Failure> {
        let failed = |why: std::io::Error| cannot("use a socket that was handed over", &why);
        let family = rustix::net::getsockname(&socket)
            .map_err(|why| failed(why.into()))?
            .address_family();
        if family == AddressFamily::UNIX {
            let listener = std::os::unix::net::UnixListener::from(socket);
            listener.set_nonblocking(true).map_err(failed)?;
            return UnixListener::from_std(listener)
                .map(Listener::Unix)
                .map_err(failed);
        }
        let listener = std::net::TcpListener::from(socket);
        listener.set_nonblocking(true).map_err(failed)?;
        TcpListener::from_std(listener).map(Listener::Tcp).map_err(failed)
    }

    /// Its address, if it has one.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        match self {
            Listener::Tcp(listener) => listener.local_addr().ok(),
            Listener::Unix(_) => None,
        }
    }

    /// The next connection.
    pub(super) async fn accept(&self) -> std::io::Result<Connection> {
        match self {
            Listener::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Connection::Tcp(stream))
            }
            Listener::Unix(listener) => Ok(Connection::Unix(listener.accept().await?.0)),
        }
    }
}

/// Removes the name of a socket that nobody listens on any more. The lock of the folder says that it is nobody of ours.
fn remove_stale(path: &Path) -> std::io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => fs::remove_file(path),
        _ => Ok(()),
    }
}
