//! Where servers elsewhere are, as far as HostKit goes. A name is resolved once, and what was looked at is what is connected
//! to: whoever owns the name cannot lead HostKit elsewhere in between.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::reach::Reach;

/// The longest that the DNS is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// The addresses of a host that may be connected to; a failure where there is none.
pub(crate) async fn addresses(host: &str, port: u16, reach: Reach) -> Result<Vec<IpAddr>, Failure> {
    let unknown = |why: &dyn std::fmt::Display| {
        Failure::new(Kind::Unavailable, format!("cannot find `{host}`: {why}"))
            .hint("is the name right? `getent hosts NAME` asks the same DNS")
    };
    let found = tokio::time::timeout(PATIENCE, tokio::net::lookup_host((host, port))).await;
    let found = found.map_err(|_| unknown(&"the DNS does not answer"))?;
    let found: Vec<IpAddr> = found
        .map_err(|why| unknown(&why))?
        .map(|address: SocketAddr| address.ip())
        .collect();
    let own = match reach {
        Reach::All => Vec::new(),
        Reach::OtherMachines => hostkit_host::internet::interface_addresses(),
    };
    let mut why = "it has no address";
    let mut reached = Vec::new();
    for address in found {
        match reach.refusal(address, &own) {
            None => reached.push(address),
            Some(refusal) => why = refusal,
        }
    }
    match reached.is_empty() {
        true => Err(Failure::new(
            Kind::Denied,
            format!("cannot connect to `{host}`: {why}"),
        )),
        false => Ok(reached),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_does_not_talk_to_itself_by_whatever_name() {
        for name in [
            "localhost",
            "127.0.0.1",
            "::1",
            "0.0.0.0",
            "169.254.169.254",
            "2130706433",
            "0x7f.1",
        ] {
            let refused = addresses(name, 80, Reach::OtherMachines).await.unwrap_err();
            assert_eq!(refused.kind, Kind::Denied, "{name}: {refused}");
        }
        for own in hostkit_host::internet::interface_addresses() {
            assert!(
                addresses(&own.to_string(), 80, Reach::OtherMachines)
                    .await
                    .is_err(),
                "{own}"
            );
        }
        assert!(addresses("localhost", 80, Reach::All).await.is_ok());
        let found = addresses("10.0.0.5", 80, Reach::OtherMachines).await.unwrap();
        assert_eq!(found, ["10.0.0.5".parse::<IpAddr>().unwrap()]);
    }
}
