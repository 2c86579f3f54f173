//! Asking a backend in the background whether what was just answered has changed (RFC 5861, 3). One request does it
//! for all.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use http::header::{self, HeaderMap};
use http::{Method, Request};

use super::ask::visit;
use super::entry::Entry;
use super::flight::{Flights, Part};
use super::scope::{Key, Scope};
use crate::body::RequestBody;
use crate::exchange::Exchange;
use crate::forward;
use crate::table::LiveRoute;
use crate::worker::accept::Client;
use crate::worker::pulse::Order;

/// Begins to ask, unless somebody does already.
pub(super) fn begin(
    exchange: &Exchange,
    headers: &HeaderMap,
    route: &Arc<LiveRoute>,
    scope: &Arc<Scope>,
    key: Key,
    entry: &Arc<Entry>,
) {
    let Part::Lead(lead) = Flights::join(&exchange.client.worker.shared, &key) else {
        return;
    };
    let Some(client) = Client::beside(&exchange.client) else {
        return;
    };
    let (mut head, body) = Request::new(RequestBody::default()).into_parts();
    head.method = Method::GET;
    head.uri = exchange.target().clone();
    let mut own = Exchange::begin(Rc::clone(&client), None, &head, exchange.id.clone());
    let kept = &mut head.headers;
    kept.clone_from(headers);
    // It is for everybody: what this client has, or wants of it, does not matter.
    for name in [
        header::RANGE,
        header::IF_RANGE,
        header::IF_NONE_MATCH,
        header::IF_MODIFIED_SINCE,
    ] {
        kept.remove(name);
    }
    own.host.clone_from(&exchange.host);
    own.route = Some(Arc::clone(route));
    own.visit = Some(visit(scope, key, kept, Some(lead), Some(Arc::clone(entry))));
    client.pulse.serving();
    let request = Request::from_parts(head, body);
    let route = Arc::clone(route);
    tokio::task::spawn_local(async move {
        let mut asking = pin!(forward::refresh(own, request, &route));
        let mut waker = None;
        // What ends connections that wait too long ends this, too.
        poll_fn(|context| match client.pulse.order(context, &mut waker) {
            Order::End => Poll::Ready(()),
            Order::GoOn | Order::WindUp => asking.as_mut().poll(context),
        })
        .await;
    });
}
