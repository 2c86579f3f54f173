//! Who may have which host name: HostKit keeps its own, and what one environment has no other one gets.

use std::net::Ipv4Addr;

use crate::certificate::Reach;
use crate::domain::DomainName;
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
    /// An environment of another project, by a wildcard that is for this name, too.
    WildcardOfAnother,
    /// Nobody, but as a wildcard it is for a name that an environment of another project has.
    NamesOfAnother,
    /// Another environment of the same project.
    SameProject,
}

/// The names among `claimed` that `id` cannot have, and whose they are. `others` are the environments there are,
/// each with the host names of its live release; `id` itself among them does not count.
pub fn taken<'a>(
    id: &EnvironmentId,
    claimed: &[DomainName],
    base: &HostName,
    others: impl IntoIterator<Item = (&'a EnvironmentId, &'a [DomainName])>,
) -> Vec<(DomainName, Holder)> {
    let others: Vec<_> = others.into_iter().filter(|(other, _)| *other != id).collect();
    let api = format!("hostkit.{base}");
    let holder = |claimed: &DomainName| {
        let host = claimed.host().as_str();
        let is_loopback = host.parse().is_ok_and(|ip: Ipv4Addr| ip.is_loopback());
        if claimed.covers(base.as_str()) || claimed.covers(&api) || is_loopback {
            return Some(Holder::Hostkit);
        }
        others.iter().find_map(|(other, names)| {
            let default = DomainName::from(other.default_host(base));
            let is_same = other.project == id.project;
            let mut names = names.iter().chain([&default]);
            match is_same {
                // Of one owner's names the exact one goes first, and the rest is the wildcard's.
                true => names.any(|name| name == claimed).then_some(Holder::SameProject),
                false => names.find_map(|name| of_another(claimed, name)),
            }
        })
    };
    let mut taken: Vec<(DomainName, Holder)> = claimed
        .iter()
        .filter_map(|host| Some((host.clone(), holder(host)?)))
        .collect();
    taken.dedup();
    taken
}

/// In what way a name of another project is in the way of a claim.
fn of_another(claimed: &DomainName, name: &DomainName) -> Option<Holder> {
    match (claimed.reach(), name.reach()) {
        _ if claimed == name => Some(Holder::AnotherProject),
        (Reach::Host, Reach::Below) if name.covers(claimed.host().as_str()) => {
            Some(Holder::WildcardOfAnother)
        }
        (Reach::Below, Reach::Host) if claimed.covers(name.host().as_str()) => Some(Holder::NamesOfAnother),
        _ => None,
    }
}
