//! Public listening sockets: bound by the supervisor, which keeps them open so that a front door that dies or is
//! replaced refuses no connection, and taken over by the front door.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;

use hostkit_core::kind::{Failure, Kind};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

const BACKLOG: i32 = 4096;

/// Binds `count` sockets to one address with `SO_REUSEPORT`, so that every thread has an accept queue of its own.
/// Port 0 picks a free port, the same for all. The sockets are close-on-exec, as everything of the standard library:
/// whoever starts the front door clears the flag in the child while it moves them to descriptor 3 and on.
///
/// Another program of the same user that set the option too would share the port: who must be alone binds the
/// address once without it before.
pub fn bind_public(address: SocketAddr, count: usize) -> io::Result<Vec<TcpListener>> {
    let mut address = address;
    let mut listeners = Vec::with_capacity(count.max(1));
    for _ in 0..count.max(1) {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
        // Accepted connections inherit it, which saves a system call for each.
        socket.set_tcp_nodelay(true)?;
        socket.bind(&SockAddr::from(address))?;
        socket.listen(BACKLOG)?;
        let listener = TcpListener::from(socket);
        address.set_port(listener.local_addr()?.port());
        listeners.push(listener);
    }
    Ok(listeners)
}

/// Checks sockets that were handed over by the parent process (descriptor 3 and on, counted by `LISTEN_FDS`).
pub fn inherited_listeners(sockets: Vec<OwnedFd>) -> Result<Vec<TcpListener>, Failure> {
    sockets
        .into_iter()
        .enumerate()
        .map(|(at, fd)| {
            let wrong = |why: String| {
                Failure::new(
                    Kind::Invalid,
                    format!("cannot take over listening socket {at} from the parent: {why}"),
                )
                .hint("start the front door with `hostkit up`")
            };
            let socket = Socket::from(fd);
            match socket.is_listener() {
                Ok(true) => {}
                Ok(false) => return Err(wrong("it does not listen".into())),
                Err(error) => return Err(wrong(error.to_string())),
            }
            socket
                .set_tcp_nodelay(true)
                .map_err(|error| wrong(error.to_string()))?;
            socket
                .set_cloexec(true)
                .map_err(|error| wrong(error.to_string()))?;
            Ok(TcpListener::from(socket))
        })
        .collect()
}
