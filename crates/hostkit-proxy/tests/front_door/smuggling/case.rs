//! The form of a case: what is sent, what the standard says of it, and what must come of it.

/// What RFC 9112 (and 9110 where it refers to it) says of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standard {
    /// It must not be passed on as a request.
    Refuse,
    /// It may be refused, or read in the one way that the standard names.
    Either,
    /// It is a request like any other.
    Take,
}

impl Standard {
    pub(super) fn word(self) -> &'static str {
        match self {
            Standard::Refuse => "refuse",
            Standard::Either => "either",
            Standard::Take => "take",
        }
    }
}

/// Bytes of a client.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) standard: Standard,
    pub(super) bytes: Vec<u8>,
    /// The answers of the front door, in order, until it closes the connection.
    pub(super) answers: &'static [u16],
    /// The targets of the requests that the backend read whole.
    pub(super) seen: &'static [&'static str],
    /// Why the front door takes what both others refuse, or what else is to be said.
    pub(super) note: &'static str,
}

impl Case {
    /// A case that reaches nobody.
    pub(super) fn refused(
        name: &'static str,
        standard: Standard,
        bytes: impl Into<Vec<u8>>,
        answers: &'static [u16],
    ) -> Case {
        Case {
            name,
            standard,
            bytes: bytes.into(),
            answers,
            seen: &[],
            note: "",
        }
    }

    /// A case of which one request arrives, as `/case`.
    pub(super) fn taken(name: &'static str, standard: Standard, bytes: impl Into<Vec<u8>>) -> Case {
        Case {
            name,
            standard,
            bytes: bytes.into(),
            answers: &[200],
            seen: &["/case"],
            note: "",
        }
    }

    pub(super) fn answered(self, answers: &'static [u16]) -> Case {
        Case { answers, ..self }
    }

    pub(super) fn seen(self, seen: &'static [&'static str]) -> Case {
        Case { seen, ..self }
    }

    /// Whether a target is that of a valid request in front of what the case is about.
    pub(super) fn fine_in_front(&self, target: &str) -> bool {
        self.standard == Standard::Refuse && self.seen.contains(&target)
    }

    pub(super) fn note(self, note: &'static str) -> Case {
        Case { note, ..self }
    }
}

/// The Host header of every case that is not about it.
pub(super) const HOST: &str = "Host: shop.localhost\r\n";

/// A request that must stay part of whatever stands in front of it.
pub(super) const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nHost: shop.localhost\r\n\r\n";

/// A request without a body: what stands between its Host header and the empty line.
pub(super) fn get(headers: &str) -> String {
    format!("GET /case HTTP/1.1\r\n{HOST}{headers}\r\n")
}

/// A request with a body, and a hidden one behind it.
pub(super) fn post(headers: &str, body: &str) -> String {
    format!("POST /case HTTP/1.1\r\n{HOST}{headers}\r\n{body}{HIDDEN}")
}

/// The same without the hidden request.
pub(super) fn post_alone(headers: &str, body: &str) -> String {
    format!("POST /case HTTP/1.1\r\n{HOST}{headers}\r\n{body}")
}

/// A request in chunks, and a hidden one behind it.
pub(super) fn chunks(body: &str) -> String {
    post("Transfer-Encoding: chunked\r\n", body)
}
