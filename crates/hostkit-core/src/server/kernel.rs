//! Which kernel settings a server should have, and why.

/// One setting of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KernelSetting {
    /// `net.core.somaxconn`.
    pub key: &'static str,
    /// What is asked of it.
    pub demand: Demand,
    /// What it is good for.
    pub why: &'static str,
}

/// What is asked of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand {
    /// This much or more: whoever raised it further had a reason.
    AtLeast(u64),
    /// This much or less.
    AtMost(u64),
    /// This, and nothing else.
    Exactly(&'static str),
}

impl KernelSetting {
    /// The value that is written.
    pub fn value(&self) -> String {
        match self.demand {
            Demand::AtLeast(number) | Demand::AtMost(number) => number.to_string(),
            Demand::Exactly(text) => text.to_owned(),
        }
    }

    /// Where the kernel shows it.
    pub fn path(&self) -> String {
        format!("/proc/sys/{}", self.key.replace('.', "/"))
    }

    /// Whether a value that was found will do.
    pub fn is_met_by(&self, found: &str) -> bool {
        let found = found.split_whitespace().collect::<Vec<_>>().join(" ");
        let number = found.parse::<u64>().ok();
        match self.demand {
            Demand::AtLeast(least) => number.is_some_and(|number| number >= least),
            Demand::AtMost(most) => number.is_some_and(|number| number <= most),
            Demand::Exactly(text) => found == text,
        }
    }
}

const fn setting(key: &'static str, demand: Demand, why: &'static str) -> KernelSetting {
    KernelSetting { key, demand, why }
}

/// What a server should have. Nothing here takes a right away from programs that Debian gives them.
pub const KERNEL: &[KernelSetting] = &[
    setting(
        "net.core.somaxconn",
        Demand::AtLeast(4096),
        "bursts of connections are not refused",
    ),
    setting(
        "net.ipv4.tcp_max_syn_backlog",
        Demand::AtLeast(4096),
        "the same, for connections half open",
    ),
    setting(
        "net.ipv4.tcp_syncookies",
        Demand::AtLeast(1),
        "a flood of half-open connections shuts nobody out",
    ),
    setting(
        "net.ipv4.conf.all.accept_redirects",
        Demand::Exactly("0"),
        "no neighbour bends our routes",
    ),
    setting(
        "net.ipv6.conf.all.accept_redirects",
        Demand::Exactly("0"),
        "no neighbour bends our routes",
    ),
    setting(
        "net.ipv4.ip_local_reserved_ports",
        Demand::Exactly("8001-8999,15000-31999"),
        "no outgoing connection takes the port of a project",
    ),
    setting(
        "vm.swappiness",
        Demand::AtMost(20),
        "swap is for the worst moment, not for every day",
    ),
    setting(
        "fs.file-max",
        Demand::AtLeast(524_288),
        "many projects, many open files",
    ),
    setting(
        "fs.inotify.max_user_watches",
        Demand::AtLeast(524_288),
        "programs that watch large trees of files",
    ),
    setting(
        "fs.inotify.max_user_instances",
        Demand::AtLeast(1024),
        "the same, for many programs of one account",
    ),
    setting(
        "fs.protected_hardlinks",
        Demand::Exactly("1"),
        "nobody links to files of others",
    ),
    setting(
        "fs.protected_symlinks",
        Demand::Exactly("1"),
        "nobody lays a link in the way of others",
    ),
    setting(
        "kernel.dmesg_restrict",
        Demand::Exactly("1"),
        "projects do not read the kernel's log",
    ),
    setting(
        "kernel.kptr_restrict",
        Demand::AtLeast(1),
        "projects do not learn addresses of the kernel",
    ),
    setting(
        "kernel.yama.ptrace_scope",
        Demand::AtLeast(1),
        "a program reads no memory of its neighbours",
    ),
];
