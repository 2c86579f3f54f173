//! Where a bucket is, and connections to it: in the clear to the machine itself, encrypted to one that somebody else keeps,
//! which then has to prove who it is.

use std::sync::Arc;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::reach::{Reach, is_this_machine};
use http::Uri;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::TlsConnector;

/// What goes wrong on the way.
pub(super) type Broken = Box<dyn std::error::Error + Send + Sync>;

/// What is read from and written to.
pub(super) trait Both: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Both for S {}

/// Where the server of a bucket is.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    is_encrypted: bool,
    host: String,
    port: u16,
    reach: Reach,
    /// What stands in the header `host`: `127.0.0.1:15000`.
    pub(super) authority: String,
}

impl Endpoint {
    /// Reads `https://HOST` or `http://HOST:PORT`, to which nobody goes further than `reach`: on a server whoever asks may be
    /// root, and a project names the place.
    pub(crate) fn parse(text: &str, reach: Reach) -> Result<Self, Failure> {
        let parsed = text.parse::<Uri>().ok();
        let read = parsed.as_ref().and_then(|uri| {
            let authority = uri.authority()?;
            let is_encrypted = match uri.scheme_str()? {
                "https" => true,
                "http" => false,
                _ => return None,
            };
            Some(Endpoint {
                is_encrypted,
                host: authority.host().trim_matches(['[', ']']).to_owned(),
                port: authority
                    .port_u16()
                    .unwrap_or(if is_encrypted { 443 } else { 80 }),
                reach,
                authority: authority.as_str().to_owned(),
            })
        });
        read.ok_or_else(|| {
            Failure::new(
                Kind::Internal,
                "cannot use the storage: what it tells of its place is no URL",
            )
        })
    }

    /// Whether it is found on its own machine alone.
    pub(crate) fn is_here(&self) -> bool {
        is_this_machine(&self.host)
    }

    /// How URLs of it begin.
    pub(super) fn origin(&self) -> String {
        let scheme = if self.is_encrypted { "https" } else { "http" };
        format!("{scheme}://{}", self.authority)
    }

    /// Connects to one of its addresses.
    async fn connect(&self) -> Result<TcpStream, Broken> {
        // A bucket of HostKit's own: what somebody else keeps is never taken by an address of this machine.
        let reach = if self.is_here() { Reach::All } else { self.reach };
        let mut why: Broken = "it has no address".into();
        for address in lookup_host((self.host.as_str(), self.port)).await? {
            if let Some(refusal) = reach.refusal(address.ip(), &[]) {
                why = refusal.into();
                continue;
            }
            match TcpStream::connect(address).await {
                // Whoever connects to an address of this machine comes from the same one.
                Ok(stream) => match reach.refusal(address.ip(), &[stream.local_addr()?.ip()]) {
                    None => return Ok(stream),
                    Some(refusal) => why = refusal.into(),
                },
                Err(broken) => why = broken.into(),
            }
        }
        Err(why)
    }

    pub(super) async fn open(&self) -> Result<Box<dyn Both>, Broken> {
        let stream = self.connect().await?;
        stream.set_nodelay(true)?;
        if !self.is_encrypted {
            return Ok(Box::new(stream));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_platform_verifier()?
            .with_no_client_auth();
        let name = ServerName::try_from(self.host.clone())?;
        Ok(Box::new(
            TlsConnector::from(Arc::new(client)).connect(name, stream).await?,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_says_how_and_where() {
        let near = Endpoint::parse("http://127.0.0.1:15000", Reach::All).unwrap();
        assert_eq!(
            (near.is_here(), near.origin()),
            (true, "http://127.0.0.1:15000".to_owned())
        );
        let far = Endpoint::parse("https://s3.example.com", Reach::All).unwrap();
        assert_eq!((far.is_here(), far.is_encrypted, far.port), (false, true, 443));
        assert_eq!(far.authority, "s3.example.com");
        for bad in ["", "127.0.0.1:80", "ftp://h", "https://"] {
            assert!(Endpoint::parse(bad, Reach::All).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn on_a_server_no_name_leads_to_the_machine_itself() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        for host in ["127.0.0.2", "2130706433", "0.0.0.0"] {
            let place = format!("http://{host}:{port}");
            let endpoint = Endpoint::parse(&place, Reach::OtherMachines).unwrap();
            let refused = endpoint.connect().await.unwrap_err().to_string();
            assert!(refused.contains("this machine"), "{host}: {refused}");
        }
        let own = Endpoint::parse(&format!("http://127.0.0.1:{port}"), Reach::OtherMachines).unwrap();
        own.connect().await.unwrap();
    }
}
