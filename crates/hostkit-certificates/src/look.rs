//! Which certificate a connection is really shown: the front door may show another than it should, and nobody else
//! notices before the old one is over.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hostkit_core::certificate::{CertificateName, Reach};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::pair::{Facts, Pair};

/// Says what is shown at an address in the place of a certificate, if it is another.
pub(crate) async fn compare(
    place: SocketAddr,
    name: &CertificateName,
    pair: &Pair,
    patience: Duration,
) -> Result<(), String> {
    let seen = tokio::time::timeout(patience, see(place, name)).await;
    let seen =
        seen.map_err(|_| format!("`{place}` does not answer within {} s", patience.as_secs_f64()))??;
    if pair.shown.cert.first() == Some(&seen) {
        return Ok(());
    }
    let facts = Facts::of(&seen)?;
    Err(format!(
        "one by `{}` that is valid until {}",
        facts.issuer, facts.not_after
    ))
}

async fn see(place: SocketAddr, name: &CertificateName) -> Result<CertificateDer<'static>, String> {
    let failed = |why: &dyn std::fmt::Display| format!("cannot look at `{place}`: {why}");
    let host = match name.reach() {
        Reach::Host => name.host().to_string(),
        Reach::Below => format!("hostkit-look.{}", name.host()),
    };
    let host = ServerName::try_from(host).map_err(|why| failed(&why))?;
    let stream = TcpStream::connect(place).await.map_err(|why| failed(&why))?;
    let connector = TlsConnector::from(Arc::new(config().map_err(|why| failed(&why))?));
    let stream = connector
        .connect(host, stream)
        .await
        .map_err(|why| failed(&why))?;
    let seen = stream
        .get_ref()
        .1
        .peer_certificates()
        .and_then(|chain| chain.first());
    seen.map(|seen| seen.clone().into_owned())
        .ok_or_else(|| failed(&"it shows none"))
}

fn config() -> Result<ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let anything = Arc::new(Anything(provider));
    Ok(config
        .dangerous()
        .with_custom_certificate_verifier(anything)
        .with_no_client_auth())
}

/// Takes whatever is shown: nothing is sent, and what is wrong with it is to be seen.
#[derive(Debug)]
struct Anything(Arc<CryptoProvider>);

impl ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _others: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
