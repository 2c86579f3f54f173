//! A bucket and what is done with it: one request each, on a connection of its own. The server is on this machine, or somebody
//! else's.

use std::time::Duration;

use bytes::Bytes;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::storage::listing::{Page, first};
use hostkit_core::storage::signature::{self, Asked, Keys};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::time::timeout;

use super::connection::{Broken, Endpoint};

/// For how long what is sent at once is signed.
const SOON: Duration = Duration::from_secs(900);
/// How long an answer may take to begin: a large upload is completed in less.
const PATIENCE: Duration = Duration::from_secs(300);
/// The longest answer that is no object, in bytes.
const LONGEST: usize = 16 << 20;

/// A bucket that is reached.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    /// Where its server is.
    pub(crate) endpoint: Endpoint,
    /// Its name.
    pub(crate) name: String,
    /// What is signed with.
    pub(crate) keys: Keys,
}

/// A request: what of it differs.
#[derive(Default)]
pub(super) struct Act<'a> {
    pub(super) method: Method,
    pub(super) key: &'a str,
    pub(super) query: &'a [(&'a str, &'a str)],
    pub(super) headers: &'a [(&'a str, &'a str)],
    pub(super) body: Bytes,
}

impl Bucket {
    /// A URL with which whoever has it may do this for so long.
    pub(crate) fn url(&self, method: &str, key: &str, expires: Duration) -> String {
        let asked = Asked {
            method,
            host: &self.endpoint.authority,
            path: &format!("/{}/{key}", self.name),
            query: &[],
            headers: &[],
        };
        let signed = signature::signed(&self.keys, asked, Timestamp::now(), expires);
        format!("{}{signed}", self.endpoint.origin())
    }

    /// A page of the objects whose keys begin so.
    pub(crate) async fn list(
        &self,
        prefix: &str,
        is_deep: bool,
        from: Option<&str>,
    ) -> Result<Page, Failure> {
        let mut query = vec![("list-type", "2"), ("encoding-type", "url"), ("prefix", prefix)];
        if !is_deep {
            query.push(("delimiter", "/"));
        }
        query.extend(from.map(|token| ("continuation-token", token)));
        let act = Act {
            query: &query,
            ..Act::default()
        };
        let what = "list the bucket";
        let text = self.asked(what, act).await?;
        Page::parse(&text, from).ok_or_else(|| away(what, &"its answer is no list of S3"))
    }

    /// Removes an object. One that is not there is removed, too.
    pub(crate) async fn remove(&self, key: &str) -> Result<(), Failure> {
        let act = Act {
            method: Method::DELETE,
            key,
            ..Act::default()
        };
        self.asked(&format!("remove `{key}`"), act).await.map(drop)
    }

    /// Reads an object: its bytes as they come.
    pub(crate) async fn read(&self, key: &str) -> Result<Response<Incoming>, Failure> {
        let act = Act {
            key,
            ..Act::default()
        };
        self.send(&format!("read `{key}`"), act).await
    }

    /// Copies an object to another key of the bucket. No byte of it leaves the server.
    pub(crate) async fn copy(&self, from: &str, to: &str) -> Result<(), Failure> {
        let source = signature::path(&format!("/{}/{from}", self.name));
        let act = Act {
            method: Method::PUT,
            key: to,
            headers: &[("x-amz-copy-source", &source)],
            ..Act::default()
        };
        let what = format!("copy `{from}` to `{to}`");
        let said = self.asked(&what, act).await?;
        refuse_late(&what, &said)
    }

    /// Asks, and reads the answer.
    pub(super) async fn asked(&self, what: &str, act: Act<'_>) -> Result<String, Failure> {
        let answer = self.send(what, act).await?;
        let text = Limited::new(answer.into_body(), LONGEST).collect().await;
        let text = text.map_err(|why| away(what, &why))?;
        Ok(String::from_utf8_lossy(&text.to_bytes()).into_owned())
    }

    /// Asks. A refusal is a failure in the words of the server.
    pub(super) async fn send(&self, what: &str, act: Act<'_>) -> Result<Response<Incoming>, Failure> {
        let asked = Asked {
            method: act.method.as_str(),
            host: &self.endpoint.authority,
            path: &format!("/{}/{}", self.name, act.key),
            query: act.query,
            headers: act.headers,
        };
        let target = signature::signed(&self.keys, asked, Timestamp::now(), SOON);
        let mut request = Request::builder()
            .method(act.method.clone())
            .uri(target)
            .header("host", &self.endpoint.authority);
        for (name, value) in act.headers {
            request = request.header(*name, *value);
        }
        let request = request
            .body(Full::new(act.body))
            .map_err(|why| Failure::new(Kind::Invalid, format!("cannot {what}: {why}")))?;
        let answer = timeout(PATIENCE, self.exchange(request)).await;
        let answer = answer.map_err(|_| away(what, &"it does not answer"))?;
        let answer = answer.map_err(|why| away(what, &why))?;
        match answer.status().is_success() {
            true => Ok(answer),
            false => Err(self.refusal(what, answer).await),
        }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Broken> {
        let stream = self.endpoint.open().await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        // Ends with the answer.
        tokio::spawn(connection);
        Ok(sender.send_request(request).await?)
    }

    async fn refusal(&self, what: &str, answer: Response<Incoming>) -> Failure {
        let status = answer.status();
        let text = Limited::new(answer.into_body(), LONGEST).collect().await;
        let text = text.map(|text| text.to_bytes()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let code = first(&text, "Code").unwrap_or_else(|| status.to_string());
        let why = first(&text, "Message").unwrap_or_default();
        let kind = match status {
            StatusCode::NOT_FOUND => Kind::NotFound,
            StatusCode::FORBIDDEN if code == "QuotaExceeded" => Kind::Conflict,
            StatusCode::FORBIDDEN => Kind::Denied,
            StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED => Kind::Conflict,
            status if status.is_client_error() => Kind::Invalid,
            _ => Kind::Unavailable,
        };
        let why = why.trim_end_matches('.');
        let failure = Failure::new(kind, format!("cannot {what}: {why} ({code})"));
        match code.as_str() {
            "QuotaExceeded" => failure.hint(
                "see `hostkit storage stats NAME`; `hostkit storage policy NAME --quota SIZE` sets another",
            ),
            "NoSuchKey" => failure.hint("`hostkit storage ls NAME` shows what there is"),
            _ => failure,
        }
    }
}

/// A refusal may come behind a 200, as S3 has it.
pub(super) fn refuse_late(what: &str, said: &str) -> Result<(), Failure> {
    match first(said, "Code") {
        Some(code) => Err(Failure::new(Kind::Failed, format!("cannot {what}: {code}"))),
        None => Ok(()),
    }
}

fn away(what: &str, why: &dyn std::fmt::Display) -> Failure {
    Failure::new(Kind::Unavailable, format!("cannot {what}: {why}"))
        .hint("see how it is with `hostkit addon list NAME`; one that is not kept elsewhere answers on its own machine alone")
}
