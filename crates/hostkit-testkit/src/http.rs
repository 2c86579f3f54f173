//! A blocking HTTP/1.1 client that shows what came over the wire.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::machine::{Machine, Network};

/// Where a server is, and from where it is asked.
#[derive(Debug, Clone)]
pub struct Place {
    /// The server's.
    pub address: SocketAddr,
    /// The network the client is in, if it is another than the test's.
    pub network: Option<Network>,
}

impl Place {
    /// A port of a machine, as others in its world see it.
    pub fn on(machine: &Machine, port: u16) -> Self {
        Place {
            address: (machine.address(), port).into(),
            network: Some(machine.network().clone()),
        }
    }

    pub(crate) fn connect(&self) -> std::io::Result<TcpStream> {
        match &self.network {
            Some(network) => network.connect(self.address),
            None => TcpStream::connect(self.address),
        }
    }
}

/// A port of the loopback address.
impl From<u16> for Place {
    fn from(port: u16) -> Self {
        Place {
            address: (Ipv4Addr::LOCALHOST, port).into(),
            network: None,
        }
    }
}

/// One answer. Status 0 means that no whole answer came.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// The status of the first line.
    pub status: u16,
    /// The first line and the headers.
    pub head: String,
    /// The body, without its chunks' lengths.
    pub body: String,
}

impl Answer {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// GET with `Connection: close`.
pub fn get(place: impl Into<Place>, host: &str, path: &str) -> Answer {
    raw(
        place,
        format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes(),
    )
}

/// Sends bytes as they are and reads until the other side closes.
pub fn raw(place: impl Into<Place>, request: &[u8]) -> Answer {
    exchange(&place.into(), request).unwrap_or_default()
}

fn exchange(place: &Place, request: &[u8]) -> std::io::Result<Answer> {
    let mut stream = place.connect()?;
    stream.set_read_timeout(Some(Duration::from_secs(40)))?;
    stream.write_all(request)?;
    let mut bytes = Vec::new();
    let mut chunk = [0; 16 << 10];
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => break,
            Ok(n) => bytes.extend_from_slice(&chunk[..n]),
            Err(_) if !bytes.is_empty() => break,
            Err(error) => return Err(error),
        }
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
    let body = if head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        unchunk(body)
    } else {
        body.into()
    };
    Ok(Answer {
        status,
        head: head.into(),
        body,
    })
}

fn unchunk(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let Ok(size) = usize::from_str_radix(size.trim(), 16) else {
            break;
        };
        if size == 0 || rest.len() < size {
            break;
        }
        whole.push_str(&rest[..size]);
        body = rest[size..].trim_start_matches("\r\n");
    }
    whole
}
