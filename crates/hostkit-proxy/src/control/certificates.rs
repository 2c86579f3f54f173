//! Certificates over the admin socket: `GET` and `POST /certificates`, `DELETE /certificates/NAME` and
//! `POST /certificates/NAME/renew`.

use std::borrow::Cow;
use std::sync::Arc;

use hostkit_certificates::Certificates;
use hostkit_core::certificate::CertificateName;
use hostkit_core::kind::{Failure, Kind};
use http::{Method, Request};
use hyper::body::Incoming;
use serde::{Deserialize, Serialize};

use super::admin::{body, json, no_such_endpoint};

/// Where they are.
pub(crate) const PATH: &str = "/certificates";
/// The largest body taken: a chain of many certificates, and a key.
const MOST_BYTES: usize = 256 << 10;

/// What `POST /certificates` takes. It has a private key, and so no form to be shown in.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ImportOrder<'a> {
    pub(crate) chain: Cow<'a, str>,
    pub(crate) key: Cow<'a, str>,
    #[serde(default)]
    pub(crate) only: Option<Cow<'a, [CertificateName]>>,
}

/// Whether a path is answered here.
pub(crate) fn is_below(path: &str) -> bool {
    path.strip_prefix(PATH)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Answers a request below [`PATH`].
pub(crate) async fn answer(
    certificates: Option<&Arc<Certificates>>,
    request: Request<Incoming>,
) -> Result<Vec<u8>, Failure> {
    let Some(certificates) = certificates.map(Arc::clone) else {
        return Err(without_tls());
    };
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let rest = path.strip_prefix(PATH).unwrap_or_default();
    match (&method, rest.strip_prefix('/')) {
        (&Method::GET, None) => json(&certificates.status()),
        (&Method::POST, None) => {
            let bytes = body(request, MOST_BYTES).await?;
            let order = order(&bytes)?;
            let import = move || match order.only {
                None => certificates.import(order.chain.as_bytes(), order.key.as_bytes()),
                Some(only) => certificates.import_for(&only, order.chain.as_bytes(), order.key.as_bytes()),
            };
            json(&on_disk(import).await?)
        }
        (&Method::DELETE, Some(name)) => {
            let name = named(name)?;
            json(&on_disk(move || certificates.remove(&name)).await?)
        }
        (&Method::POST, Some(rest)) => match rest.strip_suffix("/renew") {
            Some(name) => json(&certificates.renew(&named(name)?)?),
            None => Err(no_such_endpoint(&method, &path)),
        },
        _ => Err(no_such_endpoint(&method, &path)),
    }
}

/// Certificates are written to the disk, which may take its time.
async fn on_disk<T: Send + 'static>(
    act: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(act).await.unwrap_or_else(|error| {
        let message = format!("cannot change the certificates: {error}");
        Err(Failure::new(Kind::Internal, message))
    })
}

/// What a reader of JSON says may repeat what it read, and that may be the key: only where it is wrong is told.
fn order(bytes: &[u8]) -> Result<ImportOrder<'static>, Failure> {
    serde_json::from_slice(bytes).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let message = format!("cannot read the certificate to import: wrong at line {line}, column {column}");
        Failure::new(Kind::Invalid, message).hint("send `chain` and `key` as PEM texts")
    })
}

fn named(text: &str) -> Result<CertificateName, Failure> {
    text.parse()
        .map_err(|why| Failure::new(Kind::Invalid, format!("cannot read the path: {why}")))
}

fn without_tls() -> Failure {
    let message = "cannot see to certificates: this front door does not speak TLS";
    Failure::new(Kind::Conflict, message)
        .hint("start it with `hostkit up --tls`; on a server it has a socket for port 443")
}
