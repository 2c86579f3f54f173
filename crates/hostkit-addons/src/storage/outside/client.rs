//! A bucket elsewhere, asked: one request each, on a connection of its own, to an address that may be connected to. Whoever
//! answers may be anybody: no redirection is followed, no answer is read without an end, and none is repeated but for a code
//! of S3.

use std::time::Duration;

use bytes::Bytes;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::reach::Reach;
use hostkit_core::storage::listing::{Page, first};
use hostkit_core::storage::signature::{Asked, signed};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;

use super::address::Given;
use crate::stream::open;

/// How long an answer may take, from the first byte of the request to its own last.
const PATIENCE: Duration = Duration::from_secs(15);
/// For how long a request is signed: clocks differ.
const SOON: Duration = Duration::from_secs(300);
/// The longest answer, in bytes: a page of a thousand keys, each as long as may be, and encoded.
const LONGEST: usize = 8 << 20;
/// The longest code of a refusal that is repeated.
const LONGEST_CODE: usize = 64;

/// A bucket, and how far HostKit goes to it.
pub(super) struct Client<'a> {
    pub(super) given: &'a Given,
    pub(super) reach: Reach,
}

impl Client<'_> {
    /// A page of what is in it.
    pub(super) async fn list(&self, most: u32, from: Option<&str>) -> Result<Page, Failure> {
        let most = most.to_string();
        let mut query = vec![
            ("list-type", "2"),
            ("encoding-type", "url"),
            ("max-keys", most.as_str()),
        ];
        query.extend(from.map(|token| ("continuation-token", token)));
        let text = self.ask("list it", Method::GET, "", &query, Bytes::new()).await?;
        let page = std::str::from_utf8(&text)
            .ok()
            .and_then(|text| Page::parse(text, from));
        page.ok_or_else(|| self.failure(Kind::Unavailable, "list it", "its answer is no list of S3"))
    }

    pub(super) async fn put(&self, key: &str, content: &'static [u8]) -> Result<(), Failure> {
        let act = "put an object";
        self.ask(act, Method::PUT, key, &[], Bytes::from_static(content))
            .await
            .map(drop)
    }

    pub(super) async fn get(&self, key: &str) -> Result<Bytes, Failure> {
        self.ask("read an object", Method::GET, key, &[], Bytes::new())
            .await
    }

    pub(super) async fn delete(&self, key: &str) -> Result<(), Failure> {
        let act = "delete an object";
        self.ask(act, Method::DELETE, key, &[], Bytes::new())
            .await
            .map(drop)
    }

    async fn ask(
        &self,
        act: &str,
        method: Method,
        key: &str,
        query: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Bytes, Failure> {
        let (given, bucket) = (self.given, &self.given.bucket);
        let path = match key.is_empty() {
            true => format!("/{bucket}"),
            false => format!("/{bucket}/{key}"),
        };
        let asked = Asked {
            method: method.as_str(),
            host: &given.authority,
            path: &path,
            query,
            headers: &[],
        };
        let request = Request::builder()
            .method(method.clone())
            .uri(signed(&given.keys, asked, Timestamp::now(), SOON))
            .header("host", &given.authority)
            .body(Full::new(body))
            .map_err(|why| self.failure(Kind::Invalid, act, &why.to_string()))?;
        let stream = open(&given.listens, self.reach).await?;
        let answered = tokio::time::timeout(PATIENCE, async {
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
            // Ends with the answer.
            tokio::spawn(connection);
            let answer = sender.send_request(request).await?;
            let (status, is_redirection) = (answer.status(), answer.status().is_redirection());
            // Nothing of that is needed to say where it does not go.
            let text = match is_redirection {
                true => Bytes::new(),
                false => read(answer).await?,
            };
            Ok::<_, Broken>((status, text))
        });
        let answered = answered
            .await
            .map_err(|_| self.failure(Kind::Unavailable, act, "it does not answer in time"))?;
        match answered.map_err(|why| self.failure(Kind::Unavailable, act, &why.to_string()))? {
            (status, text) if status.is_success() => Ok(text),
            (status, text) => Err(self.refusal(act, status, &text)),
        }
    }

    /// What a refusal means.
    fn refusal(&self, act: &str, status: StatusCode, text: &[u8]) -> Failure {
        let code = first(&String::from_utf8_lossy(text), "Code");
        let code = code.filter(|code| {
            (1..=LONGEST_CODE).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric())
        });
        let (kind, why) = match (status, code.as_deref()) {
            (_, Some("InvalidAccessKeyId")) => {
                (Kind::Denied, "it does not know the access key id".to_owned())
            }
            (_, Some("SignatureDoesNotMatch")) => (
                Kind::Denied,
                "it does not accept the secret access key".to_owned(),
            ),
            (_, Some("RequestTimeTooSkewed")) => (
                Kind::Unavailable,
                "its clock and that of this machine differ".to_owned(),
            ),
            (
                _,
                Some(
                    "AuthorizationHeaderMalformed"
                    | "AuthorizationQueryParametersError"
                    | "PermanentRedirect",
                ),
            ) => {
                let region = &self.given.keys.region;
                (Kind::Invalid, format!("it is not in the region `{region}`"))
            }
            (_, Some("NoSuchBucket")) => (Kind::NotFound, "there is no such bucket".to_owned()),
            (status, _) if status.is_redirection() => {
                let why = "it sends elsewhere, where HostKit does not go: its region or endpoint is another";
                (Kind::Invalid, why.to_owned())
            }
            (StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED, _) => {
                (Kind::Denied, "its keys may not do that".to_owned())
            }
            (status, Some(code)) => (Kind::Unavailable, format!("it answers {status} ({code})")),
            (status, None) => (
                Kind::Unavailable,
                format!("it answers {status} without saying why"),
            ),
        };
        self.failure(kind, act, &why)
    }

    pub(super) fn failure(&self, kind: Kind, act: &str, why: &str) -> Failure {
        let Given { endpoint, bucket, .. } = self.given;
        Failure::new(
            kind,
            format!("cannot use the bucket `{bucket}` at `{endpoint}`: cannot {act}: {why}"),
        )
    }
}

type Broken = Box<dyn std::error::Error + Send + Sync>;

async fn read(answer: Response<Incoming>) -> Result<Bytes, Broken> {
    match Limited::new(answer.into_body(), LONGEST).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(why) if why.is::<http_body_util::LengthLimitError>() => Err("its answer has no end".into()),
        Err(why) => Err(why),
    }
}
