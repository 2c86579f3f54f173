//! What a daemon tells systemd (`sd_notify(3)`): that it is ready, that it stops, and which sockets to keep for the
//! process after it. Started by anybody else, it tells nobody.

use std::ffi::OsString;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, UnixAddr, sendmsg, socket,
};

/// The way to whoever supervises this process.
#[derive(Debug)]
pub struct DaemonNotice {
    to: Option<(OwnedFd, UnixAddr)>,
}

impl DaemonNotice {
    /// The way that the environment names (`NOTIFY_SOCKET`), if it names one.
    pub fn from_environment() -> io::Result<Self> {
        DaemonNotice::to(std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()))
    }

    /// The way to a socket; a name that begins with `@` is in the abstract name space.
    fn to(name: Option<OsString>) -> io::Result<Self> {
        let Some(name) = name else {
            return Ok(DaemonNotice { to: None });
        };
        let address = match name.as_bytes() {
            [b'@', name @ ..] => UnixAddr::new_abstract(name)?,
            path => UnixAddr::new(path)?,
        };
        let socket = socket(
            AddressFamily::Unix,
            SockType::Datagram,
            SockFlag::SOCK_CLOEXEC,
            None,
        )?;
        Ok(DaemonNotice {
            to: Some((socket, address)),
        })
    }

    /// It serves.
    pub fn ready(&self) -> io::Result<()> {
        self.send("READY=1", None)
    }

    /// It was told to stop and finishes what it is at.
    pub fn stopping(&self) -> io::Result<()> {
        self.send("STOPPING=1", None)
    }

    /// Asks for a socket to be kept and handed to the next process under `name`, so that connections to it wait
    /// instead of being refused. To be told once for each.
    pub fn keep(&self, name: &str, socket: impl AsFd) -> io::Result<()> {
        self.send(
            &format!("FDSTORE=1\nFDNAME={name}"),
            Some(socket.as_fd().as_raw_fd()),
        )
    }

    /// What is kept under `name` is not needed any more.
    pub fn forget(&self, name: &str) -> io::Result<()> {
        self.send(&format!("FDSTOREREMOVE=1\nFDNAME={name}"), None)
    }

    fn send(&self, text: &str, descriptor: Option<i32>) -> io::Result<()> {
        let Some((socket, address)) = &self.to else {
            return Ok(());
        };
        let descriptors: Vec<i32> = descriptor.into_iter().collect();
        let rights = [ControlMessage::ScmRights(&descriptors)];
        let control = if descriptors.is_empty() { &[] } else { &rights[..] };
        sendmsg(
            socket.as_raw_fd(),
            &[IoSlice::new(text.as_bytes())],
            control,
            MsgFlags::MSG_NOSIGNAL,
            Some(address),
        )?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::unix::net::UnixDatagram;
    use std::time::Duration;

    use nix::cmsg_space;
    use nix::sys::socket::{ControlMessageOwned, recvmsg};

    use super::*;

    fn received(socket: &UnixDatagram) -> (String, usize) {
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut bytes = [0; 256];
        let mut space = cmsg_space!([i32; 4]);
        let mut pieces = [std::io::IoSliceMut::new(&mut bytes)];
        let message = recvmsg::<()>(
            socket.as_raw_fd(),
            &mut pieces,
            Some(&mut space),
            MsgFlags::MSG_CMSG_CLOEXEC,
        )
        .unwrap();
        let descriptors = message
            .cmsgs()
            .unwrap()
            .map(|cmsg| match cmsg {
                ControlMessageOwned::ScmRights(list) => list.len(),
                _ => 0,
            })
            .sum();
        let length = message.bytes;
        (String::from_utf8(bytes[..length].to_vec()).unwrap(), descriptors)
    }

    #[test]
    fn says_what_systemd_reads() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let systemd = UnixDatagram::bind(&path).unwrap();
        let notice = DaemonNotice::to(Some(path.into())).unwrap();
        notice.ready().unwrap();
        assert_eq!(received(&systemd), ("READY=1".into(), 0));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        notice.keep("port-8001", &listener).unwrap();
        assert_eq!(received(&systemd), ("FDSTORE=1\nFDNAME=port-8001".into(), 1));
        notice.forget("port-8001").unwrap();
        assert_eq!(
            received(&systemd),
            ("FDSTOREREMOVE=1\nFDNAME=port-8001".into(), 0)
        );
        notice.stopping().unwrap();
        assert_eq!(received(&systemd).0, "STOPPING=1");
    }

    #[test]
    fn speaks_to_abstract_names_and_to_nobody() {
        use std::os::linux::net::SocketAddrExt;
        let name = format!("hostkit-test-{}", std::process::id());
        let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
        let systemd = UnixDatagram::bind_addr(&address).unwrap();
        let notice = DaemonNotice::to(Some(format!("@{name}").into())).unwrap();
        notice.ready().unwrap();
        assert_eq!(received(&systemd).0, "READY=1");
        let nobody = DaemonNotice::to(None).unwrap();
        nobody.ready().unwrap();
        nobody.keep("x", std::io::stdin()).unwrap();
    }

    #[test]
    fn a_supervisor_that_is_gone_is_an_error() {
        let notice = DaemonNotice::to(Some("/nonexistent/notify".into())).unwrap();
        assert!(notice.ready().is_err());
        assert!(DaemonNotice::to(Some("x".repeat(200).into())).is_err());
    }
}
