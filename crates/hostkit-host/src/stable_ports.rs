//! Loopback ports that were chosen for a program, and that the front door will listen on when it is live. Until then the
//! port is bound here and not listened on: nobody else who chooses one finds it free, other installations on this
//! machine included, and the front door can listen on it all the same.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Mutex, OnceLock, PoisonError};

use hostkit_core::project::SERVICE_OFFSETS;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, bind, setsockopt, socket, sockopt::ReuseAddr,
};

/// The ports this process has chosen, for as long as it lives.
static CHOSEN: OnceLock<Mutex<HashMap<u16, OwnedFd>>> = OnceLock::new();

/// Chooses a loopback port, if nobody has it or one of those that belong to its project's services. Chosen before by this
/// process, it is free while nobody listens there.
pub fn choose(port: u16) -> bool {
    let mut services = SERVICE_OFFSETS
        .iter()
        .filter_map(|offset| port.checked_add(*offset));
    services.all(is_unused) && choose_alone(port)
}

/// Whether nobody has a loopback port just now.
fn is_unused(port: u16) -> bool {
    bound(port).is_ok()
}

fn choose_alone(port: u16) -> bool {
    let chosen = CHOSEN.get_or_init(Mutex::default);
    let mut chosen = chosen.lock().unwrap_or_else(PoisonError::into_inner);
    if chosen.contains_key(&port) {
        return TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    }
    match bound(port) {
        Ok(socket) => {
            chosen.insert(port, socket);
            true
        }
        Err(_) => false,
    }
}

fn bound(port: u16) -> nix::Result<OwnedFd> {
    let own = socket(
        AddressFamily::Inet,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    let address = SockaddrIn::from(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port));
    // Without leave to share: this succeeds only where nobody else has bound it.
    bind(own.as_raw_fd(), &address)?;
    // From here on whoever listens may join, as the front door does; who chooses as above may not.
    setsockopt(&own, ReuseAddr, &true)?;
    Ok(own)
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn a_chosen_port_is_nobody_elses_and_can_be_listened_on() {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        assert!(choose_alone(port));
        assert!(bound(port).is_err(), "another one chose it, too");
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
        assert!(choose_alone(port), "its own choice");
        let door = TcpListener::bind(("127.0.0.1", port)).unwrap();
        TcpStream::connect(("127.0.0.1", port)).unwrap();
        assert!(!choose_alone(port), "somebody listens there");
        drop(door);
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(!choose(taken.local_addr().unwrap().port()));
    }

    #[test]
    fn a_port_whose_services_are_somebody_elses_is_not_chosen() {
        for offset in SERVICE_OFFSETS {
            // A port that is free, with one taken at this distance behind it.
            let pair = (10_000..20_000u16).find_map(|port| {
                let foreign = TcpListener::bind((Ipv4Addr::LOCALHOST, port + offset)).ok()?;
                is_unused(port).then_some((port, foreign))
            });
            let (port, _foreign) = pair.expect("there are free ports");
            assert!(!choose(port), "{port} + {offset}");
        }
    }
}
