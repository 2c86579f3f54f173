//! The HTTP that the storage is spoken to over. Nothing is waited for without an end: a request may take as long as its
//! bytes move, and fails when nothing has moved for a while. What a storage refuses with is told as what it is.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::Method;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse, HttpResponseBody,
    HttpService,
};
use rustls::ClientConfig;
use tokio::time::{Instant, Sleep};

use super::Patience;
use super::trouble::{LONGEST_REASON, Trouble};

/// More than any answer has that is not the content of an object.
const LONGEST_ANSWER: u64 = 16 << 20;
/// Connections that wait for another request end after this long: many servers close theirs after a minute.
const IDLE: Duration = Duration::from_secs(20);

/// A client, which can be copied.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    pool: Pool<HttpsConnector<HttpConnector>, Sent>,
    silence: Duration,
}

impl Connector {
    /// Trusts what the system does.
    pub(super) fn new(patience: Patience) -> Result<Self, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|config| config.try_with_platform_verifier())
            .map_err(|why| why.to_string())?
            .with_no_client_auth();
        let mut tcp = HttpConnector::new();
        tcp.set_connect_timeout(Some(patience.connect));
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let pool = Pool::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector);
        Ok(Connector {
            pool,
            silence: patience.silence,
        })
    }

    /// What a storage said instead of doing what it was asked.
    async fn refusal(&self, answer: http::Response<Incoming>) -> HttpError {
        let (parts, body) = answer.into_parts();
        let body = Limited::new(body, LONGEST_REASON).collect();
        // A refusal whose reason does not come is a refusal all the same.
        let reason = match tokio::time::timeout(self.silence, body).await {
            Ok(Ok(reason)) => reason.to_bytes(),
            _ => Bytes::new(),
        };
        let trouble = Trouble::refused(parts.status, &reason);
        let kind = match trouble.may_pass() {
            true => HttpErrorKind::Request,
            false => HttpErrorKind::Unknown,
        };
        HttpError::new(kind, trouble)
    }
}

impl object_store::client::HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Connector {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let is_content = request.method() == Method::GET && request.uri().query().is_none();
        let moved = Moved::default();
        let request = request.map(|body| Sent {
            body,
            moved: moved.clone(),
        });
        let mut answer = std::pin::pin!(self.pool.request(request));
        let answer = loop {
            let end = moved.last() + self.silence;
            match tokio::time::timeout_at(end, &mut answer).await {
                Ok(answer) => break answer,
                Err(_) if moved.last() + self.silence > end => {}
                Err(_) => {
                    let trouble = Trouble::Silent(self.silence);
                    return Err(HttpError::new(HttpErrorKind::Request, trouble));
                }
            }
        };
        // Every request of ours can be sent twice: it says the whole of what shall be.
        let answer = answer.map_err(|why| {
            let trouble = match why.is_connect() {
                true => Trouble::Unreachable(whole(&why)),
                false => Trouble::BrokenOff(whole(&why)),
            };
            HttpError::new(HttpErrorKind::Request, trouble)
        })?;
        if !answer.status().is_success() {
            return Err(self.refusal(answer).await);
        }
        Ok(answer.map(|body| {
            HttpResponseBody::new(Received {
                body,
                silence: self.silence,
                end: Box::pin(tokio::time::sleep(self.silence)),
                room: if is_content { u64::MAX } else { LONGEST_ANSWER },
            })
        }))
    }
}

/// When something of a request was last sent.
#[derive(Debug, Clone)]
struct Moved(Arc<Mutex<Instant>>);

impl Default for Moved {
    fn default() -> Self {
        Moved(Arc::new(Mutex::new(Instant::now())))
    }
}

impl Moved {
    fn note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn last(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is sent, piece by piece; the connection asks for the next one when it has sent the ones before.
#[derive(Debug)]
struct Sent {
    body: HttpRequestBody,
    moved: Moved,
}

impl Body for Sent {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        self.moved.note();
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What is received.
#[derive(Debug)]
struct Received {
    body: Incoming,
    silence: Duration,
    end: Pin<Box<Sleep>>,
    room: u64,
}

impl Body for Received {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let silence = self.silence;
        let failed = |trouble| Poll::Ready(Some(Err(HttpError::new(HttpErrorKind::Interrupted, trouble))));
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Pending => {
                ready!(self.end.as_mut().poll(context));
                failed(Trouble::Silent(silence))
            }
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Ready(Some(Err(why))) => failed(Trouble::BrokenOff(whole(&why))),
            Poll::Ready(Some(Ok(frame))) => {
                let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
                let Some(room) = self.room.checked_sub(bytes) else {
                    return failed(Trouble::Unclear("its answer has no end".to_owned()));
                };
                self.room = room;
                self.end.as_mut().reset(Instant::now() + silence);
                Poll::Ready(Some(Ok(frame)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An error with what it comes from, which the error itself does not say.
fn whole(why: &dyn std::error::Error) -> String {
    let mut text = why.to_string();
    let mut next = why.source();
    while let Some(source) = next {
        let source_text = source.to_string();
        if !text.contains(&source_text) {
            text.push_str(": ");
            text.push_str(&source_text);
        }
        next = source.source();
    }
    text
}
