//! The HTTP that ACME is spoken over: over TLS alone, no answer is waited for without an end or read beyond a size, and
//! no redirect is followed.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use serde::de::IgnoredAny;

/// More than any answer of an authority has.
const LONGEST_ANSWER: usize = 1 << 20;

/// A client, which can be copied.
#[derive(Clone)]
pub(super) struct Client {
    pool: Pool<HttpsConnector<HttpConnector>, BodyWrapper<Bytes>>,
    patience: Duration,
    wished: Arc<Mutex<Option<Timestamp>>>,
}

impl Client {
    /// Trusts what a file says, or else what the system does.
    pub(super) fn new(root: Option<&Path>, patience: Duration) -> Result<Client, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|why| why.to_string())?;
        let config = match root {
            Some(path) => config.with_root_certificates(roots(path)?),
            None => config
                .try_with_platform_verifier()
                .map_err(|why| why.to_string())?,
        };
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config.with_no_client_auth())
            .https_only()
            .enable_all_versions()
            .build();
        Ok(Client {
            pool: Pool::builder(TokioExecutor::new()).build(connector),
            patience,
            wished: Arc::default(),
        })
    }

    /// Until when the authority said it wants to be left alone, the last time it did.
    pub(super) fn wished(&self) -> Option<Timestamp> {
        *self.wished.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn exchange(self, request: Request<BodyWrapper<Bytes>>) -> Result<BytesResponse, Error> {
        let place = format!("`{}`", request.uri());
        let is_signed = request.method() == Method::POST;
        let failed = |why: String| Error::Other(format!("{place} {why}").into());
        let answer = async {
            let answer = self.pool.request(request).await;
            let answer = answer.map_err(|why| failed(format!("cannot be reached: {}", whole(&why))))?;
            let (parts, body) = answer.into_parts();
            let body = Limited::new(body, LONGEST_ANSWER).collect().await;
            let body = body
                .map_err(|why| failed(format!("breaks off: {why}")))?
                .to_bytes();
            Ok::<_, Error>(Response::from_parts(parts, body))
        };
        let answer = tokio::time::timeout(self.patience, answer).await.map_err(|_| {
            failed(format!(
                "does not answer within {} s",
                self.patience.as_secs_f64()
            ))
        })??;
        let status = answer.status();
        if matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
        ) {
            let wished = answer
                .headers()
                .get("retry-after")
                .and_then(|value| value.to_str().ok());
            *self.wished.lock().unwrap_or_else(PoisonError::into_inner) = wished.and_then(moment);
        }
        if status.is_redirection() {
            return Err(failed(
                "leads elsewhere, which is not followed; name the place itself".to_owned(),
            ));
        }
        // The library reads the reasons of requests that it signed; of others it expects what it asked for.
        let is_reason = || is_signed && serde_json::from_slice::<IgnoredAny>(answer.body()).is_ok();
        if (status.is_client_error() || status.is_server_error()) && !is_reason() {
            return Err(failed(format!("answers with {status}")));
        }
        let (parts, body) = answer.into_parts();
        let body = Box::new(body);
        Ok(BytesResponse { parts, body })
    }
}

impl HttpClient for Client {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        Box::pin(self.clone().exchange(request))
    }
}

fn roots(path: &Path) -> Result<RootCertStore, String> {
    let failed = |why: &dyn std::fmt::Display| {
        format!(
            "cannot read what it is trusted by from `{}`: {why}",
            path.display()
        )
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|why| failed(&why))? {
        let certificate = certificate.map_err(|why| failed(&why))?;
        roots.add(certificate).map_err(|why| failed(&why))?;
    }
    match roots.is_empty() {
        true => Err(failed(&"there is no certificate in it")),
        false => Ok(roots),
    }
}

/// Seconds from now, or a date.
fn moment(text: &str) -> Option<Timestamp> {
    match text.trim().parse::<u32>() {
        Ok(seconds) => Some(crate::schedule::after(
            Timestamp::now(),
            Duration::from_secs(seconds.into()),
        )),
        Err(_) => {
            let date: SystemTime = httpdate::parse_http_date(text).ok()?;
            Timestamp::try_from(date).ok()
        }
    }
}

/// The last reason tells: what is around it says only that a connection failed.
fn whole(why: &hyper_util::client::legacy::Error) -> String {
    let mut last: &dyn std::error::Error = why;
    while let Some(next) = last.source() {
        last = next;
    }
    last.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_seconds_or_a_date_and_nothing_else() {
        assert!(moment("120").unwrap() > Timestamp::now());
        assert_eq!(
            moment("Fri, 31 Dec 1999 23:59:59 GMT").unwrap().to_string(),
            "1999-12-31T23:59:59Z"
        );
        for text in ["", "soon", "-1", "1e9", "99999999999999999999"] {
            assert_eq!(moment(text), None, "{text}");
        }
    }

    #[test]
    fn a_file_without_certificates_is_no_root() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        for content in [
            "",
            "garbage",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ] {
            std::fs::write(&path, content).unwrap();
            assert!(
                Client::new(Some(&path), Duration::from_secs(1)).is_err(),
                "{content}"
            );
        }
        assert!(Client::new(Some(&folder.path().join("none")), Duration::from_secs(1)).is_err());
    }
}
