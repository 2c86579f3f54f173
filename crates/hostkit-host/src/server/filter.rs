//! The packet filter, asked and told from code that is not async.

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::server_settings::{OpenPort, Protocol};

use crate::firewall::{Firewall, Inbound, Observed};

/// What is to be let in, in the words of the packet filter.
pub(super) fn inbound(ports: &[OpenPort]) -> Inbound {
    let of = |protocol| {
        let ports = ports.iter().filter(move |port| port.protocol == protocol);
        ports.map(|port| port.port).collect()
    };
    Inbound {
        tcp: of(Protocol::Tcp),
        udp: of(Protocol::Udp),
    }
}

/// What is let in, in ours.
pub(super) fn ports(inbound: &Inbound) -> Vec<OpenPort> {
    let of = |protocol| move |&port| OpenPort { port, protocol };
    let tcp = inbound.tcp.iter().map(of(Protocol::Tcp));
    tcp.chain(inbound.udp.iter().map(of(Protocol::Udp))).collect()
}

/// What is in place.
pub(super) fn observe(firewall: &dyn Firewall) -> Result<Observed, Failure> {
    wait(firewall.observe())
}

/// Lets these in, and nothing else.
pub(super) fn let_in(firewall: &dyn Firewall, ports: &[OpenPort]) -> Result<(), Failure> {
    wait(firewall.ensure_inbound(&inbound(ports))).map(drop)
}

/// Holds nothing back any more.
pub(super) fn release(firewall: &dyn Firewall) -> Result<(), Failure> {
    wait(firewall.remove_inbound()).map(drop)
}

fn wait<T>(act: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::new(Kind::Internal, format!("cannot speak to the packet filter: {e}")))?;
    runtime.block_on(act)
}
