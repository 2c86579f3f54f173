//! Which distribution a machine runs, and whether setting up knows its ways.

use crate::kind::{Failure, Kind};

/// A distribution that setting up knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    /// `Debian GNU/Linux 12 (bookworm)`.
    pub name: String,
}

impl Distribution {
    /// Reads `/etc/os-release`. Refuses what is neither Debian 12 or later, nor Ubuntu 22.04 or later.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let value = |key: &str| {
            text.lines().find_map(|line| {
                let (name, value) = line.split_once('=')?;
                (name.trim() == key).then(|| value.trim().trim_matches(['"', '\'']).to_owned())
            })
        };
        let id = value("ID").unwrap_or_default();
        let name: String = value("PRETTY_NAME")
            .unwrap_or_else(|| id.clone())
            .chars()
            .filter(|c| !c.is_control())
            .take(80)
            .collect();
        // Testing and unstable of Debian have no number.
        let number = value("VERSION_ID").and_then(|number| number.split('.').next()?.parse::<u32>().ok());
        let known = match id.as_str() {
            "debian" => number.is_none_or(|number| number >= 12),
            "ubuntu" => number.is_some_and(|number| number >= 22),
            _ => false,
        };
        if known {
            return Ok(Distribution { name });
        }
        Err(Failure::new(
            Kind::Invalid,
            format!("cannot set up this machine: it runs `{name}`, and Debian 12 or Ubuntu 22.04 are the oldest known"),
        )
        .hint("`hostkit up` runs HostKit on any Linux, without changing the machine"))
    }
}
