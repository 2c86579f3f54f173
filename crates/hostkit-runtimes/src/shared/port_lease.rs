//! Ports for instances. A lease is a symbolic link named after the port that points at its owner: made in one step
//! or not at all, and readable by whoever comes after a crash.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::RangeInclusive;
use std::path::PathBuf;

/// The ports of one installation.
#[derive(Debug, Clone)]
pub struct PortLeases {
    folder: PathBuf,
    range: RangeInclusive<u16>,
}

impl PortLeases {
    /// Leases of the ports in `range`, kept in `folder`.
    pub fn new(folder: PathBuf, range: RangeInclusive<u16>) -> Self {
        PortLeases { folder, range }
    }

    /// Leases a port that nobody leases and nothing listens on. The search begins at a random port, so that several
    /// installations side by side rarely meet. A lease whose owner is not `known` any more counts for nothing.
    pub fn take(&self, owner: &str, known: impl Fn(&str) -> bool) -> io::Result<u16> {
        hostkit_host::files::create_folder(&self.folder, 0o700)?;
        let (first, count) = (u64::from(*self.range.start()), self.range.len() as u64);
        let start = RandomState::new().hash_one(owner) % count;
        for offset in 0..count {
            let port = (first + (start + offset) % count) as u16;
            if self.try_take(port, owner, &known)? {
                return Ok(port);
            }
        }
        Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            format!("no port is free in {:?}", self.range),
        ))
    }

    /// Leases this very port, where it is free.
    pub fn try_take(&self, port: u16, owner: &str, known: impl Fn(&str) -> bool) -> io::Result<bool> {
        let link = self.link(port);
        match std::fs::read_link(&link) {
            Ok(holder) => {
                let holder = holder.to_string_lossy().into_owned();
                if holder == owner {
                    return Ok(is_free(port));
                }
                if known(&holder) {
                    return Ok(false);
                }
                self.remove(port)?;
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
        match std::os::unix::fs::symlink(owner, &link) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
            Err(e) => return Err(e),
        }
        if !is_free(port) {
            self.remove(port)?;
            return Ok(false);
        }
        Ok(true)
    }

    /// Gives a port back, if `owner` leases it.
    pub fn give_back(&self, port: u16, owner: &str) -> io::Result<()> {
        match std::fs::read_link(self.link(port)) {
            Ok(holder) if holder.to_string_lossy() == owner => self.remove(port),
            _ => Ok(()),
        }
    }

    fn link(&self, port: u16) -> PathBuf {
        self.folder.join(port.to_string())
    }

    fn remove(&self, port: u16) -> io::Result<()> {
        hostkit_host::files::remove_tree(&self.link(port))
    }
}

/// Whether nothing listens on a port of this machine's loopback address.
pub fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_has_one_owner_and_strangers_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = stranger.local_addr().unwrap().port();
        let leases = PortLeases::new(folder.path().join("ports"), taken..=taken);
        assert!(leases.take("shop.production.web.1.1", |_| true).is_err());
        drop(stranger);
        assert_eq!(leases.take("shop.production.web.1.1", |_| true).unwrap(), taken);
        assert!(
            leases
                .try_take(taken, "shop.production.web.1.1", |_| true)
                .unwrap()
        );
        assert!(leases.take("shop.production.web.1.2", |_| true).is_err());
        leases.give_back(taken, "shop.production.web.1.2").unwrap();
        assert!(leases.take("shop.production.web.1.2", |_| true).is_err());
        assert_eq!(leases.take("shop.production.web.1.2", |_| false).unwrap(), taken);
        leases.give_back(taken, "shop.production.web.1.2").unwrap();
        assert_eq!(leases.take("shop.production.web.1.3", |_| true).unwrap(), taken);
    }
}
