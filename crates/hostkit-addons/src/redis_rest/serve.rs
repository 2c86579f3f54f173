//! The gateway: requests in, answers out.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use bytes::Bytes;
use hostkit_core::kind::Failure;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::header::{ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use redis::Value;
use serde_json::{Value as Json, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::access::{Directory, Server, Settings};
use super::commands::{Command, refuse};
use super::reply::{self, Form};
use super::request::{self, Call};
use super::stream;

/// The longest body of a request, in bytes: what Upstash takes.
const MAX_BODY: usize = 10 << 20;
/// How many connections there may be at once; more wait.
const MAX_CONNECTIONS: usize = 4096;
/// How long a client may take to send the head of a request.
const HEAD: Duration = Duration::from_secs(30);
/// How long it may take to send the body: it has a place that others of its project wait for.
const BODY: Duration = Duration::from_secs(60);

/// How long what is under way may take when the gateway ends: streams never end by themselves.
const DRAIN: Duration = Duration::from_secs(5);

/// The body of an answer.
pub(super) type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Answers requests for the Redis servers that its settings name. Clones are the same gateway.
#[derive(Clone, Default)]
pub struct Gateway {
    directory: Arc<RwLock<Arc<Directory>>>,
}

impl Gateway {
    /// One that knows nobody yet.
    pub fn new() -> Self {
        Gateway::default()
    }

    /// Goes by these settings from now on. Requests that are under way are finished by the old ones, streams of tokens
    /// that are gone go on until their client or their Redis ends them.
    pub fn apply(&self, settings: &Settings) -> Result<(), Failure> {
        let fresh = Directory::new(settings, &self.directory())?;
        *self
            .directory
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = Arc::new(fresh);
        Ok(())
    }

    fn directory(&self) -> Arc<Directory> {
        self.directory
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }

    /// Serves until `end` is there. Then it takes no more connections, and what is under way has a few seconds.
    pub async fn serve(&self, listener: TcpListener, end: impl Future<Output = ()>) {
        let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let (ending, ends) = watch::channel(false);
        let mut connections = tokio::task::JoinSet::new();
        let mut end = pin!(end);
        loop {
            tokio::select! {
                () = &mut end => break,
                Some(_) = connections.join_next() => {}
                accepted = accept(&listener, &room) => match accepted {
                    Ok((stream, place)) => {
                        let (gateway, ends) = (self.clone(), ends.clone());
                        connections.spawn(async move {
                            gateway.connection(stream, ends).await;
                            drop(place);
                        });
                    }
                    Err(why) => {
                        tracing::warn!(%why, "cannot take a connection");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
            }
        }
        drop(listener);
        ending.send_replace(true);
        let drained = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN, drained).await.is_err() {
            tracing::info!("what does not end by itself breaks off");
        }
    }

    async fn connection(&self, stream: TcpStream, mut ends: watch::Receiver<bool>) {
        let _ = stream.set_nodelay(true);
        let service =
            hyper::service::service_fn(|request| async { Ok::<_, Infallible>(self.answer(request).await) });
        let mut connection = pin!(
            hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD)
                .serve_connection(TokioIo::new(stream), service)
        );
        let ended = tokio::select! {
            ended = connection.as_mut() => Some(ended),
            _ = ends.wait_for(|end| *end) => None,
        };
        let served = match ended {
            Some(served) => served,
            None => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(why) = served {
            tracing::debug!(%why, "a connection ended early");
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        if ![Method::GET, Method::HEAD, Method::POST, Method::PUT].contains(request.method()) {
            let mut refusal = failed(StatusCode::METHOD_NOT_ALLOWED, "ERR method is not allowed");
            refusal
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST, PUT"));
            return refusal;
        }
        let (head, body) = request.into_parts();
        let query = head.uri.query().unwrap_or_default();
        let bearer = head
            .headers
            .get(AUTHORIZATION)
            .and_then(|value| bearer(value.as_bytes()));
        let token = bearer.or_else(|| request::token_of(query));
        let directory = self.directory();
        let Some(server) = token.and_then(|token| directory.find(&token).cloned()) else {
            return failed(
                StatusCode::UNAUTHORIZED,
                "WRONGPASS invalid or missing auth token",
            );
        };
        let form = match form(&head.headers) {
            Ok(form) => form,
            Err(why) => return failed(StatusCode::BAD_REQUEST, why),
        };
        let Some(_place) = server.share.request(body.size_hint().exact()).await else {
            return busy();
        };
        let whole = Limited::new(body, MAX_BODY).collect();
        let body = match tokio::time::timeout(BODY, whole).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(_)) => {
                return failed(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "ERR the request is longer than 10 MB, or broke off",
                );
            }
            Err(_) => return failed(StatusCode::REQUEST_TIMEOUT, "ERR the request does not end"),
        };
        match request::parse(head.uri.path(), query, &body) {
            Ok(call) => server.call(call, form).await,
            Err(why) => failed(StatusCode::BAD_REQUEST, &why),
        }
    }
}

/// The next connection, when there is room for it.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let place = room
        .clone()
        .acquire_owned()
        .await
        .map_err(std::io::Error::other)?;
    Ok((listener.accept().await?.0, place))
}

/// The token of `Bearer TOKEN`.
fn bearer(value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value).ok()?;
    let (scheme, token) = text.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim().to_owned())
}

/// How the answer is wanted.
fn form(headers: &hyper::HeaderMap) -> Result<Form, &'static str> {
    let asks = |name: &str, word: &str| {
        headers
            .get(name)
            .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(word.as_bytes()))
    };
    match (
        asks("upstash-encoding", "base64"),
        asks("upstash-response-format", "resp2"),
    ) {
        (true, true) => Err("ERR base64 and resp2 cannot be asked for together"),
        (true, false) => Ok(Form::Base64),
        (false, true) => Ok(Form::Resp2),
        (false, false) => Ok(Form::Text),
    }
}

impl Server {
    async fn call(&self, call: Call, form: Form) -> Response<Body> {
        match call {
            Call::One(command) => self.one(command, form).await,
            Call::Pipeline(commands) => self.pipeline(commands, form).await,
            Call::Transaction(_) if form == Form::Resp2 => {
                failed(StatusCode::BAD_REQUEST, "ERR multi-exec has no resp2 format")
            }
            Call::Transaction(commands) => self.transaction(commands, form).await,
            Call::Subscribe(channels) => stream::subscribe(self, channels).await,
            Call::PatternSubscribe(patterns) => stream::pattern_subscribe(self, patterns).await,
            Call::Monitor => stream::monitor(self).await,
        }
    }

    async fn one(&self, command: Command, form: Form) -> Response<Body> {
        if let Some(why) = refuse(&command) {
            return failed(StatusCode::BAD_REQUEST, &why);
        }
        let value = match self.run(vec![command], false).await {
            Ok(mut values) => values.pop().unwrap_or(Value::Nil),
            Err(why) => return lost(&why),
        };
        let status = match reply::error(&value) {
            Some(_) => StatusCode::BAD_REQUEST,
            None => StatusCode::OK,
        };
        match form {
            Form::Resp2 => raw(status, &[value]),
            form => written(status, &reply::answer(&value, form)),
        }
    }

    async fn pipeline(&self, commands: Vec<Command>, form: Form) -> Response<Body> {
        // What cannot be taken is answered in its place; the others are run.
        let refused: Vec<Option<String>> = commands.iter().map(refuse).collect();
        let taken: Vec<Command> = commands
            .into_iter()
            .zip(&refused)
            .filter(|(_, why)| why.is_none())
            .map(|(command, _)| command)
            .collect();
        let values = match self.run(taken, false).await {
            Ok(values) => values,
            Err(why) => return lost(&why),
        };
        if form == Form::Resp2 {
            if let Some(why) = refused.into_iter().flatten().next() {
                return failed(StatusCode::BAD_REQUEST, &why);
            }
            return raw(StatusCode::OK, &values);
        }
        let mut values = values.into_iter();
        let answers = refused.into_iter().map(|why| match why {
            Some(why) => json!({ "error": why }),
            None => reply::answer(&values.next().unwrap_or(Value::Nil), form),
        });
        written(StatusCode::OK, &Json::Array(answers.collect()))
    }

    async fn transaction(&self, commands: Vec<Command>, form: Form) -> Response<Body> {
        if let Some(why) = commands.iter().find_map(refuse) {
            return failed(StatusCode::BAD_REQUEST, &why);
        }
        match self.run(commands, true).await {
            Ok(values) => {
                let answers = values.iter().map(|value| reply::answer(value, form)).collect();
                written(StatusCode::OK, &Json::Array(answers))
            }
            Err(why) => lost(&why),
        }
    }

    /// What Redis says to each command; an error only where it says nothing to all of them.
    async fn run(&self, commands: Vec<Command>, atomic: bool) -> redis::RedisResult<Vec<Value>> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipeline = redis::Pipeline::with_capacity(commands.len());
        if atomic {
            pipeline.atomic();
        }
        for mut words in commands {
            self.scripts.translate(&mut words);
            let mut command = redis::Cmd::new();
            words.iter().for_each(|word| {
                command.arg(word.as_slice());
            });
            pipeline.add_command(command);
        }
        pipeline.ignore_errors();
        match pipeline.query_async(&mut self.commands.clone()).await? {
            Value::Array(values) => Ok(values),
            other => Ok(vec![other]),
        }
    }
}

/// An answer for a Redis that refused everything, or that cannot be reached.
pub(super) fn lost(why: &redis::RedisError) -> Response<Body> {
    match (why.code(), why.detail()) {
        (Some(code), Some(detail)) => failed(StatusCode::BAD_REQUEST, &format!("{code} {detail}")),
        (Some(code), None) => failed(StatusCode::BAD_REQUEST, code),
        (None, _) => {
            tracing::warn!(%why, "a Redis cannot be spoken to");
            failed(StatusCode::SERVICE_UNAVAILABLE, "ERR the Redis does not answer")
        }
    }
}

/// An answer for one whose project has all that it may have of the gateway.
pub(super) fn busy() -> Response<Body> {
    let mut refusal = failed(
        StatusCode::TOO_MANY_REQUESTS,
        "ERR max concurrent requests exceeded",
    );
    refusal
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from_static("1"));
    refusal
}

fn failed(status: StatusCode, why: &str) -> Response<Body> {
    written(status, &json!({ "error": why }))
}

fn written(status: StatusCode, answer: &Json) -> Response<Body> {
    respond(status, "application/json", answer.to_string().into())
}

fn raw(status: StatusCode, values: &[Value]) -> Response<Body> {
    let mut out = Vec::new();
    values.iter().for_each(|value| reply::resp2(value, &mut out));
    respond(status, "application/octet-stream", out.into())
}

fn respond(status: StatusCode, kind: &'static str, bytes: Bytes) -> Response<Body> {
    let mut response = Response::new(Full::new(bytes).boxed_unsync());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
