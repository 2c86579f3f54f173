//! The real systemd: the system manager over the system's D-Bus. Everything is asked anew; kept is nothing but the
//! connection, which is made again when it is lost.

mod failure;
mod files;
mod job;
mod link;
mod properties;
#[cfg(test)]
mod tests;
mod timeouts;
mod transient;
mod unit_path;
mod units;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use link::Link;

/// The system manager. Clones share one connection.
#[derive(Debug, Clone)]
pub struct Bus {
    link: Arc<Link>,
    folder: PathBuf,
}

impl Bus {
    /// The machine's own. Connects when it is first asked something; must be asked on a `tokio` runtime that goes on
    /// running.
    pub fn system() -> Self {
        Bus {
            link: Arc::new(Link::new(None)),
            folder: Path::new("/etc/systemd/system").to_owned(),
        }
    }
}

const DESTINATION: &str = "org.freedesktop.systemd1";
const MANAGER_PATH: &str = "/org/freedesktop/systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
