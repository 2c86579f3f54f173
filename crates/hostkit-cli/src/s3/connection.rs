//! Where a bucket is, and connections to it: in the clear to the machine itself, encrypted to one that somebody else keeps,
//! which then has to prove who it is.

use std::sync::Arc;

use hostkit_core::kind::{Failure, Kind};
use http::Uri;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
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
    /// What stands in the header `host`: `127.0.0.1:15000`.
    pub(super) authority: String,
}

impl Endpoint {
    /// Reads `https://HOST` or `http://HOST:PORT`.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
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
        matches!(self.host.as_str(), "127.0.0.1" | "localhost" | "::1")
    }

    /// How URLs of it begin.
    pub(super) fn origin(&self) -> String {
        let scheme = if self.is_encrypted { "https" } else { "http" };
        format!("{scheme}://{}", self.authority)
    }

    pub(super) async fn open(&self) -> Result<Box<dyn Both>, Broken> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
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
        let near = Endpoint::parse("http://127.0.0.1:15000").unwrap();
        assert_eq!(
            (near.is_here(), near.origin()),
            (true, "http://127.0.0.1:15000".to_owned())
        );
        let far = Endpoint::parse("https://s3.example.com").unwrap();
        assert_eq!((far.is_here(), far.is_encrypted, far.port), (false, true, 443));
        assert_eq!(far.authority, "s3.example.com");
        for bad in ["", "127.0.0.1:80", "ftp://h", "https://"] {
            assert!(Endpoint::parse(bad).is_err(), "{bad}");
        }
    }
}
