//! The request log: one JSON object a line. Threads collect lines and hand them over in pieces; when the disk does
//! not keep up, lines are dropped and counted, never waited for.

mod writer;

use std::io::Write;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub(crate) use writer::start;

use crate::exchange::Exchange;
use crate::forward::trace;

/// How many bytes a thread collects before it hands them over.
const PIECE: usize = 64 * 1024;

/// The way to the writer.
#[derive(Clone)]
pub(crate) struct LogSink {
    pieces: SyncSender<Piece>,
    sample: Sample,
    /// Lines that were dropped since the log said so.
    dropped: Arc<AtomicU64>,
    /// Lines that were dropped since the start.
    lost: Arc<AtomicU64>,
}

/// Which requests are written.
#[derive(Clone, Copy)]
struct Sample {
    one_of: NonZeroU32,
    slow: Duration,
}

impl LogSink {
    /// How many lines were dropped since the start.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

/// Lines of one thread.
pub(crate) struct Piece {
    bytes: Vec<u8>,
    /// Where the memory goes when they are written.
    home: SyncSender<Vec<u8>>,
}

/// Lines of one thread that were not handed over yet.
pub(crate) struct LogBuffer {
    sink: Option<LogSink>,
    bytes: Vec<u8>,
    /// Memory of pieces that were written. A thread that is busy fills the same two pieces in turn: memory that is
    /// returned to the system and taken again costs a page fault for every dozen lines.
    spare: Receiver<Vec<u8>>,
    home: SyncSender<Vec<u8>>,
    lines: u64,
    /// How many requests went well since one of them was written.
    unwritten: u32,
    /// The same moment by both clocks: only one of them is read for a request.
    start: (Duration, Instant),
    second: u64,
    /// How a line of the current second begins, made once.
    stamp: String,
}

impl LogBuffer {
    /// An empty buffer.
    pub(crate) fn new(sink: Option<LogSink>) -> Self {
        let (home, spare) = sync_channel(1);
        LogBuffer {
            sink,
            bytes: Vec::new(),
            spare,
            home,
            lines: 0,
            unwritten: 0,
            start: start_of_time(),
            second: u64::MAX,
            stamp: String::new(),
        }
    }

    /// Notes a finished exchange.
    pub(crate) fn write(&mut self, exchange: &Exchange, now: Instant) {
        let Some(sample) = self.sink.as_ref().map(|sink| sink.sample) else {
            return;
        };
        if sample.one_of > NonZeroU32::MIN && !self.is_drawn(sample, exchange, now) {
            return;
        }
        self.line(exchange, now);
        self.lines += 1;
        if self.bytes.len() >= PIECE {
            self.flush();
        }
    }

    /// Whether a request is written although not all are.
    fn is_drawn(&mut self, sample: Sample, exchange: &Exchange, now: Instant) -> bool {
        let went_well = (200..400).contains(&exchange.status) && !exchange.broken;
        if !went_well || now.saturating_duration_since(exchange.began) >= sample.slow {
            return true;
        }
        self.unwritten = (self.unwritten + 1) % sample.one_of;
        self.unwritten == 0
    }

    /// Hands over what there is.
    pub(crate) fn flush(&mut self) {
        let Some(sink) = &self.sink else { return };
        if self.bytes.is_empty() {
            return;
        }
        let lines = std::mem::take(&mut self.lines);
        let spare = self.spare.try_recv().unwrap_or_default();
        // A thread that has little to say any more does not keep what it needed once.
        let fits = spare.capacity() / 8 <= self.bytes.len();
        let bytes = std::mem::replace(&mut self.bytes, if fits { spare } else { Vec::new() });
        let home = self.home.clone();
        if sink.pieces.try_send(Piece { bytes, home }).is_err() {
            sink.dropped.fetch_add(lines, Ordering::Relaxed);
            sink.lost.fetch_add(lines, Ordering::Relaxed);
        }
    }

    fn line(&mut self, exchange: &Exchange, ended: Instant) {
        let mut now = self.start.0 + ended.saturating_duration_since(self.start.1);
        if now.as_secs() != self.second {
            // Once a second the real time is asked, so that a clock that is set shows.
            self.start = start_of_time();
            now = self.start.0;
            self.second = now.as_secs();
            self.stamp = stamp(now);
        }
        let out = &mut self.bytes;
        out.extend_from_slice(self.stamp.as_bytes());
        out.extend_from_slice(&three_digits(now.subsec_millis()));
        out.extend_from_slice(b"Z\",\"id\":\"");
        out.extend_from_slice(exchange.id.as_bytes());
        if let Some(parent) = &exchange.trace {
            out.extend_from_slice(b"\",\"trace\":\"");
            out.extend_from_slice(trace::id(parent));
        }
        out.extend_from_slice(b"\",");
        if let Some(route) = &exchange.route {
            out.extend_from_slice(route.log_part.as_bytes());
        }
        if let Some(lease) = &exchange.lease {
            out.extend_from_slice(lease.in_flight.backend().log_part.as_bytes());
        } else if let Some(backend) = &exchange.backend {
            out.extend_from_slice(backend.log_part.as_bytes());
        }
        // Neither a method nor a checked host can hold what must be escaped.
        out.extend_from_slice(b"\"method\":\"");
        out.extend_from_slice(exchange.method.as_str().as_bytes());
        if let Some(host) = &exchange.host {
            out.extend_from_slice(b"\",\"host\":\"");
            out.extend_from_slice(host.value.as_bytes());
        }
        out.extend_from_slice(b"\",\"path\":");
        text(out, exchange.uri.path().as_bytes());
        if let Some(query) = exchange.uri.query() {
            // Queries carry tokens: only their length is noted.
            number(out, b",\"query_bytes\":", query.len() as u64);
        }
        number(out, b",\"status\":", u64::from(exchange.status));
        number(out, b",\"bytes_in\":", exchange.received());
        number(out, b",\"bytes_out\":", exchange.sent);
        millis(out, b",\"ms\":", ended.saturating_duration_since(exchange.began));
        if let Some(upstream) = exchange.upstream {
            millis(out, b",\"upstream_ms\":", upstream);
        }
        if exchange.stream.is_some() {
            out.extend_from_slice(b",\"protocol\":\"h2\"");
        }
        if exchange.client.is_tls() {
            out.extend_from_slice(b",\"tls\":true");
        }
        if let Some(result) = exchange.cache {
            out.extend_from_slice(b",\"cache\":\"");
            out.extend_from_slice(result.name().as_bytes());
            out.push(b'"');
        }
        if exchange.broken {
            out.extend_from_slice(b",\"broken\":true");
        }
        out.extend_from_slice(b",\"client\":\"");
        out.extend_from_slice(exchange.client.peer.as_bytes());
        out.extend_from_slice(b"\"}\n");
    }
}

fn start_of_time() -> (Duration, Instant) {
    (
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
        Instant::now(),
    )
}

/// How a line begins in a second: `{"time":"2026-11-20T12:00:00.`.
fn stamp(since_epoch: Duration) -> String {
    jiff::Timestamp::from_second(since_epoch.as_secs().try_into().unwrap_or_default()).map_or_else(
        |_| String::from("{\"time\":\""),
        |time| time.strftime("{\"time\":\"%Y-%m-%dT%H:%M:%S.").to_string(),
    )
}

/// A part of a line that is made once: `"name":"value",`.
pub(crate) fn field(name: &str, value: &str) -> String {
    let mut out = format!("\"{name}\":").into_bytes();
    text(&mut out, value.as_bytes());
    out.push(b',');
    // What `text` writes is ASCII.
    String::from_utf8(out).unwrap_or_default()
}

/// A JSON string of bytes that need not be UTF-8.
fn text(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    // Without a way out in the middle the compiler looks at many bytes at once.
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') & (*byte != b'"') & (*byte != b'\\');
    if bytes.iter().fold(true, |all, byte| all & is_plain(byte)) {
        out.extend_from_slice(bytes);
    } else {
        for byte in bytes {
            match byte {
                b'"' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
                b' '..=b'~' => out.push(*byte),
                // Written as the character of the same number: it keeps the byte readable and the line valid.
                other => drop(write!(out, "\\u{other:04x}")),
            }
        }
    }
    out.push(b'"');
}

/// The lowest three digits.
fn three_digits(value: u32) -> [u8; 3] {
    [value / 100 % 10, value / 10 % 10, value % 10].map(|digit| b'0' + digit as u8)
}

/// The length of the name is part of the type, so that it is copied without a call.
fn number<const N: usize>(out: &mut Vec<u8>, name: &[u8; N], value: u64) {
    out.extend_from_slice(name);
    match value {
        0..10 => out.push(b'0' + value as u8),
        100..1000 => out.extend_from_slice(&three_digits(value as u32)),
        _ => {
            let mut digits = [0u8; 20];
            let mut at = digits.len();
            let mut rest = value;
            while rest > 0 {
                at -= 1;
                digits[at] = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
            out.extend_from_slice(&digits[at..]);
        }
    }
}

/// Milliseconds with two decimals.
fn millis<const N: usize>(out: &mut Vec<u8>, name: &[u8; N], time: Duration) {
    let hundredths = time.as_micros() as u64 / 10;
    number(out, name, hundredths / 100);
    let [_, tens, ones] = three_digits((hundredths % 100) as u32);
    out.extend_from_slice(&[b'.', tens, ones]);
}

#[cfg(test)]
mod tests;
