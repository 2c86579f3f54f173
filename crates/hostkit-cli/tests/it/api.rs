//! An API that answers as told, on the unix socket of a data folder of its own, and the command line beside it.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde_json::Value;

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// One request, as it came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) token: Option<String>,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// One answer.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    Json(u16, Value),
    Text(String),
    /// Lines; then the end, or silence.
    Lines(Vec<Value>, End),
    /// A WebSocket that runs a command: prints its first argument, then everything it is sent, and exits.
    Socket(i32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Closes,
    Hangs,
}

impl Reply {
    pub(crate) fn json<T: Serialize>(value: T) -> Self {
        Reply::Json(200, serde_json::to_value(value).unwrap())
    }

    pub(crate) fn failure(status: u16, code: &str, message: &str, hint: &str) -> Self {
        Reply::Json(
            status,
            serde_json::json!({ "error": { "code": code, "message": message, "hint": hint } }),
        )
    }
}

type Answers = Arc<Mutex<HashMap<(Method, String), Vec<Reply>>>>;

/// The API and its data folder.
pub(crate) struct Api {
    folder: tempfile::TempDir,
    answers: Answers,
    asked: Arc<Mutex<Vec<Asked>>>,
    _runtime: tokio::runtime::Runtime,
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    pub(crate) fn of(output: Output) -> Self {
        Said {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self:#?}");
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

impl Api {
    pub(crate) fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("hk-test-cli-").tempdir().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir_all(data.join("run")).unwrap();
        std::fs::create_dir_all(folder.path().join("work")).unwrap();
        std::fs::write(data.join("token"), "hk_token\n").unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (answers, asked) = (Answers::default(), Arc::default());
        let listener = {
            let _inside = runtime.enter();
            tokio::net::UnixListener::bind(data.join("run/control.sock")).unwrap()
        };
        runtime.spawn(serve(listener, Arc::clone(&answers), Arc::clone(&asked)));
        Api {
            folder,
            answers,
            asked,
            _runtime: runtime,
        }
    }

    /// Tells what is answered to a request. Told again, it is what comes after; the last one stays.
    pub(crate) fn on(&self, method: &str, path: &str, reply: Reply) -> &Self {
        let key = (method.parse().unwrap(), format!("/api/{path}"));
        self.answers.lock().unwrap().entry(key).or_default().push(reply);
        self
    }

    /// Every request so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The requests to one path.
    pub(crate) fn asked_for(&self, method: &str, path: &str) -> Vec<Asked> {
        let path = format!("/api/{path}");
        self.asked()
            .into_iter()
            .filter(|a| a.method == method && a.path == path)
            .collect()
    }

    /// The folder that commands run in.
    /// The data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.work().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(self.folder.path(), arguments);
        command
            .current_dir(self.work())
            .env("HOSTKIT_DATA", self.folder.path().join("data"));
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        Said::of(self.command(arguments).output().unwrap())
    }

    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &str) -> Said {
        let mut child: Child = self.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        let (mut stdin, input) = (child.stdin.take().unwrap(), input.to_owned());
        // Written beside the reading: a command that echoes stops reading when nobody reads what it prints.
        let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
        let said = Said::of(child.wait_with_output().unwrap());
        writer.join().unwrap().ok();
        said
    }
}

/// The command line with an environment that is the same everywhere.
pub(crate) fn command(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hostkit-cli"));
    command
        .args(arguments)
        .env_clear()
        .env("HOME", home)
        .env("TZ", "UTC")
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

async fn serve(listener: tokio::net::UnixListener, answers: Answers, asked: Arc<Mutex<Vec<Asked>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (answers, asked) = (Arc::clone(&answers), Arc::clone(&asked));
        let service = service_fn(move |request| {
            let (answers, asked) = (Arc::clone(&answers), Arc::clone(&asked));
            async move { Ok::<_, Infallible>(answer(request, &answers, &asked).await) }
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        tokio::spawn(connection);
    }
}

async fn answer(
    mut request: Request<Incoming>,
    answers: &Answers,
    asked: &Mutex<Vec<Asked>>,
) -> Response<Body> {
    let upgrade = hyper::upgrade::on(&mut request);
    let (head, body) = request.into_parts();
    let header = |name: &str| {
        head.headers
            .get(name)
            .and_then(|v| v.to_str().ok())
            .map(str::to_owned)
    };
    let key = (head.method.clone(), head.uri.path().to_owned());
    // A body that breaks off is recorded as far as it came.
    let body = body
        .collect()
        .await
        .map(|b| b.to_bytes().to_vec())
        .unwrap_or_default();
    asked.lock().unwrap().push(Asked {
        method: head.method.clone(),
        path: key.1.clone(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        token: header("authorization"),
        body,
    });
    let reply = answers
        .lock()
        .unwrap()
        .get_mut(&key)
        .and_then(|replies| match replies.len() {
            0 => None,
            1 => replies.first().cloned(),
            _ => Some(replies.remove(0)),
        });
    match reply {
        None => respond(
            404,
            error("not_found", &format!("cannot find `{} {}`", key.0, key.1)),
        ),
        Some(Reply::Json(status, value)) => respond(status, value.to_string()),
        Some(Reply::Text(text)) => respond(200, text),
        Some(Reply::Lines(lines, end)) => {
            let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
            let first = futures_util::stream::iter([Ok::<_, Infallible>(Frame::data(Bytes::from(text)))]);
            let body = match end {
                End::Closes => StreamBody::new(first).boxed_unsync(),
                End::Hangs => StreamBody::new(futures_util::StreamExt::chain(
                    first,
                    futures_util::stream::pending(),
                ))
                .boxed_unsync(),
            };
            Response::new(body)
        }
        Some(Reply::Socket(code)) => {
            let key = header("sec-websocket-key").unwrap();
            tokio::spawn(async move { crate::run::play_command(upgrade.await.unwrap(), code).await });
            let accept = tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.as_bytes());
            let mut response = respond(101, String::new());
            for (name, value) in [
                ("connection", "upgrade"),
                ("upgrade", "websocket"),
                ("sec-websocket-accept", &accept),
            ] {
                response.headers_mut().insert(name, value.parse().unwrap());
            }
            response
        }
    }
}

fn error(code: &str, message: &str) -> String {
    serde_json::json!({ "error": { "code": code, "message": message } }).to_string()
}

fn respond(status: u16, text: String) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from(text)).boxed_unsync());
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}
