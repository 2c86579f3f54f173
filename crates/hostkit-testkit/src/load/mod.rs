//! Steady load on one project, with a count of everything that was not answered as it should.

mod connection;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use http_body_util::BodyExt;

use crate::http::Place;
use connection::{Kept, Protocol, Server, was_not_served};

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
        Self::begin(place.into(), host, path, per_second, false)
    }

    /// The same over TLS, half of it by HTTP/2. Whatever certificate is shown is trusted.
    pub fn start_tls(place: impl Into<Place>, host: &str, path: &str, per_second: u32) -> Self {
        Self::begin(place.into(), host, path, per_second, true)
    }

    fn begin(place: Place, host: &str, path: &str, per_second: u32, is_tls: bool) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = stop.clone();
        let server = Server {
            address: place.address,
            host: host.to_owned(),
            path: path.to_owned(),
            is_tls,
        };
        let thread = std::thread::spawn(move || {
            if let Some(network) = &place.network {
                network.enter();
            }
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime can be made");
            runtime.block_on(send(server, per_second, seen))
        });
        Load { stop, thread }
    }

    /// Stops and reports.
    pub fn finish(self) -> Report {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the load does not panic")
    }
}

async fn send(server: Server, per_second: u32, stop: Arc<AtomicBool>) -> Report {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let mut tick = tokio::time::interval(Duration::from_secs(1) / per_second);
    let (server, kept) = (Arc::new(server), Arc::new(Kept::default()));
    let mut tasks = tokio::task::JoinSet::new();
    let mut number = 0u64;
    while !stop.load(Ordering::Relaxed) {
        tick.tick().await;
        number += 1;
        let (sender, server, kept) = (sender.clone(), server.clone(), kept.clone());
        let fresh = number.is_multiple_of(2);
        let protocol = match server.is_tls && number % 4 < 2 {
            true => Protocol::Http2,
            false => Protocol::Http1,
        };
        tasks.spawn(async move {
            let started = Instant::now();
            let again = AtomicBool::new(false);
            let asked = one(&server, protocol, fresh, &kept, &again);
            let result = tokio::time::timeout(Duration::from_secs(60), asked).await;
            let result = result.unwrap_or_else(|_| Err("no answer within 60 s".into()));
            let result = result.map_err(|why| match (server.is_tls, fresh) {
                (false, _) => why,
                (true, true) => format!("{why} (new connection, {protocol:?})"),
                (true, false) => format!("{why} (kept connection, {protocol:?})"),
            });
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
/// new one, as every browser does, and `again` says so.
async fn one(
    server: &Server,
    protocol: Protocol,
    fresh: bool,
    kept: &Kept,
    again: &AtomicBool,
) -> Result<String, String> {
    let pooled = if fresh { None } else { kept.take(protocol).await };
    let was_kept = pooled.is_some();
    let open = async || {
        let connection = server.connect(protocol).await?;
        if !fresh {
            kept.share(&connection);
        }
        Ok::<_, String>(connection)
    };
    let mut connection = match pooled {
        Some(pooled) => pooled,
        None => open().await?,
    };
    let mut answer = connection.send(server.request(protocol)?).await;
    if was_kept && answer.as_ref().is_err_and(was_not_served) {
        again.store(true, Ordering::Relaxed);
        connection = open().await?;
        answer = connection.send(server.request(protocol)?).await;
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
        kept.put(connection);
    }
    Ok(release)
}
