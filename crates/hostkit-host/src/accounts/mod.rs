//! Linux accounts of projects and of services: one each, with a group of its own name, that HostKit makes, mends and
//! removes, and tells from all others by their comment.

mod ending;
mod leftovers;
mod linux;
mod services;

use async_trait::async_trait;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::ProjectName;
use hostkit_core::services::ServiceName;

use crate::change::Change;

pub use ending::end_processes;
pub use linux::LinuxAccounts;

/// The account of the front door.
pub const FRONT_DOOR: &str = "hostkit-proxy";

/// Accounts below belong to the system, on every distribution.
pub const LOWEST_UID: u32 = 1000;

/// The numbers that accounts of services are given.
pub const SERVICE_UIDS: std::ops::RangeInclusive<u32> = 30_000..=39_999;

/// Names that Debian, its packages or `sudo` give a meaning to, as an account or as a group: an account that comes to
/// such a group by its name alone would come to its rights. What the machine knows already is refused anyway; these
/// are names that a package may bring later, and those of HostKit's own units.
const RESERVED: &[&str] = &[
    "adm",
    "admin",
    "audio",
    "avahi",
    "backup",
    "bin",
    "bind",
    "caddy",
    "cdrom",
    "chrony",
    "colord",
    "containerd",
    "control",
    "crontab",
    "daemon",
    "debian",
    "dialout",
    "dip",
    "disk",
    "dnsmasq",
    "docker",
    "dovecot",
    "fax",
    "floppy",
    "ftp",
    "games",
    "geoclue",
    "gnats",
    "haproxy",
    "input",
    "irc",
    "kmem",
    "kubernetes",
    "kvm",
    "landscape",
    "libvirt",
    "list",
    "lpadmin",
    "lxc",
    "lxd",
    "mail",
    "man",
    "memcached",
    "messagebus",
    "minio",
    "mongodb",
    "mysql",
    "netdev",
    "news",
    "nginx",
    "nobody",
    "nogroup",
    "ntp",
    "operator",
    "pgbouncer",
    "plugdev",
    "podman",
    "polkitd",
    "pollinate",
    "ports",
    "postfix",
    "postgres",
    "postgresql",
    "processes",
    "prometheus",
    "proxy",
    "pulse",
    "rabbitmq",
    "redis",
    "redis-rest",
    "render",
    "root",
    "rtkit",
    "sasl",
    "sgx",
    "shadow",
    "src",
    "ssh",
    "sshd",
    "ssl-cert",
    "staff",
    "statd",
    "sudo",
    "sync",
    "sys",
    "syslog",
    "systemd",
    "tape",
    "tcpdump",
    "tss",
    "tty",
    "ubuntu",
    "usbmux",
    "users",
    "utmp",
    "uucp",
    "uuidd",
    "vault",
    "video",
    "voice",
    "wheel",
    "www-data",
];

/// Beginnings of names that belong to others.
const RESERVED_BEGINNINGS: &[&str] = &["hostkit-", "systemd-", "debian-", "docker-", "lxd-", "ubuntu-"];

/// An account as the machine knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// Its number.
    pub uid: u32,
    /// The number of its own group.
    pub gid: u32,
}

impl Account {
    /// The account of this process.
    pub fn own() -> Self {
        Account {
            uid: nix::unistd::geteuid().as_raw(),
            gid: nix::unistd::getegid().as_raw(),
        }
    }
}

/// The machine's accounts, as far as they are HostKit's. All acts are idempotent and may be begun again after having
/// been cut off anywhere. An account that is not HostKit's is a [`Kind::Conflict`] for every one of them.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// The account of a project; none where there is none.
    async fn observe(&self, project: &ProjectName) -> Result<Option<Account>, Failure>;

    /// Makes the account of a project, or mends it: bash, a password that nothing matches, its own group. Its home is
    /// named and not made.
    async fn ensure(&self, project: &ProjectName) -> Result<(Account, Change), Failure>;

    /// Lets nothing begin as the account any more and ends every process of it. Its mark and its home stay.
    async fn close(&self, project: &ProjectName) -> Result<Change, Failure>;

    /// Ends every process of the account, and removes it with its group, mail, cron table, and what it left in places
    /// for everybody. Its home is not touched.
    async fn remove(&self, project: &ProjectName) -> Result<Change, Failure>;

    /// The project whose account has this number; none where it is anybody else's.
    async fn project_of(&self, uid: u32) -> Result<Option<ProjectName>, Failure>;

    /// Makes the front door's account: of the system, without home and shell.
    async fn ensure_front_door(&self) -> Result<(Account, Change), Failure>;

    /// Makes the account of a service: without home and shell.
    async fn ensure_service(&self, service: &ServiceName) -> Result<(Account, Change), Failure>;

    /// Ends every process of a service's account, and removes it with its group.
    async fn remove_service(&self, service: &ServiceName) -> Result<Change, Failure>;

    /// An account that HostKit has not made and does not change, of a program of the machine: `postgres`.
    async fn observe_foreign(&self, name: &str) -> Result<Option<Account>, Failure>;
}

/// Refuses names that mean something to the system.
pub fn check_name(project: &ProjectName) -> Result<(), Failure> {
    let name = project.as_str();
    let reserved = RESERVED.contains(&name) || RESERVED_BEGINNINGS.iter().any(|with| name.starts_with(with));
    if !reserved {
        return Ok(());
    }
    Err(Failure::new(
        Kind::Conflict,
        format!("cannot make an account for `{project}`: the name has a meaning on Linux systems"),
    )
    .hint("choose another project name"))
}

/// The failure of every act on an account that somebody else made.
pub fn foreign(project: &ProjectName, verb: &str) -> Failure {
    Failure::new(
        Kind::Conflict,
        format!("cannot {verb} the account `{project}`: it exists and is not HostKit's"),
    )
    .hint(format!(
        "choose another project name, or look at `getent passwd {project}`"
    ))
}

#[cfg(test)]
mod tests;
