//! The internet as a test sets it: names with their addresses, and servers that answer or do not.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use hostkit_core::domain::{AddressesFrom, OwnAddresses};
use hostkit_core::names::HostName;
use hostkit_core::route::{NothingReason, Target};
use hostkit_core::traits::Internet;

use super::faults::locked;
use super::{FakeTraffic, Faults};

/// The address that this machine has.
const OWN: [u8; 4] = [9, 9, 9, 9];

/// Answers at the machine's own address, and at those of [`FakeInternet::leads_here`], what the table of a
/// [`FakeTraffic`] says; elsewhere somebody else answers.
#[derive(Clone, Default)]
pub struct FakeInternet {
    traffic: FakeTraffic,
    names: Arc<Mutex<HashMap<HostName, Vec<IpAddr>>>>,
    through: Arc<Mutex<Vec<IpAddr>>>,
    asked: Arc<Mutex<Vec<IpAddr>>>,
    words: Arc<AtomicU32>,
    /// Faults of `"resolve"` and `"ask"`.
    pub faults: Faults,
}

impl FakeInternet {
    /// Before the front door that `traffic` is.
    pub fn before(traffic: &FakeTraffic) -> Self {
        FakeInternet {
            traffic: traffic.clone(),
            ..FakeInternet::default()
        }
    }

    /// Sets the addresses of a name.
    pub fn set(&self, host: &str, addresses: &[&str]) {
        let host = HostName::parse(host).unwrap_or_else(|why| panic!("{why}"));
        let parsed = addresses.iter().filter_map(|text| text.parse().ok()).collect();
        locked(&self.names).insert(host, parsed);
    }

    /// Somebody between hands on what comes to this address.
    pub fn leads_here(&self, address: IpAddr) {
        locked(&self.through).push(address);
    }

    /// The addresses that were asked.
    pub fn asked(&self) -> Vec<IpAddr> {
        locked(&self.asked).clone()
    }
}

#[async_trait::async_trait]
impl Internet for FakeInternet {
    async fn resolve(&self, host: &HostName) -> Result<Vec<IpAddr>, String> {
        self.faults.pass("resolve").await.map_err(|f| f.message)?;
        Ok(locked(&self.names).get(host).cloned().unwrap_or_default())
    }

    fn own_addresses(&self) -> OwnAddresses {
        OwnAddresses {
            addresses: vec![OWN.into()],
            from: AddressesFrom::Interfaces,
        }
    }

    async fn ask(&self, host: &HostName, address: IpAddr, path: &str) -> Result<String, String> {
        locked(&self.asked).push(address);
        self.faults.pass("ask").await.map_err(|f| f.message)?;
        let is_here = address == IpAddr::from(OWN) || locked(&self.through).contains(&address);
        let proof = Target::Nothing {
            reason: NothingReason::DomainCheck,
        };
        let table = self.traffic.table();
        let route = table
            .routes
            .into_iter()
            .find(|route| route.is_for(host) && route.path_prefix == path && route.target == proof);
        let id = route.filter(|_| is_here).map(|route| route.id);
        Ok(format!("<p>{}</p>", id.unwrap_or_default()))
    }

    fn unguessable(&self) -> Result<String, String> {
        let number = self.words.fetch_add(1, Ordering::Relaxed);
        Ok(format!("word-{number}-of-this-test"))
    }
}
