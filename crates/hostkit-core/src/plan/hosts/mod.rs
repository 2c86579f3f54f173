//! Who may have which host name: HostKit keeps its own, and what one environment has no other one gets.

use std::net::Ipv4Addr;

use crate::names::HostName;
use crate::project::EnvironmentId;

#[cfg(test)]
mod tests;

/// Who has a host name already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// HostKit itself: the base host, its API below it, and the machine's own addresses.
    Hostkit,
    /// An environment of another project.
    AnotherProject,
    /// Another environment of the same project.
    SameProject,
}

/// The names among `claimed` that `id` cannot have, and whose they are. `others` are the environments there are,
/// each with the host names of its live release; `id` itself among them does not count.
pub fn taken<'a>(
    id: &EnvironmentId,
    claimed: &[HostName],
    base: &HostName,
    others: impl IntoIterator<Item = (&'a EnvironmentId, &'a [HostName])>,
) -> Vec<(HostName, Holder)> {
    let others: Vec<_> = others.into_iter().filter(|(other, _)| *other != id).collect();
    let api = format!("hostkit.{base}");
    let holder = |host: &HostName| {
        let is_loopback = host.as_str().parse().is_ok_and(|ip: Ipv4Addr| ip.is_loopback());
        if host == base || host.as_str() == api || is_loopback {
            return Some(Holder::Hostkit);
        }
        let (other, _) = others
            .iter()
            .find(|(other, hosts)| hosts.contains(host) || other.default_host(base) == *host)?;
        Some(match other.project == id.project {
            true => Holder::SameProject,
            false => Holder::AnotherProject,
        })
    };
    let mut taken: Vec<(HostName, Holder)> = claimed
        .iter()
        .filter_map(|host| Some((host.clone(), holder(host)?)))
        .collect();
    taken.dedup();
    taken
}
