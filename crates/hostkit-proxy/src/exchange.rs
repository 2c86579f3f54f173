//! One request and its answer, from the head's arrival to the body's last byte. Dropping it, for whatever reason,
//! is the end: the connection to the backend is kept if all of it was used up, the count in flight goes down, the
//! log line is written.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use hostkit_core::canary::Side;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Uri};

use crate::body::Progress;
use crate::cache::{CacheResult, Visit};
use crate::forward::head::Host;
use crate::metrics::Finished;
use crate::plain::Plain;
use crate::rules::Ruled;
use crate::table::LiveRoute;
use crate::table::backend::{Backend, InFlight};
use crate::table::canary::Visitor;
use crate::worker::Worker;
use crate::worker::accept::Client;
use crate::worker::bell::Bell;
use crate::worker::http2::Stream;
use crate::worker::multiplexed::Place;
use crate::worker::pool::Sender;
use crate::worker::pulse::Pulse;

/// The status noted for a client that went away before there was an answer.
const CLIENT_GONE: u16 = 499;

/// A request being answered.
pub(crate) struct Exchange {
    pub(crate) client: Rc<Client>,
    /// Where its connection carries many at once.
    pub(crate) stream: Option<Stream>,
    pub(crate) began: Instant,
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) host: Option<Host>,
    pub(crate) id: HeaderValue,
    /// The trace it belongs to.
    pub(crate) trace: Option<HeaderValue>,
    /// The codings the client takes for the answer, as it says it.
    pub(crate) codings: Option<HeaderValue>,
    pub(crate) route: Option<Arc<LiveRoute>>,
    /// Who its visitor is to the canary beside the live release, where there is one.
    pub(crate) visitor: Option<Visitor>,
    /// What rules did to it, where there are any.
    pub(crate) ruled: Option<Box<Ruled>>,
    /// The client's headers as far as they go on to the backend, while the request may be sent once more.
    pub(crate) spare: Option<Vec<(HeaderName, HeaderValue)>>,
    /// The headers of the request are ours already.
    pub(crate) signed: bool,
    /// It was sent once more, which is done once.
    pub(crate) repeated: bool,
    /// Its client is to be told to stay on the backend that answers.
    pub(crate) strays: bool,
    /// The client asks for an upgrade that may be passed on.
    pub(crate) upgrades: bool,
    /// It is HostKit's own look at what is behind a route: at the canary, or at what is live.
    pub(crate) visits: Option<Side>,
    /// None for a request without a body.
    pub(crate) progress: Option<Rc<Progress>>,
    pub(crate) lease: Option<Lease>,
    /// The backend that answers, once its lease is with those who keep the answer.
    pub(crate) backend: Option<Arc<Backend>>,
    /// What the cache waits for of it.
    pub(crate) visit: Option<Box<Visit>>,
    /// What the cache did; nothing where it was not asked.
    pub(crate) cache: Option<CacheResult>,
    /// How long the backend took to answer.
    pub(crate) upstream: Option<std::time::Duration>,
    pub(crate) status: u16,
    pub(crate) sent: u64,
    /// For tunnels: bytes from the client, in place of a body's.
    pub(crate) tunnelled: u64,
    pub(crate) is_tunnel: bool,
    /// The answer is a stream of events: that it ends says nothing about the backend.
    pub(crate) is_endless: bool,
    /// The answer broke off.
    pub(crate) broken: bool,
    /// The connection is closed after the answer, whatever else the client has sent.
    pub(crate) closes: bool,
    complete: bool,
}

/// A backend at work for an exchange.
pub(crate) struct Lease {
    pub(crate) in_flight: InFlight,
    pub(crate) sender: Option<Sender>,
    /// The connection of an answer that came the short way, once all of it was taken.
    pub(crate) plain: Option<Plain>,
    /// Its place on a connection with many requests at once, until the exchange is over.
    pub(crate) place: Option<Place>,
}

impl Lease {
    /// On a backend, no connection yet.
    pub(crate) fn new(in_flight: InFlight) -> Lease {
        Lease {
            in_flight,
            sender: None,
            plain: None,
            place: None,
        }
    }

    /// Keeps the connection: the answer on it was read to its end.
    pub(crate) fn give_back(&mut self, worker: &Worker, now: Instant) {
        let backend = self.in_flight.backend();
        if let Some(plain) = self.plain.take() {
            worker.pools.give_back_plain(backend, plain, now);
        } else if let Some(sender) = self.sender.take() {
            worker.pools.give_back(backend, sender, now);
        }
    }
}

impl Exchange {
    /// A request that has just come.
    pub(crate) fn begin(
        client: Rc<Client>,
        stream: Option<Stream>,
        head: &Parts,
        id: HeaderValue,
    ) -> Box<Exchange> {
        Box::new(Exchange {
            client,
            stream,
            began: Instant::now(),
            method: head.method.clone(),
            uri: head.uri.clone(),
            host: None,
            id,
            trace: None,
            codings: None,
            route: None,
            visitor: None,
            ruled: None,
            spare: None,
            signed: false,
            repeated: false,
            strays: false,
            upgrades: false,
            visits: None,
            progress: None,
            lease: None,
            backend: None,
            visit: None,
            cache: None,
            upstream: None,
            status: CLIENT_GONE,
            sent: 0,
            tunnelled: 0,
            is_tunnel: false,
            is_endless: false,
            broken: false,
            closes: false,
            complete: false,
        })
    }

    /// Where its route is looked for: where it was sent to, or where a rule leads it.
    pub(crate) fn place(&self) -> &Uri {
        let ruled = self.ruled.as_ref().and_then(|ruled| ruled.rewritten.as_ref());
        ruled.unwrap_or(&self.uri)
    }

    /// The same, as the route's target sees it.
    pub(crate) fn target(&self) -> &Uri {
        let ruled = self.ruled.as_ref().and_then(|ruled| ruled.stripped.as_ref());
        ruled.unwrap_or_else(|| self.place())
    }

    /// What times and orders the exchange.
    pub(crate) fn pulse(&self) -> &Arc<Pulse> {
        match &self.stream {
            Some(stream) => &stream.pulse,
            None => &self.client.pulse,
        }
    }

    /// Neither side is hurried: how long they may be silent is between them.
    pub(crate) fn wait_for_both(&self) {
        self.pulse().serving();
        if let Some(progress) = &self.progress {
            progress.patient.set(true);
        }
    }

    /// What wakes the connection the answer comes on.
    pub(crate) fn bell(&self) -> Option<&Arc<Bell>> {
        let sender = self.lease.as_ref()?.sender.as_ref()?;
        Some(&sender.bell)
    }

    /// The backend's answer was read to its end.
    pub(crate) fn answer_complete(&mut self) {
        self.complete = true;
    }

    /// The answer broke off. It is the backend's doing where the client had sent all of its request, and not of one that
    /// takes many requests on a connection, which ends one of them for reasons of its own.
    pub(crate) fn note_broken(&mut self) {
        self.broken = true;
        let is_http1 = self.route.as_ref().is_some_and(|route| route.protocol.is_http1());
        if let Some(lease) = self.lease.as_ref()
            && is_http1
            && !self.is_endless
            && self.is_request_read()
        {
            lease.in_flight.backend().tore();
        }
    }

    /// Whether nothing of the request is left unread.
    pub(crate) fn is_request_read(&self) -> bool {
        self.progress.as_ref().is_none_or(|progress| progress.done.get())
    }

    /// Bytes the client sent as a body.
    pub(crate) fn received(&self) -> u64 {
        self.tunnelled
            + self
                .progress
                .as_ref()
                .map_or(0, |progress| progress.received.get())
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let request_read = self.is_request_read();
        let worker = &self.client.worker;
        let now = Instant::now();
        if let Some(lease) = &mut self.lease
            && self.complete
            && request_read
        {
            lease.in_flight.backend().health.was_whole();
            lease.give_back(worker, now);
        } else if self.complete && self.stream.is_some() {
            // The answer is whole and the request is not: a client of HTTP/2 goes on sending until it is told that nobody
            // reads, which it is once nobody holds what it sends.
            let sender = self.lease.as_mut().and_then(|lease| lease.sender.take());
            sender.into_iter().for_each(Sender::cut);
        }
        if !self.is_tunnel && self.stream.is_none() {
            self.client.pulse.answered(request_read && !self.closes);
        }
        worker.shared.count_request(worker.number);
        let series = match &self.route {
            Some(route) => &route.series,
            None => &worker.shared.unrouted,
        };
        series.count(
            worker.number,
            &Finished {
                status: self.status,
                received: self.received(),
                sent: self.sent,
                duration: (!self.is_tunnel).then(|| now.saturating_duration_since(self.began)),
                upstream: self.upstream,
            },
        );
        if let Ok(mut log) = worker.log.try_borrow_mut() {
            log.write(self, now);
        }
    }
}
