//! What backends answer that is open to two readings, or is more than one answer. A client asks twice on one connection
//! and once on another: whatever a backend sends too much must never be the answer to a later request.

use std::sync::Arc;

use super::backend::Say;

/// Bytes of a backend.
pub(super) struct Answer {
    pub(super) name: &'static str,
    method: &'static str,
    bytes: Vec<u8>,
    /// The backend closes the connection behind them.
    closes: bool,
    /// What the client of the front door is told on its first connection.
    pub(super) told: &'static [u16],
}

/// Before the end of the answer shows that it is none, its head may have gone on, or not.
pub(super) const TORN: &[u16] = &[];

/// An answer that nobody asked for.
const POISON: &str = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\npoisoned";

impl Answer {
    /// What the backend says to `/case` and to others.
    pub(super) fn say(&self) -> Say {
        let (bytes, closes) = (self.bytes.clone(), self.closes);
        Arc::new(move |_, target| match target {
            "/case" => (bytes.clone(), closes),
            _ => (
                b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond".to_vec(),
                false,
            ),
        })
    }

    /// What the backend does with the connection behind it.
    pub(super) fn end(&self) -> &'static str {
        if self.closes { "closed" } else { "kept" }
    }

    /// What the client sends: on one connection, then on another.
    pub(super) fn inputs(&self) -> [String; 2] {
        let second = "GET /second HTTP/1.1\r\nHost: shop.localhost\r\n\r\n";
        let first = format!("{} /case HTTP/1.1\r\nHost: shop.localhost\r\n\r\n", self.method);
        [first + second, second.into()]
    }
}

pub(super) fn all() -> Vec<Answer> {
    let answer = |name, bytes: String, told| Answer {
        name,
        method: "GET",
        bytes: bytes.into_bytes(),
        closes: false,
        told,
    };
    let closing = |name, bytes: String, told| Answer {
        closes: true,
        ..answer(name, bytes, told)
    };
    let ok = |headers: &str, body: &str| format!("HTTP/1.1 200 OK\r\n{headers}\r\n{body}");
    let fine = ok("Content-Length: 2\r\n", "ok");
    vec![
        answer("one answer", fine.clone(), &[200, 200]),
        answer("an answer too many", format!("{fine}{POISON}"), &[200, 200]),
        answer(
            "an answer too many behind chunks",
            ok(
                "Transfer-Encoding: chunked\r\n",
                &format!("2\r\nok\r\n0\r\n\r\n{POISON}"),
            ),
            &[200, 200],
        ),
        answer("a CR LF too many", format!("{fine}\r\n"), &[200, 200]),
        answer(
            "body of 204",
            format!(
                "HTTP/1.1 204 No Content\r\nContent-Length: {}\r\n\r\n{POISON}",
                POISON.len()
            ),
            &[204, 200],
        ),
        answer(
            "chunks of 204",
            format!("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n{POISON}"),
            &[204, 200],
        ),
        answer(
            "body of 304",
            format!(
                "HTTP/1.1 304 Not Modified\r\nContent-Length: {}\r\n\r\n{POISON}",
                POISON.len()
            ),
            &[304, 200],
        ),
        Answer {
            method: "HEAD",
            ..answer(
                "body of an answer to HEAD",
                ok(&format!("Content-Length: {}\r\n", POISON.len()), POISON),
                &[200, 200],
            )
        },
        closing(
            "length before `chunked`",
            ok(
                "Content-Length: 99\r\nTransfer-Encoding: chunked\r\n",
                "2\r\nok\r\n0\r\n\r\n",
            ),
            &[200, 200],
        ),
        answer(
            "length before `chunked`, and an answer too many",
            ok(
                "Content-Length: 12\r\nTransfer-Encoding: chunked\r\n",
                &format!("2\r\nok\r\n0\r\n\r\n{POISON}"),
            ),
            &[200, 200],
        ),
        answer(
            "length behind `chunked`, and an answer too many",
            ok(
                "Transfer-Encoding: chunked\r\nContent-Length: 12\r\n",
                &format!("2\r\nok\r\n0\r\n\r\n{POISON}"),
            ),
            &[200, 200],
        ),
        closing(
            "two different lengths",
            ok("Content-Length: 2\r\nContent-Length: 3\r\n", "okx"),
            &[502, 200],
        ),
        closing(
            "list of different lengths",
            ok("Content-Length: 2, 3\r\n", "okx"),
            &[502, 200],
        ),
        closing("signed length", ok("Content-Length: +2\r\n", "ok"), &[502, 200]),
        closing("negative length", ok("Content-Length: -2\r\n", "ok"), &[502, 200]),
        closing(
            "length in hexadecimal",
            ok("Content-Length: 0x2\r\n", "ok"),
            &[502, 200],
        ),
        closing(
            "length of thirty digits",
            ok("Content-Length: 999999999999999999999999999999\r\n", "ok"),
            &[502, 200],
        ),
        closing(
            "coding `gzip, chunked`",
            ok("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
            &[502, 200],
        ),
        closing(
            "coding `chunked` twice",
            ok(
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                "0\r\n\r\n",
            ),
            &[502, 200],
        ),
        closing(
            "coding `xchunked`",
            ok("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"),
            &[502, 200],
        ),
        closing(
            "chunk size that is no number",
            ok("Transfer-Encoding: chunked\r\n", "zz\r\nok\r\n0\r\n\r\n"),
            TORN,
        ),
        closing(
            "chunk size of 2^64 and two",
            ok(
                "Transfer-Encoding: chunked\r\n",
                "10000000000000002\r\nok\r\n0\r\n\r\n",
            ),
            TORN,
        ),
        closing(
            "body that is shorter than its length",
            ok("Content-Length: 20\r\n", "ok"),
            TORN,
        ),
        closing("body that ends with the connection", ok("", "ok"), &[200, 200]),
        closing("HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\nok".into(), &[200, 200]),
        answer(
            "100 before the answer",
            format!("HTTP/1.1 100 Continue\r\n\r\n{fine}"),
            &[200, 200],
        ),
        answer(
            "103 before the answer",
            format!("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n{fine}"),
            &[200, 200],
        ),
        answer(
            "1,000 times 100 before the answer",
            format!("{}{fine}", "HTTP/1.1 100 Continue\r\n\r\n".repeat(1000)),
            &[200, 200],
        ),
        closing(
            "100 and no more",
            "HTTP/1.1 100 Continue\r\n\r\n".into(),
            &[502, 200],
        ),
        closing(
            "101 that nobody asked for",
            format!("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n{POISON}"),
            &[502, 200],
        ),
        closing(
            "folded header",
            ok("X-A: b\r\n c\r\nContent-Length: 2\r\n", "ok"),
            &[502, 200],
        ),
        closing(
            "blank before a colon",
            ok("Content-Length : 2\r\n", "ok"),
            &[502, 200],
        ),
        closing(
            "header value with NUL",
            ok("X-A: b\0c\r\nContent-Length: 2\r\n", "ok"),
            &[502, 200],
        ),
        closing(
            "header value with a bare CR",
            ok("X-A: b\rContent-Length: 2\r\n", "ok"),
            &[502, 200],
        ),
        closing("no HTTP", "nonsense\r\n\r\n".into(), &[502, 200]),
        closing(
            "head of 1 MB",
            ok(&format!("X-A: {}\r\n", "b".repeat(1 << 20)), ""),
            &[502, 200],
        ),
        closing("nothing", String::new(), &[502, 200]),
    ]
}
