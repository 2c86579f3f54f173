//! Connections to servers elsewhere: to addresses that may be connected to, encrypted where the other side has to prove who it
//! is.

use std::sync::Arc;
use std::time::Duration;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::reach::Reach;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::proof::Proof;
use crate::reached;

/// How long a connection may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is read from and written to.
pub(crate) trait Both: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Both for S {}

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listens {
    /// Its name or address.
    pub(crate) host: String,
    /// Its port.
    pub(crate) port: u16,
    /// How it proves who it is.
    pub(crate) proof: Proof,
}

/// Opens a connection.
pub(crate) async fn open(to: &Listens, reach: Reach) -> Result<Box<dyn Both>, Failure> {
    let Listens { host, port, .. } = to;
    let cannot = |why: &dyn std::fmt::Display| {
        Failure::new(Kind::Unavailable, format!("cannot connect to `{host}`: {why}"))
            .hint(format!("is `{host}` up, and does it let this machine in?"))
    };
    let opened = tokio::time::timeout(PATIENCE, async {
        let mut last = "it has no address".to_owned();
        for address in reached::addresses(host, *port, reach).await? {
            match TcpStream::connect((address, *port)).await {
                Ok(stream) => return encrypted(to, stream).await,
                Err(why) => last = why.to_string(),
            }
        }
        Err(cannot(&last))
    });
    opened
        .await
        .unwrap_or_else(|_| Err(cannot(&"it does not answer in time")))
}

async fn encrypted(to: &Listens, stream: TcpStream) -> Result<Box<dyn Both>, Failure> {
    let host = &to.host;
    let Some(client) = to.proof.client()? else {
        return Ok(Box::new(stream));
    };
    let cannot = |why: &dyn std::fmt::Display| {
        Failure::new(
            Kind::Unavailable,
            format!("cannot connect to `{host}` encrypted: {why}"),
        )
    };
    let name = ServerName::try_from(host.clone()).map_err(|why| cannot(&why))?;
    let connected = TlsConnector::from(Arc::new(client)).connect(name, stream).await;
    Ok(Box::new(connected.map_err(|why| cannot(&why))?))
}
