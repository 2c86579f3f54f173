//! A backend that reads as strictly as the standard allows: what is open to two readings is none for it.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::support::PATIENCE;

/// What came in.
#[derive(Debug, Default, Clone)]
pub(super) struct Record {
    /// Targets of requests that were read whole.
    pub(super) whole: Vec<String>,
    /// Heads that are open to two readings.
    pub(super) ambiguous: Vec<String>,
}

/// What the backend says to a target: the bytes, and whether the connection is closed behind them.
pub(super) type Say = Arc<dyn Fn(&str, &str) -> (Vec<u8>, bool) + Send + Sync>;

/// `ok` to everything.
pub(super) fn fine() -> Say {
    Arc::new(|method, _| {
        let body = if method == "HEAD" { "" } else { "ok" };
        (
            format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{body}").into_bytes(),
            false,
        )
    })
}

/// A backend on a loopback port, one thread per connection, until the test ends.
pub(super) fn on_tcp(say: Say) -> (std::net::SocketAddr, Arc<Mutex<Record>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let record = Arc::new(Mutex::new(Record::default()));
    let noted = Arc::clone(&record);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            stream.set_read_timeout(Some(PATIENCE * 2)).ok();
            serve(stream, &noted, &say);
        }
    });
    (address, record)
}

/// A backend on a unix socket.
pub(super) fn on_unix(path: &Path, say: Say) -> Arc<Mutex<Record>> {
    let listener = UnixListener::bind(path).unwrap();
    let record = Arc::new(Mutex::new(Record::default()));
    let noted = Arc::clone(&record);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            stream.set_read_timeout(Some(PATIENCE * 2)).ok();
            serve(stream, &noted, &say);
        }
    });
    record
}

fn serve(mut stream: impl Read + Write + Send + 'static, record: &Arc<Mutex<Record>>, say: &Say) {
    let (record, say) = (Arc::clone(record), Arc::clone(say));
    std::thread::spawn(move || {
        while let Some((method, target)) = request(&mut stream, &record) {
            let (bytes, closes) = say(&method, &target);
            if stream.write_all(&bytes).is_err() || closes {
                return;
            }
        }
    });
}

/// Reads a request whole and notes it; nothing where it ends early or is none.
fn request(stream: &mut impl Read, record: &Mutex<Record>) -> Option<(String, String)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(byte(stream)?);
    }
    let text: String = head.iter().map(|byte| char::from(*byte)).collect();
    let Some((method, target, framing)) = parse(&text) else {
        record.lock().unwrap().ambiguous.push(text);
        return None;
    };
    match framing {
        Framing::Length(length) => skip(stream, length)?,
        Framing::Chunks => loop {
            let size = usize::from_str_radix(&line(stream)?, 16).ok()?;
            if size == 0 {
                while !line(stream)?.is_empty() {}
                break;
            }
            skip(stream, size)?;
            if !line(stream)?.is_empty() {
                return None;
            }
        },
    }
    record.lock().unwrap().whole.push(target.clone());
    Some((method, target))
}

enum Framing {
    Length(usize),
    Chunks,
}

fn parse(head: &str) -> Option<(String, String, Framing)> {
    let mut lines = head.strip_suffix("\r\n\r\n")?.split("\r\n");
    let words: Vec<&str> = lines.next()?.split(' ').collect();
    let [method, target, version @ ("HTTP/1.0" | "HTTP/1.1")] = words[..] else {
        return None;
    };
    let (mut hosts, mut lengths, mut codings) = (0, Vec::new(), Vec::new());
    for line in lines {
        let (name, value) = line.split_once(':')?;
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        let is_text = |c: char| c == '\t' || !c.is_control() || u32::from(c) >= 0x80;
        if name.is_empty() || !name.chars().all(is_token) || !value.chars().all(is_text) {
            return None;
        }
        let value = value.trim_matches([' ', '\t']);
        match name.to_ascii_lowercase().as_str() {
            "host" => hosts += 1,
            "content-length" => lengths.push(value),
            "transfer-encoding" => codings.push(value),
            _ => {}
        }
    }
    let framing = match (&lengths[..], &codings[..]) {
        ([], []) => Framing::Length(0),
        ([length], []) if length.bytes().all(|byte| byte.is_ascii_digit()) => {
            Framing::Length(length.parse().ok()?)
        }
        ([], [coding]) if coding.eq_ignore_ascii_case("chunked") && version == "HTTP/1.1" => Framing::Chunks,
        _ => return None,
    };
    ((hosts == 1 || version == "HTTP/1.0" && hosts == 0) && !head.contains('\0'))
        .then(|| (method.into(), target.into(), framing))
}

fn byte(stream: &mut impl Read) -> Option<u8> {
    let mut byte = [0];
    stream.read_exact(&mut byte).ok()?;
    Some(byte[0])
}

fn skip(stream: &mut impl Read, length: usize) -> Option<()> {
    stream.read_exact(&mut vec![0; length.min(1 << 20)]).ok()
}

fn line(stream: &mut impl Read) -> Option<String> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        line.push(byte(stream)?);
    }
    line.truncate(line.len() - 2);
    String::from_utf8(line).ok()
}
