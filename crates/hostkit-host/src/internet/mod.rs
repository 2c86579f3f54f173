//! The internet as this machine sees it: the system's resolver, the addresses of its network interfaces, and visits to
//! front doors at the addresses of names.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use hostkit_core::domain::{AddressesFrom, OwnAddresses};
use hostkit_core::names::HostName;
use hostkit_core::plan::domains::is_public;
use hostkit_core::traits::Internet;
use nix::ifaddrs::getifaddrs;

use crate::visit::{self, Body};

#[cfg(test)]
mod tests;

/// The longest that the DNS, or a server somewhere, is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// More than the front door's own page has.
const MOST_BYTES: usize = 16 * 1024;

/// How the addresses of this machine become known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Own {
    /// By its operator.
    Named(Vec<IpAddr>),
    /// From its network interfaces, each time they are asked for.
    Interfaces,
    /// It has none for others: what is reached here is reached from here.
    Loopback,
}

/// The system's resolver and network.
#[derive(Debug, Clone)]
pub struct SystemInternet {
    own: Own,
    port: u16,
}

impl SystemInternet {
    /// Visitors come to `port`.
    pub fn new(own: Own, port: u16) -> Self {
        SystemInternet { own, port }
    }
}

#[async_trait::async_trait]
impl Internet for SystemInternet {
    async fn resolve(&self, host: &HostName) -> Result<Vec<IpAddr>, String> {
        // Such names never leave the machine (RFC 6761), whatever a resolver says.
        if host.as_str() == "localhost" || host.as_str().ends_with(".localhost") {
            return Ok(vec![Ipv4Addr::LOCALHOST.into()]);
        }
        // The dot at the end keeps the system from trying the name below its own domain, and from its own list of hosts.
        let asked = tokio::net::lookup_host((format!("{host}."), self.port));
        let found = match tokio::time::timeout(PATIENCE, asked).await {
            Err(_) => return Err(no_answer()),
            Ok(Err(why)) => return without_address(&why.to_string()),
            Ok(Ok(found)) => found,
        };
        let mut addresses: Vec<IpAddr> = found.map(|address| address.ip()).collect();
        addresses.sort();
        addresses.dedup();
        Ok(addresses)
    }

    fn own_addresses(&self) -> OwnAddresses {
        match &self.own {
            Own::Named(addresses) => OwnAddresses {
                addresses: addresses.clone(),
                from: AddressesFrom::Setting,
            },
            Own::Interfaces => OwnAddresses {
                addresses: public_addresses(),
                from: AddressesFrom::Interfaces,
            },
            Own::Loopback => OwnAddresses {
                addresses: vec![Ipv4Addr::LOCALHOST.into()],
                from: AddressesFrom::Loopback,
            },
        }
    }

    async fn ask(&self, host: &HostName, address: IpAddr, path: &str) -> Result<String, String> {
        let address = SocketAddr::new(address, self.port);
        let visit = visit::get(
            address,
            host,
            path,
            hostkit_core::canary::Side::Live,
            Body::Begins(MOST_BYTES),
        );
        let (_, body) = tokio::time::timeout(PATIENCE, visit)
            .await
            .map_err(|_| no_answer())??;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    fn unguessable(&self) -> Result<String, String> {
        let mut bytes = [0u8; 16];
        getrandom::fill(&mut bytes).map_err(|why| format!("the system gives no random bytes: {why}"))?;
        Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

fn no_answer() -> String {
    format!("no answer within {}s", PATIENCE.as_secs())
}

/// The system's resolver says in words alone that a name has no address, in the same way as that it could not ask.
fn without_address(why: &str) -> Result<Vec<IpAddr>, String> {
    const NONE: [&str; 2] = ["Name or service not known", "No address associated with hostname"];
    match NONE.iter().any(|words| why.contains(words)) {
        true => Ok(Vec::new()),
        false => Err(why.to_owned()),
    }
}

/// Those that the whole internet can reach; none behind a router that translates addresses.
fn public_addresses() -> Vec<IpAddr> {
    let mut addresses = interface_addresses();
    addresses.retain(|address| is_public(*address));
    addresses
}

/// All addresses of this machine, loopback's and private ones as well.
pub fn interface_addresses() -> Vec<IpAddr> {
    let interfaces = getifaddrs().into_iter().flatten();
    let mut addresses: Vec<IpAddr> = interfaces
        .filter_map(|interface| {
            let address = interface.address?;
            let v4 = address.as_sockaddr_in().map(|a| IpAddr::V4(a.ip()));
            v4.or_else(|| address.as_sockaddr_in6().map(|a| IpAddr::V6(a.ip())))
        })
        .collect();
    addresses.sort();
    addresses.dedup();
    addresses
}
