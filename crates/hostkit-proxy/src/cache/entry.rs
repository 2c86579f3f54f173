//! A kept answer, and all that are kept for one key: one for each form that `Vary` tells apart.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{StatusCode, response};

use super::rules::Freshness;
use super::scope::{Scope, Stamp};
use crate::compress::accept::Accepted;
use crate::compress::encoder::whole;
use crate::compress::{BY_COST, Coding};

/// The most names in `Vary`; an answer with more is not kept.
const MOST_NAMES: usize = 16;
/// The most forms of one answer; the oldest go.
const MOST_FORMS: usize = 16;
/// The largest answer that is kept, and the most that is kept of one key.
pub(crate) const LARGEST: usize = 8 << 20;
/// What an answer costs besides its bytes, roughly.
const OVERHEAD: usize = 1024;

/// The head of a kept answer.
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) freshness: Freshness,
    /// What the request had to say for this form.
    pub(super) asked: Vec<(HeaderName, Asked)>,
}

/// A request's header, as far as it counts for a form.
#[derive(PartialEq)]
pub(super) enum Asked {
    /// Its lines, without white space around their parts.
    Lines(Option<Vec<u8>>),
    /// What of it is known here: clients write the same wish in many ways.
    Codings(Accepted),
}

impl Head {
    /// The head of an answer to a request with the headers `request`. Nothing for one that varies by too much.
    pub(super) fn new(parts: &response::Parts, freshness: Freshness, request: &HeaderMap) -> Option<Head> {
        let mut headers = HeaderMap::with_capacity(parts.headers.len() + 4);
        for (name, value) in &parts.headers {
            // Says how old it is when it is used.
            if *name != header::AGE {
                // A value is part of what was read from the socket: kept, it would keep all of that.
                headers.append(name.clone(), HeaderValue::from_bytes(value.as_bytes()).ok()?);
            }
        }
        let mut head = Head {
            status: parts.status,
            freshness,
            asked: Vec::new(),
            headers,
        };
        let mut names: Vec<HeaderName> = Vec::new();
        for list in head.headers.get_all(header::VARY) {
            for name in list.to_str().ok()?.split(',').map(str::trim) {
                if !name.is_empty() {
                    names.push(HeaderName::from_bytes(name.as_bytes()).ok()?);
                }
            }
        }
        names.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        names.dedup();
        if names.len() > MOST_NAMES {
            return None;
        }
        let coding = head
            .headers
            .get(header::CONTENT_ENCODING)
            .map(HeaderValue::as_bytes);
        let known_coding = matches!(coding, None | Some(b"gzip" | b"br" | b"zstd" | b"identity"));
        head.asked = names
            .into_iter()
            .map(|name| {
                let asked = asked(request, &name, known_coding);
                (name, asked)
            })
            .collect();
        Some(head)
    }

    /// Whether it is the form for a request (RFC 9111, 4.1).
    pub(super) fn suits(&self, request: &HeaderMap) -> bool {
        self.asked.iter().all(|(name, wanted)| {
            let known_coding = matches!(wanted, Asked::Codings(_));
            asked(request, name, known_coding) == *wanted
        })
    }

    fn is_same_form(&self, other: &Head) -> bool {
        self.asked == other.asked
    }
}

fn asked(request: &HeaderMap, name: &HeaderName, known_coding: bool) -> Asked {
    if *name == header::ACCEPT_ENCODING && known_coding {
        return Asked::Codings(Accepted::read(request.get(name)));
    }
    let mut lines: Option<Vec<u8>> = None;
    for value in request.get_all(name) {
        for part in value.as_bytes().split(|byte| *byte == b',') {
            match &mut lines {
                None => lines = Some(Vec::new()),
                Some(lines) => lines.push(b','),
            }
            if let Some(lines) = &mut lines {
                lines.extend_from_slice(part.trim_ascii());
            }
        }
    }
    Asked::Lines(lines)
}

/// A kept answer.
pub(super) struct Entry {
    pub(super) head: Arc<Head>,
    pub(super) body: Bytes,
    /// It was written to the disk, or came from there.
    pub(super) on_disk: AtomicBool,
    forms: Arc<Forms>,
}

/// The body in codings it was asked for in.
#[derive(Default)]
struct Forms {
    made: [OnceLock<Bytes>; 3],
    begun: [AtomicBool; 3],
}

impl Entry {
    /// A whole answer.
    pub(super) fn new(head: Arc<Head>, body: Bytes) -> Entry {
        Entry {
            head,
            body,
            on_disk: AtomicBool::new(false),
            forms: Arc::default(),
        }
    }

    /// The same answer with a newer head.
    pub(super) fn with_head(&self, head: Head) -> Entry {
        Entry {
            head: Arc::new(head),
            body: self.body.clone(),
            on_disk: AtomicBool::new(false),
            forms: Arc::clone(&self.forms),
        }
    }

    /// The body in a coding, if it was made. Otherwise it is made on another thread for those who come next.
    pub(super) fn form(&self, coding: Coding) -> Option<Bytes> {
        let at = coding as usize;
        let made = self.forms.made[at].get().cloned();
        if made.is_none() && !self.forms.begun[at].swap(true, Ordering::Relaxed) {
            let (forms, body) = (Arc::clone(&self.forms), self.body.clone());
            tokio::task::spawn_blocking(move || match whole(coding, &body) {
                Ok(bytes) => drop(forms.made[at].set(bytes)),
                Err(error) => tracing::warn!("cannot compress an answer: {error}"),
            });
        }
        made
    }

    fn cost(&self) -> usize {
        let headers: usize = self
            .head
            .headers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len() + 64)
            .sum();
        // Twice, as it may be kept in codings as well; all of them together are smaller than it is.
        self.body.len() * 2 + headers + OVERHEAD
    }
}

/// All that is kept for one key.
#[derive(Clone)]
pub(super) struct Slot {
    /// The newest first.
    pub(super) entries: Vec<Arc<Entry>>,
    /// Its answers are not kept: until then nobody waits for another's.
    pub(super) passed_until: Option<Instant>,
    pub(super) scope: Arc<Scope>,
    /// How things stood for its key when it was last changed.
    pub(super) stamp: Stamp,
}

impl Slot {
    /// One that nothing is kept in.
    pub(super) fn empty(scope: &Arc<Scope>, stamp: Stamp) -> Slot {
        Slot {
            entries: Vec::new(),
            passed_until: None,
            scope: Arc::clone(scope),
            stamp,
        }
    }

    /// The answer for a request.
    pub(super) fn find(&self, request: &HeaderMap) -> Option<&Arc<Entry>> {
        self.entries.iter().find(|entry| entry.head.suits(request))
    }

    /// With an answer more, which takes the place of the one of the same form.
    pub(super) fn with(mut self, entry: Arc<Entry>) -> Slot {
        self.passed_until = None;
        self.entries.retain(|kept| !kept.head.is_same_form(&entry.head));
        self.entries.insert(0, entry);
        self.entries.truncate(MOST_FORMS);
        let mut bytes = 0;
        self.entries.retain(|kept| {
            let first = bytes == 0;
            bytes += kept.body.len();
            first || bytes <= LARGEST
        });
        self
    }

    /// What it costs.
    pub(super) fn cost(&self) -> usize {
        OVERHEAD + self.entries.iter().map(|entry| entry.cost()).sum::<usize>()
    }
}

/// The coding a kept body is sent in.
pub(super) fn coding_for(codings: Option<&HeaderValue>) -> Option<Coding> {
    codings.and_then(|_| Accepted::read(codings).choose(BY_COST, |_| true))
}
