//! HTTP/2 written by hand, for what no library would send.

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Instant;

use crate::secure::{Secure, client, connect_tls};
use crate::support::{Door, PATIENCE};

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RESET: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GO_AWAY: u8 = 7;
pub(crate) const CONTINUATION: u8 = 9;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// A connection on which anything can be sent.
pub(crate) struct Frames {
    stream: Secure,
}

/// One frame: kind, flags, stream, content.
pub(crate) type Frame = (u8, u8, u32, Vec<u8>);

impl Frames {
    /// After the preface and empty settings.
    pub(crate) fn open(door: &Door, host: &str) -> Frames {
        let client = Arc::new(client(&["h2"]));
        let mut stream = connect_tls(door.tls_address(), &client, host);
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        let mut frames = Frames { stream };
        assert!(frames.send(SETTINGS, 0, 0, &[]));
        frames
    }

    /// Whether it could be sent.
    pub(crate) fn send(&mut self, kind: u8, flags: u8, stream: u32, content: &[u8]) -> bool {
        self.stream
            .write_all(&frame(kind, flags, stream, content))
            .is_ok()
    }

    /// Sends many as one piece.
    pub(crate) fn send_all(&mut self, frames: &[u8]) -> bool {
        self.stream.write_all(frames).is_ok()
    }

    /// The next frame; none when the connection has ended.
    pub(crate) fn read(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head).ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let mut content = vec![0; length];
        self.stream.read_exact(&mut content).ok()?;
        Some((head[3], head[4], stream, content))
    }

    /// The next frame of a kind.
    pub(crate) fn read_kind(&mut self, kind: u8) -> Option<Frame> {
        loop {
            let frame = self.read()?;
            if frame.0 == kind {
                return Some(frame);
            }
        }
    }

    /// Sends the same again and again until the connection is ended; whether it was.
    pub(crate) fn flood(&mut self, mut piece: impl FnMut(u32) -> Vec<u8>) -> bool {
        let end = Instant::now() + PATIENCE;
        let mut turn = 0;
        while Instant::now() < end {
            if !self.send_all(&piece(turn)) {
                return true;
            }
            turn += 1;
        }
        false
    }
}

/// A frame's bytes.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, content: &[u8]) -> Vec<u8> {
    let mut bytes = (content.len() as u32).to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(content);
    bytes
}

/// Headers as HPACK has them, each written out.
pub(crate) fn headers(list: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let length = |bytes: &mut Vec<u8>, length: usize| match length {
        0..127 => bytes.push(length as u8),
        _ => {
            bytes.push(127);
            let mut rest = length - 127;
            while rest >= 128 {
                bytes.push((rest % 128) as u8 | 128);
                rest /= 128;
            }
            bytes.push(rest as u8);
        }
    };
    for (name, value) in list {
        bytes.push(0);
        for text in [name, value] {
            length(&mut bytes, text.len());
            bytes.extend(text.as_bytes());
        }
    }
    bytes
}

/// What each request has, and more behind it.
pub(crate) fn get(host: &str, path: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let mut list = vec![
        (":method", "GET"),
        (":scheme", "https"),
        (":authority", host),
        (":path", path),
    ];
    list.extend(more);
    headers(&list)
}
