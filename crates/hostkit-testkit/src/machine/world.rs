//! The world of one test: a bridge that machines are plugged into, and the test beside them. Nothing leads out.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use super::base::Base;
use super::folder::Folder;
use super::network::Network;

/// The address of the test itself, as machines see it: gateway and name server of each, though nothing answers there
/// unless a test does.
pub const HERE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);

/// A network without an uplink and the machines in it. Worlds of several tests know nothing of each other and may use the
/// same addresses and ports.
#[derive(Debug, Clone)]
pub struct World {
    network: Network,
    folder: Arc<Folder>,
    machines: Arc<AtomicU8>,
}

impl World {
    /// An empty world.
    #[expect(clippy::new_without_default, reason = "it makes something on the host")]
    pub fn new() -> Self {
        let base = Base::find();
        let network = Network::new();
        network.ip("link set lo up");
        network.ip("link add br0 type bridge");
        network.ip(&format!("address add {HERE}/24 dev br0"));
        network.ip("address add fd77::1/64 dev br0 nodad");
        network.ip("link set br0 up");
        World {
            network,
            folder: Arc::new(Folder::make(&base.machines())),
            machines: Arc::default(),
        }
    }

    /// `hostkit-test-…`, which everything of this world has in its name on the host.
    pub fn name(&self) -> String {
        self.folder.name()
    }

    /// The network of the test's side: for a thread to enter, for a load generator.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Does something as a computer in this world, also starting programs.
    pub fn run<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        self.network.run(act)
    }

    /// Connects as a computer in this world.
    pub fn connect(&self, address: SocketAddr) -> std::io::Result<TcpStream> {
        self.network.connect(address)
    }

    /// Gives the test's side one more address, so that it can be somebody else.
    pub fn add_address(&self, address: IpAddr) {
        let bits = if address.is_ipv4() { 24 } else { 64 };
        let nodad = if address.is_ipv4() { "" } else { " nodad" };
        self.network
            .ip(&format!("address add {address}/{bits} dev br0{nodad}"));
    }

    /// Every TCP port of an address that takes a connection from here.
    pub fn open_ports(&self, address: IpAddr) -> Vec<u16> {
        self.run(|| super::scan::open_ports(address))
    }

    pub(super) fn folder(&self) -> &Arc<Folder> {
        &self.folder
    }

    /// 1 for the first machine.
    pub(super) fn next_machine(&self) -> u8 {
        self.machines.fetch_add(1, Ordering::Relaxed) + 1
    }
}
