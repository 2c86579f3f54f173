//! Steady load on one project, with a count of everything that was not answered as it should.

use std::io::ErrorKind;
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
    /// Those that failed.
    pub failures: Vec<Lost>,
    /// How many were sent once more: their connection had been kept, and closed before a word of the answer came.
    pub resent: u64,
    /// The time of the one that took longest.
    pub slowest: Duration,
    /// Answers by the release that gave them.
    pub releases: std::collections::BTreeMap<String, u64>,
}

/// A request without a good answer.
#[derive(Debug)]
pub struct Lost {
    started: Instant,
    ended: Instant,
    /// Why it failed.
    pub reason: String,
}

/// The time in which a process died.
#[derive(Debug, Clone, Copy)]
pub struct Death {
    /// When it was told to.
    pub from: Instant,
    /// When it was seen to be gone.
    pub until: Instant,
}

impl Report {
    /// Fails unless every request that was lost was under way when a process died: nobody but that process knew of
    /// them. How many those are is the load's affair, so no number is allowed for; what began afterwards is answered,
    /// all of it, and nobody was refused a connection. The result is a sentence on what was lost.
    #[track_caller]
    pub fn assert_lost_only_in_flight(&self, deaths: &[Death]) -> String {
        let in_flight = |lost: &&Lost| {
            let at = |death: &Death| lost.started <= death.until && lost.ended >= death.from;
            deaths.iter().any(at)
        };
        let (with_it, others): (Vec<&Lost>, Vec<&Lost>) = self.failures.iter().partition(in_flight);
        assert!(
            others.is_empty(),
            "lost without having been in flight: {others:#?}"
        );
        let is_refused = |lost: &&&Lost| lost.reason.starts_with("connect");
        let refused: Vec<&&Lost> = with_it.iter().filter(is_refused).collect();
        assert!(refused.is_empty(), "{refused:#?}");
        format!(
            "{} deaths: {} requests, {} lost in flight, {} sent again, slowest {:?}",
            deaths.len(),
            self.requests,
            with_it.len(),
            self.resent,
            self.slowest
        )
    }
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
            let again = AtomicBool::new(false);
            let asked = one(address, &host, &path, fresh, &pool, &again);
            let result = tokio::time::timeout(Duration::from_secs(60), asked).await;
            let result = result.unwrap_or_else(|_| Err("no answer within 60 s".into()));
            sender
                .send((result, again.into_inner(), started, Instant::now()))
                .ok();
        });
    }
    while tasks.join_next().await.is_some() {}
    drop(sender);
    let mut report = Report::default();
    while let Some((result, again, started, ended)) = receiver.recv().await {
        report.requests += 1;
        report.resent += u64::from(again);
        report.slowest = report.slowest.max(ended - started);
        match result {
            Ok(release) => *report.releases.entry(release).or_default() += 1,
            Err(reason) => report.failures.push(Lost {
                started,
                ended,
                reason,
            }),
        }
    }
    report
}

/// One request. Where a connection that was kept is closed before a word of the answer came, it is sent once more on a
/// new one, as every browser does (RFC 9112, 9.3.1), and `again` says so.
async fn one(
    address: SocketAddr,
    host: &str,
    path: &str,
    fresh: bool,
    pool: &Pool,
    again: &AtomicBool,
) -> Result<String, String> {
    let idle = || pool.lock().unwrap_or_else(PoisonError::into_inner);
    let pooled = if fresh { None } else { idle().pop() };
    let mut kept = None;
    if let Some(mut pooled) = pooled
        && pooled.ready().await.is_ok()
    {
        kept = Some(pooled);
    }
    let was_kept = kept.is_some();
    let mut connection = match kept {
        Some(kept) => kept,
        None => connect(address).await?,
    };
    let mut answer = connection.send_request(request(host, path)?).await;
    if was_kept && answer.as_ref().is_err_and(is_closed) {
        again.store(true, Ordering::Relaxed);
        connection = connect(address).await?;
        answer = connection.send_request(request(host, path)?).await;
    }
    let answer = answer.map_err(|e| format!("request: {e:?}"))?;
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

fn is_closed(error: &hyper::Error) -> bool {
    let reset = std::error::Error::source(error)
        .and_then(|source| source.downcast_ref::<std::io::Error>())
        .is_some_and(|e| matches!(e.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe));
    reset || error.is_canceled() || error.is_closed() || error.is_incomplete_message()
}

fn request(host: &str, path: &str) -> Result<Request<Empty<Bytes>>, String> {
    Request::get(path)
        .header("host", host)
        .body(Empty::new())
        .map_err(|e| format!("request: {e}"))
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
