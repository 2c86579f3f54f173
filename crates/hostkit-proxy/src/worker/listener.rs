//! A listening socket that asks whether a connection waits before it accepts another one. Accepting where none waits makes
//! a socket and takes it apart again, which costs fifteen times as much as asking.

use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{SocketFlags, acceptfrom_with};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The socket.
pub(super) struct Listener(AsyncFd<TcpListener>);

impl Listener {
    /// Takes a socket over.
    pub(super) fn new(socket: TcpListener) -> io::Result<Listener> {
        socket.set_nonblocking(true)?;
        register(socket).map(Listener)
    }

    /// Waits for a connection and accepts it.
    pub(super) async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        loop {
            let mut ready = poll_fn(|context| self.0.poll_read_ready(context)).await?;
            let accepted = accept(self.0.get_ref());
            if !is_awaited(self.0.get_ref()) {
                ready.clear_ready();
            }
            match accepted {
                // Another thread of the same listener was there first.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                accepted => return accepted,
            }
        }
    }
}

#[allow(unsafe_code)]
fn register(socket: TcpListener) -> io::Result<AsyncFd<TcpListener>> {
    // SAFETY: a listener is the descriptor that it owns, always the same one, and open for as long as it is there.
    Ok(unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) }?)
}

fn accept(socket: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let (stream, peer) = acceptfrom_with(socket, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?;
    let peer = peer.and_then(|peer| SocketAddr::try_from(peer).ok());
    // There is none where the client has gone already.
    Ok((stream.into(), peer.ok_or(io::ErrorKind::ConnectionAborted)?))
}

/// Whether a connection waits.
fn is_awaited(socket: &TcpListener) -> bool {
    let mut asked = [PollFd::new(socket, PollFlags::IN)];
    // Where that cannot be said, accepting says it.
    poll(&mut asked, Some(&Timespec::default())) != Ok(0)
}
