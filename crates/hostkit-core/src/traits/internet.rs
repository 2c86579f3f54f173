//! The internet, as far as domains go: what their names lead to, and who answers there.

use std::net::IpAddr;

use crate::domain::OwnAddresses;
use crate::names::HostName;

/// Looks up names and asks who answers there.
#[async_trait::async_trait]
pub trait Internet: Send + Sync {
    /// The addresses of a name, each once; none where it has none. The error is a reason for users:
    /// `no answer within 5s`.
    async fn resolve(&self, host: &HostName) -> Result<Vec<IpAddr>, String>;

    /// The addresses of this machine that a name may lead to.
    fn own_addresses(&self) -> OwnAddresses;

    /// Sends one GET to the front door's port at `address`, as a visitor of `host`, and reads the beginning of the
    /// answer's body. The error is a reason for users: `connection refused`.
    async fn ask(&self, host: &HostName, address: IpAddr, path: &str) -> Result<String, String>;

    /// A word that nobody can guess, of letters and digits, another one each time.
    fn unguessable(&self) -> Result<String, String>;
}
