//! What a domain's addresses mean: whether it leads here, which records to set, which addresses may be asked.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::domain::{DnsRecord, DnsState, DomainName, DomainReport, OwnAddresses};

#[cfg(test)]
mod tests;

/// What can be said of a domain before anybody is asked over the network: what the DNS answered, beside what it should.
/// `found` is an error where it did not answer; for a wildcard, it is what a name below it has. The report is not fine yet.
pub fn compare(domain: &DomainName, found: Result<Vec<IpAddr>, String>, own: &OwnAddresses) -> DomainReport {
    let mut problems = Vec::new();
    let (found, answered) = match found {
        Ok(found) => (found, true),
        Err(why) => {
            problems.push(format!("the DNS did not answer for `{domain}`: {why}"));
            (Vec::new(), false)
        }
    };
    let is_own = |address: &&IpAddr| own.addresses.contains(address);
    let here = found.iter().filter(is_own).count();
    let dns = match found.len() {
        0 if answered => DnsState::Missing,
        _ if !answered || own.addresses.is_empty() => DnsState::Unknown,
        all if here == all => DnsState::Here,
        _ if here > 0 => DnsState::Partly,
        _ => DnsState::Elsewhere,
    };
    let record = |address: &IpAddr| DnsRecord {
        kind: if address.is_ipv4() { "A" } else { "AAAA" }.to_owned(),
        name: domain.clone(),
        value: *address,
    };
    let set = match dns {
        DnsState::Missing | DnsState::Elsewhere => own.addresses.iter().map(record).collect(),
        _ => Vec::new(),
    };
    let remove = match dns {
        DnsState::Partly | DnsState::Elsewhere => found
            .iter()
            .filter(|address| !is_own(address))
            .map(record)
            .collect(),
        _ => Vec::new(),
    };
    if dns == DnsState::Missing {
        problems.push(format!("`{domain}` has no address in the DNS"));
    }
    DomainReport {
        domain: domain.clone(),
        ok: false,
        dns,
        found,
        own: own.addresses.clone(),
        own_from: own.from,
        set,
        remove,
        problems,
    }
}

/// Whether an address may be asked for a proof. Whoever owns a name decides where it leads, and must not send HostKit
/// to what only this machine can reach.
pub fn may_be_asked(address: IpAddr, own: &OwnAddresses) -> bool {
    own.addresses.contains(&address) || is_public(address)
}

/// Whether an address is one of the whole internet, and nobody's private or special one.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match embedded(address) {
            Some(inner) => is_public_v4(inner),
            // Only this block is given out.
            None => address.segments()[0] & 0xe000 == 0x2000 && address.segments()[..2] != [0x2001, 0x0db8],
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_shared = a == 100 && (64..128).contains(&b);
    let is_for_tests = a == 198 && (18..20).contains(&b);
    let is_of_protocols = [a, b, c] == [192, 0, 0];
    !(a == 0
        || a >= 224
        || address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_documentation()
        || is_shared
        || is_for_tests
        || is_of_protocols)
}

/// The address of the older kind that one of the newer kind leads to.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let parts = address.segments();
    let bytes = address.octets();
    let at = |from: usize| Ipv4Addr::new(bytes[from], bytes[from + 1], bytes[from + 2], bytes[from + 3]);
    match parts {
        [0, 0, 0, 0, 0, 0xffff | 0, _, _] => Some(at(12)),
        [0x64, 0xff9b, 0, 0, 0, 0, _, _] => Some(at(12)),
        [0x2002, ..] => Some(at(2)),
        _ => None,
    }
}
