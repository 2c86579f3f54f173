//! What the cache knows of a request that goes on to a backend, for when the answer comes.

use std::sync::Arc;

use http::header::{self, HeaderMap};

use super::entry::Entry;
use super::flight::Lead;
use super::scope::{Key, Scope, Stamp};
use crate::exchange::Exchange;

/// A request that was looked for.
pub(crate) struct Visit {
    pub(super) scope: Arc<Scope>,
    pub(super) key: Key,
    pub(super) stamp: Stamp,
    /// The client's headers as they came: which form it gets goes by them.
    pub(super) request: HeaderMap,
    /// Others wait for its answer.
    pub(super) lead: Option<Lead>,
    /// What is there, but may not be used without asking.
    pub(super) stale: Option<Arc<Entry>>,
    /// The backend is asked whether that has changed.
    pub(super) asks_for_change: bool,
    /// The answer ends with the connection: one that was cut short looks the same.
    pub(crate) ends_with_connection: bool,
}

impl Visit {
    /// Takes a visit back that came to nothing, as no backend was there: the request is the client's again.
    pub(crate) fn give_up(exchange: &mut Exchange, request: &mut HeaderMap) {
        if let Some(visit) = exchange.visit.take() {
            *request = visit.request;
            exchange.signed = false;
        }
    }
}

/// Asks a backend whether an answer has changed, in place of what the client asks (RFC 9111, 4.3.1). Nothing changes
/// where the answer cannot be told apart from others.
pub(super) fn ask_for_change(request: &mut HeaderMap, entry: &Entry) -> bool {
    let tag = entry.head.headers.get(header::ETAG);
    let modified = entry.head.headers.get(header::LAST_MODIFIED);
    if tag.is_none() && modified.is_none() {
        return false;
    }
    for name in [
        header::IF_NONE_MATCH,
        header::IF_MODIFIED_SINCE,
        header::IF_RANGE,
        header::RANGE,
    ] {
        request.remove(name);
    }
    if let Some(tag) = tag {
        request.insert(header::IF_NONE_MATCH, tag.clone());
    }
    if let Some(modified) = modified {
        request.insert(header::IF_MODIFIED_SINCE, modified.clone());
    }
    true
}
