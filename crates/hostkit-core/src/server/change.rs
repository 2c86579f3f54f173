//! One thing that setting up does to a machine, typed, in words, and with a diff where a file changes.

use similar::TextDiff;

use crate::server_settings::OpenPort;
use crate::size::ByteSize;

/// One change, in the order of doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A file is written as a whole.
    Write {
        /// Where.
        path: String,
        /// Its permission bits.
        mode: u32,
        /// What is there.
        before: Option<Before>,
        /// What it is to say.
        after: String,
    },
    /// A folder is made, or gets back its owner and mode.
    Folder {
        /// Where.
        path: String,
        /// Its permission bits.
        mode: u32,
    },
    /// An installation of packages that was interrupted is brought to its end.
    RepairPackages,
    /// Packages are installed.
    Install(Vec<String>),
    /// Something happens to a unit.
    Unit(UnitAct, String),
    /// systemd reads its own settings or unit files anew.
    ReloadSystemd,
    /// A kernel setting is changed in the running system.
    Kernel {
        /// `net.core.somaxconn`.
        key: String,
        /// What it is.
        from: String,
        /// What it is to be.
        to: String,
    },
    /// A swap file is made and used.
    Swap {
        /// Where.
        path: String,
        /// How large.
        size: ByteSize,
    },
    /// The firewall lets these in, and nothing else.
    Firewall {
        /// What is let in; `None` where nothing is held back.
        before: Option<Vec<OpenPort>>,
        /// What is to be let in.
        after: Vec<OpenPort>,
    },
    /// Our rules for the network are taken away, for another firewall holds the machine.
    ReleaseFirewall,
    /// A port is opened in ufw, which holds the firewall of this machine.
    Ufw(OpenPort),
}

/// A file as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Before {
    /// Its text.
    pub text: String,
    /// Its permission bits.
    pub mode: u32,
    /// Its owner.
    pub uid: u32,
}

/// What happens to a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitAct {
    /// It may be started again.
    Unmask,
    /// It is not started, by nobody.
    Mask,
    /// It is started at boot, and now.
    EnableNow,
    /// It takes over its new settings, or is started.
    Reload,
    /// It is started afresh.
    Restart,
    /// It takes over its new settings if it runs.
    TryReload,
    /// It is not started at boot any more.
    Disable,
}

impl Change {
    /// The change as a line of text.
    pub fn summary(&self) -> String {
        match self {
            Change::Write {
                path, before: None, ..
            } => format!("write {path}"),
            Change::Write {
                path,
                mode,
                before: Some(before),
                after,
            } => {
                if before.text == *after {
                    format!("give {path} back to root with mode {mode:04o}")
                } else {
                    format!("change {path}")
                }
            }
            Change::Folder { path, mode } => format!("make the folder {path}, mode {mode:04o}"),
            Change::RepairPackages => "finish an interrupted installation of packages".to_owned(),
            Change::Install(names) => format!("install {}", names.join(", ")),
            Change::Unit(act, unit) => format!("{} {unit}", act.word()),
            Change::ReloadSystemd => "have systemd read its files anew".to_owned(),
            Change::Kernel { key, from, to } => format!("set {key} = {to} (is {from})"),
            Change::Swap { path, size } => format!("make and use {size} of swap in {path}"),
            Change::Firewall { after, .. } => format!("let in {} and nothing else", words(after)),
            Change::ReleaseFirewall => {
                "leave the firewall to ufw, and take our own rules for the network away".to_owned()
            }
            Change::Ufw(port) => format!("allow {port} in ufw"),
        }
    }

    /// What changes, line by line.
    pub fn diff(&self) -> Option<String> {
        match self {
            Change::Write {
                path, before, after, ..
            } => {
                let text = before.as_ref().map_or("", |before| before.text.as_str());
                let from = if before.is_some() { path } else { "/dev/null" };
                unified(from, path, text, after)
            }
            Change::Firewall { before, after } => {
                let text = before
                    .as_ref()
                    .map_or_else(|| "everything\n".to_owned(), |ports| lines(ports));
                unified("let in", "let in", &text, &lines(after))
            }
            _ => None,
        }
    }
}

impl UnitAct {
    /// The verb, for people.
    pub fn word(self) -> &'static str {
        match self {
            UnitAct::Unmask => "unmask",
            UnitAct::Mask => "mask",
            UnitAct::EnableNow => "enable and start",
            UnitAct::Reload | UnitAct::TryReload => "reload",
            UnitAct::Restart => "restart",
            UnitAct::Disable => "disable",
        }
    }
}

fn unified(from: &str, to: &str, before: &str, after: &str) -> Option<String> {
    if before == after {
        return None;
    }
    let diff = TextDiff::from_lines(before, after);
    Some(diff.unified_diff().header(from, to).to_string())
}

fn words(ports: &[OpenPort]) -> String {
    let words: Vec<String> = ports.iter().map(ToString::to_string).collect();
    words.join(", ")
}

fn lines(ports: &[OpenPort]) -> String {
    ports.iter().map(|port| format!("{port}\n")).collect()
}
