//! Steady load on one project, with a count of everything that was not answered as it should.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;

use crate::http::Place;

type Pool = Mutex<Vec<SendRequest<Empty<Bytes>>>>;

/// What the load saw.
#[derive(Debug, Default)]
pub struct Report {
    /// How many were sent.
    pub requests: u64,
    /// Why each that failed did.
    pub failures: Vec<String>,
    /// The time of the one that took longest.
    pub slowest: Duration,
    /// Answers by the release that gave them.
    pub releases: std::collections::BTreeMap<String, u64>,
}

/// Load that runs until it is stopped.
pub struct Load {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<Report>,
}

impl Load {
    /// Sends `per_second` requests over keep-alive connections, half of them also over new connections.
    pub fn start(place: impl Into<Place>, host: &str, path: &str, per_second: u32) -> Self {
        let place = place.into();
        let stop = Arc::new(AtomicBool::new(false));
        let (seen, host, path) = (stop.clone(), host.to_owned(), path.to_owned());
        let thread = std::thread::spawn(move || {
            if let Some(network) = &place.network {
                network.enter();
            }
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime can be made");
            runtime.block_on(send(place.address, host, path, per_second, seen))
        });
        Load { stop, thread }
    }

    /// Stops and reports.
    pub fn finish(self) -> Report {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the load does not panic")
    }
}

async fn send(
    address: SocketAddr,
    host: String,
    path: String,
    per_second: u32,
    stop: Arc<AtomicBool>,
) -> Report {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let mut tick = tokio::time::interval(Duration::from_secs(1) / per_second);
    let pool: Arc<Pool> = Arc::default();
    let mut tasks = tokio::task::JoinSet::new();
    let mut number = 0u64;
    while !stop.load(Ordering::Relaxed) {
        tick.tick().await;
        number += 1;
        let (sender, pool, host, path) = (sender.clone(), pool.clone(), host.clone(), path.clone());
        let fresh = number.is_multiple_of(2);
        tasks.spawn(async move {
            let started = Instant::now();
            let result =
                tokio::time::timeout(Duration::from_secs(60), one(address, &host, &path, fresh, &pool)).await;
            let result = result.unwrap_or_else(|_| Err("no answer within 60 s".into()));
            sender.send((result, started.elapsed())).ok();
        });
    }
    while tasks.join_next().await.is_some() {}
    drop(sender);
    let mut report = Report::default();
    while let Some((result, time)) = receiver.recv().await {
        report.requests += 1;
        report.slowest = report.slowest.max(time);
        match result {
            Ok(release) => *report.releases.entry(release).or_default() += 1,
            Err(reason) => report.failures.push(reason),
        }
    }
    report
}

async fn one(
    address: SocketAddr,
    host: &str,
    path: &str,
    fresh: bool,
    pool: &Pool,
) -> Result<String, String> {
    let idle = || pool.lock().unwrap_or_else(PoisonError::into_inner);
    let pooled = if fresh { None } else { idle().pop() };
    let mut connection = match pooled {
        Some(mut pooled) => match pooled.ready().await {
            Ok(()) => pooled,
            Err(_) => connect(address).await?,
        },
        None => connect(address).await?,
    };
    let request = Request::get(path)
        .header("host", host)
        .body(Empty::new())
        .map_err(|e| format!("request: {e}"))?;
    let answer = connection
        .send_request(request)
        .await
        .map_err(|e| format!("request: {e:?}"))?;
    let status = answer.status();
    let release = answer
        .headers()
        .get("x-hostkit-release")
        .and_then(|v| v.to_str().ok())
        .unwrap_or("none")
        .to_owned();
    let body = answer
        .into_body()
        .collect()
        .await
        .map_err(|e| format!("body: {e:?}"))?
        .to_bytes();
    if !status.is_success() {
        return Err(format!(
            "{status}: {}",
            String::from_utf8_lossy(&body[..body.len().min(200)])
        ));
    }
    if !fresh {
        idle().push(connection);
    }
    Ok(release)
}

async fn connect(address: SocketAddr) -> Result<SendRequest<Empty<Bytes>>, String> {
    let stream = tokio::net::TcpStream::connect(address)
        .await
        .map_err(|e| format!("connect: {e}"))?;
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|e| format!("handshake: {e}"))?;
    tokio::spawn(connection);
    Ok(sender)
}
