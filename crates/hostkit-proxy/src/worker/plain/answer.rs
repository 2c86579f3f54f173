//! Writing the head of an answer as hyper writes it, where it is one about which nothing is to be decided.

use std::cell::RefCell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::response::Parts;
use http::{StatusCode, Version, header};
use hyper::body::Body;

use crate::body::AnswerBody;
use crate::plain::head::digits;

/// Room for what most heads have, so that it grows once.
const ROOM: usize = 768;

/// Writes a head into `out`, which is empty, and says how long the body is. Nothing, and only a part of the head, where the
/// answer is hyper's. `closes`: the connection is closed behind it.
pub(super) fn write(out: &mut Vec<u8>, parts: &Parts, body: &AnswerBody, closes: bool) -> Option<u64> {
    let length = body.size_hint().exact()?;
    let is_empty = body.is_end_stream();
    if parts.version != Version::HTTP_11 || !parts.extensions.is_empty() || is_bodiless(parts.status) {
        return None;
    }
    out.reserve(ROOM);
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(parts.status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(parts.status.canonical_reason()?.as_bytes());
    out.extend_from_slice(b"\r\n");
    let mut says_length = false;
    let mut says_date = false;
    for (name, value) in &parts.headers {
        match *name {
            header::TRANSFER_ENCODING | header::CONNECTION | header::UPGRADE | header::TRAILER => {
                return None;
            }
            header::CONTENT_LENGTH => {
                if says_length || digits(value.as_bytes())? != length {
                    return None;
                }
                if is_empty {
                    // Said below.
                    continue;
                }
                says_length = true;
            }
            header::DATE => says_date = true,
            _ => {}
        }
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    if closes {
        out.extend_from_slice(b"connection: close\r\n");
    }
    if !says_length {
        out.extend_from_slice(b"content-length: ");
        out.extend_from_slice(length.to_string().as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    if !says_date {
        write_date(out);
    }
    out.extend_from_slice(b"\r\n");
    Some(length)
}

/// Whether such an answer has no body, whatever its headers say, or none that can be told here.
fn is_bodiless(status: StatusCode) -> bool {
    status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// The time of day as a line of a head, made once a second.
fn write_date(out: &mut Vec<u8>) {
    thread_local! {
        static DATE: RefCell<(u64, String)> = const { RefCell::new((0, String::new())) };
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    DATE.with_borrow_mut(|(second, line)| {
        if *second != now {
            let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(now));
            (*second, *line) = (now, format!("date: {date}\r\n"));
        }
        out.extend_from_slice(line.as_bytes());
    });
}
