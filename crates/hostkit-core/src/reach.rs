//! Reach: which addresses HostKit connects to when somebody else names the place, as in the address of a database elsewhere.
//!
//! On a server control is root, whom no rule for ports stops. Whoever may give a project an add-on must not have control
//! talk to what only this machine reaches: other projects' services on loopback, the machine's own addresses, and the
//! service that tells a machine of a cloud its credentials. Networks beside the machine are the project's own programs' to
//! reach as well, so there control gives nobody anything. In local mode it is the caller's own account that connects.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How far HostKit goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Anywhere: local mode.
    All,
    /// To other machines alone: a server.
    OtherMachines,
}

/// Where clouds tell a machine its credentials, besides the link-local addresses: Alibaba, Oracle, Azure, Amazon by IPv6.
const METADATA: [IpAddr; 4] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254)),
];

impl Reach {
    /// Why HostKit does not connect to an address, on a machine that has `own`; nothing where it does.
    pub fn refusal(self, address: IpAddr, own: &[IpAddr]) -> Option<&'static str> {
        if self == Reach::All {
            return None;
        }
        let address = plain(address);
        if address.is_loopback() || own.iter().any(|one| plain(*one) == address) {
            return Some("it is this machine, where it would get around the walls between projects");
        }
        let is_special = match address {
            IpAddr::V4(address) => {
                address.is_link_local()
                    || address.is_multicast()
                    || address.is_broadcast()
                    || address.octets()[0] == 0
            }
            IpAddr::V6(address) => {
                address.is_unspecified() || address.is_multicast() || address.is_unicast_link_local()
            }
        };
        match is_special || METADATA.contains(&address) {
            true => Some("it is an address for this machine alone, and no server elsewhere"),
            false => None,
        }
    }
}

/// Whether a host, as an address names it, is this machine whatever else is true: nothing has to be encrypted on the way to it.
pub fn is_this_machine(host: &str) -> bool {
    matches!(host, "localhost" | "127.0.0.1" | "::1" | "[::1]")
}

/// An address as it is connected to: IPv6 has ways to write those of IPv4.
fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(long) = address else {
        return address;
    };
    let bytes = long.octets();
    let at =
        |from: usize| Ipv4Addr::new(bytes[from], bytes[from + 1], bytes[from + 2], bytes[from + 3]).into();
    match long.segments() {
        // `::` and `::1` are addresses of IPv6 itself.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => address,
        [0, 0, 0, 0, 0, 0xffff | 0, _, _] | [0x64, 0xff9b, 0, 0, 0, 0, _, _] => at(12),
        [0x2002, ..] => at(2),
        _ => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_a_server_nothing_is_reached_that_is_the_machines_own() {
        let own = ["203.0.113.7".parse().unwrap(), "2001:db8::7".parse().unwrap()];
        for refused in [
            "127.0.0.1",
            "127.8.8.8",
            "0.0.0.0",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "fe80::1",
            "fd00:ec2::254",
            "100.100.100.200",
            "168.63.129.16",
            "203.0.113.7",
            "::ffff:203.0.113.7",
            "2001:db8::7",
            "224.0.0.1",
            "255.255.255.255",
            "ff02::1",
        ] {
            let address = refused.parse().unwrap();
            assert!(Reach::OtherMachines.refusal(address, &own).is_some(), "{refused}");
            assert_eq!(Reach::All.refusal(address, &own), None, "{refused}");
        }
        for reached in ["203.0.113.8", "10.0.0.5", "192.168.1.2", "2001:db8::8", "fd12::1"] {
            let address = reached.parse().unwrap();
            assert_eq!(Reach::OtherMachines.refusal(address, &own), None, "{reached}");
        }
    }
}
