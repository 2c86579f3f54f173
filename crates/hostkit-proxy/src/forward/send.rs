//! Sending a request to one of several backends: the least busy one first, another one where nothing was sent yet,
//! and once more where sending twice does no harm.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use futures_util::future::Either;
use hostkit_core::route::Protocol;
use http::{Request, Response};
use hyper::body::Incoming;

use super::canary::may_leave;
use super::{h2c, head, repeat};
use crate::body::RequestBody;
use crate::exchange::{Exchange, Lease};
use crate::plain::body::PlainBody;
use crate::plain::replay::Replay;
use crate::plain::{self, Asked, Plain};
use crate::table::backend::{Backend, InFlight, Refusal};
use crate::table::health::Standing;
use crate::table::{LiveRoute, share};
use crate::worker::multiplexed::Place;
use crate::worker::pool::{Connection, Sender, Way};

/// How often a connection may turn out to be closed before anything was sent on it.
const UNSENT: usize = 8;

/// What became of a request.
pub(super) enum Outcome {
    /// A backend answers.
    Answered(Response<Incoming>),
    /// A backend answers, and all of it that was to be decided is.
    Plain(Response<PlainBody>),
    /// No backend took a connection; the request is still whole.
    NobodyThere,
    /// All have as many requests as they may; the request is still whole.
    Full,
    /// The project has as many requests under way as it may.
    TooMany,
    /// It was sent, and no answer came.
    Failed(Failed),
}

/// Why a request that was sent got no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failed {
    /// The backend closed the connection.
    Closed,
    /// What it sent is not an HTTP answer that can be passed on.
    Malformed,
    /// The client paused inside the body for too long.
    Paused,
    /// The client's body is larger than the route takes.
    TooLarge,
    /// The client's body broke off, or was none.
    BadBody,
    /// The backend took the request and said nothing.
    Late,
}

/// Tries the backends until one answers, none is left, or the request can not be repeated.
pub(super) async fn attempt(
    exchange: &mut Exchange,
    request: &mut Option<Request<RequestBody>>,
    route: &LiveRoute,
    backends: &[Arc<Backend>],
) -> Outcome {
    let mut tried: Vec<u64> = Vec::new();
    let mut unsent = 0;
    let worker = Rc::clone(&exchange.client.worker);
    // A stable port is for other programs, which keep no cookies.
    let sticky = route
        .sticky
        .as_ref()
        .filter(|_| exchange.client.door.port.is_none());
    let wish = sticky.and_then(|sticky| sticky.wish(request.as_ref()?.headers()));
    loop {
        let in_flight = match stay(wish, &tried).unwrap_or_else(|| pick(backends, &tried, worker.turn())) {
            Ok(in_flight) => in_flight,
            Err(Refusal::Retired) => return Outcome::NobodyThere,
            Err(Refusal::Full) => return Outcome::Full,
        };
        let backend = in_flight.backend();
        let key = backend.key;
        let most = worker.shared.limits.project_requests;
        exchange.strays = sticky.is_some() && wish.is_none_or(|wish| wish.key != key);
        if let Some(siblings) = route.siblings.get()
            && share::is_over(most, backend, siblings)
        {
            return Outcome::TooMany;
        }
        let suits = |request: &Request<_>| !exchange.signed && plain::suits(request, exchange);
        let short = route.protocol.is_http1() && request.as_ref().is_some_and(suits);
        if exchange.repeated {
            // Once more means once: not on another connection that may be closed as well.
            worker.pools.let_go(backend);
        }
        let way = match route.protocol {
            Protocol::Http1 => worker.connection(backend, exchange.began, short).await,
            Protocol::H2c => worker.multiplexed(backend).await,
        };
        let Way { connection, is_new } = match way {
            Ok(way) => way,
            Err(error) => {
                tracing::debug!(backend = %backend.id.0, address = %backend.address, "cannot connect: {error}");
                backend.refused();
                tried.push(key);
                continue;
            }
        };
        exchange.lease = Some(Lease::new(in_flight));
        let mut upstream = match connection {
            Connection::Sender(sender) => Upstream::Own(sender),
            Connection::Place(place) => Upstream::Shared(place),
            Connection::Plain(plain) => match ask(exchange, request, plain, route).await {
                Short::Done(outcome) => {
                    note(exchange, &outcome, is_new);
                    return outcome;
                }
                Short::Sender(sender) => Upstream::Own(sender),
                Short::Unsent => {
                    unsent += 1;
                    if unsent >= UNSENT {
                        tried.push(key);
                    }
                    continue;
                }
                Short::Again => {
                    note(exchange, &Outcome::Failed(Failed::Closed), is_new);
                    avoid(&mut tried, key, backends, is_new && may_leave(exchange, route));
                    continue;
                }
            },
        };
        let Some(mut sending) = request.take() else {
            return Outcome::Failed(Failed::Closed);
        };
        if !exchange.signed {
            exchange.spare = repeat::keep(&sending, exchange);
            head::sign_request(sending.headers_mut(), exchange);
            exchange.signed = true;
        }
        let pulse = exchange.pulse();
        pulse.asking();
        let mut asked = pin!(match &mut upstream {
            Upstream::Own(sender) => Either::Left(sender.requests.try_send_request(sending)),
            Upstream::Shared(place) => {
                if h2c::is_grpc(sending.headers()) {
                    exchange.wait_for_both();
                }
                h2c::write_as_http2(&mut sending, exchange);
                Either::Right(place.send(sending))
            }
        });
        let answer = poll_fn(|context| match asked.as_mut().poll(context) {
            Poll::Pending if pulse.is_late() => Poll::Ready(None),
            answer => answer.map(Some),
        });
        match answer.await {
            Some(Ok(answer)) => {
                pulse.serving();
                if let Some(lease) = &mut exchange.lease {
                    lease.in_flight.backend().answered();
                    match upstream {
                        Upstream::Own(sender) => lease.sender = Some(sender),
                        Upstream::Shared(place) => {
                            place.prove();
                            lease.place = Some(place);
                        }
                    }
                }
                return Outcome::Answered(answer);
            }
            Some(Err(mut error)) => {
                if let Some(mut back) = error.take_message() {
                    if route.protocol == Protocol::H2c {
                        h2c::write_back(&mut back, exchange);
                    }
                    *request = Some(back);
                    unsent += 1;
                    if unsent >= UNSENT {
                        tried.push(key);
                    }
                    continue;
                }
                let error = error.into_error();
                let failed = why(exchange, &error);
                let is_new = is_new && !h2c::is_of_one_request(&error);
                note(exchange, &Outcome::Failed(failed), is_new);
                let may_leave = may_leave(exchange, route);
                if failed == Failed::Closed {
                    *request = repeat::again(exchange, may_leave);
                }
                if request.is_none() {
                    return Outcome::Failed(failed);
                }
                avoid(&mut tried, key, backends, is_new && may_leave);
            }
            // Giving the request up closes its connection: the backend hears that nobody waits any more.
            None => {
                let late = Outcome::Failed(Failed::Late);
                note(exchange, &late, is_new);
                return late;
            }
        }
    }
}

/// What a request is sent on.
enum Upstream {
    Own(Sender),
    /// A connection with many requests at once.
    Shared(Place),
}

/// What becomes of a request whose route waits no longer for an answer.
pub(super) fn too_late(exchange: &Exchange) -> Outcome {
    let late = Outcome::Failed(Failed::Late);
    note(exchange, &late, true);
    late
}

/// Notes for later choices how the backend did. `is_new`: the connection was opened for this request.
fn note(exchange: &Exchange, outcome: &Outcome, is_new: bool) {
    let Some(lease) = &exchange.lease else { return };
    let backend = lease.in_flight.backend();
    match outcome {
        Outcome::Answered(_) | Outcome::Plain(_) => backend.answered(),
        Outcome::Failed(Failed::Malformed) => backend.broke(),
        // Not where the client was still sending: it could have any backend left out.
        Outcome::Failed(Failed::Late) if exchange.is_request_read() => backend.broke(),
        // One that was kept may have been closed for its age.
        Outcome::Failed(Failed::Closed) if is_new => backend.broke(),
        // What is left is the client's doing.
        Outcome::Failed(_) | Outcome::NobodyThere | Outcome::Full | Outcome::TooMany => {}
    }
}

/// What comes of the short way.
enum Short {
    Done(Outcome),
    /// The answer is hyper's.
    Sender(Sender),
    Unsent,
    /// It may be sent once more.
    Again,
}

async fn ask(
    exchange: &mut Exchange,
    request: &mut Option<Request<RequestBody>>,
    plain: Plain,
    route: &LiveRoute,
) -> Short {
    let Some(asked) = request else {
        return Short::Done(Outcome::Failed(Failed::Closed));
    };
    exchange.pulse().asking();
    match plain.ask(asked, exchange).await {
        Asked::Answered(answer) => {
            exchange.pulse().serving();
            Short::Done(Outcome::Plain(answer))
        }
        Asked::Other(plain, read) => {
            let worker = Rc::clone(&exchange.client.worker);
            let backend = exchange
                .lease
                .as_ref()
                .map(|lease| Arc::clone(lease.in_flight.backend()));
            let Some(backend) = backend else {
                return Short::Done(Outcome::Failed(Failed::Closed));
            };
            match worker
                .adopt(&backend, Replay::after(plain.into_stream(), read))
                .await
            {
                Ok(sender) => Short::Sender(sender),
                Err(_) => Short::Done(Outcome::Failed(Failed::Closed)),
            }
        }
        Asked::Unsent => Short::Unsent,
        Asked::Closed if repeat::allowed(exchange, may_leave(exchange, route)) => {
            exchange.repeated = true;
            Short::Again
        }
        Asked::Closed => Short::Done(Outcome::Failed(Failed::Closed)),
        Asked::Late => Short::Done(Outcome::Failed(Failed::Late)),
    }
}

/// Has a request that is sent once more go to another backend, where there is one: this one may just be ending.
/// `leaves`: the live release is one, as this is a canary that broke off what was new to it.
fn avoid(tried: &mut Vec<u64>, key: u64, backends: &[Arc<Backend>], leaves: bool) {
    if backends.len() > 1 || leaves {
        tried.push(key);
    }
}

/// The backend a visitor was on before, unless it failed or is gone. Where it has no room its visitor waits: what it
/// knows of them is nowhere else.
fn stay(wish: Option<&Arc<Backend>>, tried: &[u64]) -> Option<Result<InFlight, Refusal>> {
    let wish = wish.filter(|wish| !tried.contains(&wish.key) && !wish.health.is_ejected())?;
    match wish.begin() {
        Err(Refusal::Retired) => None,
        begun => Some(begun),
    }
}

/// The least busy backend that is sound; among equals by turns.
fn pick(backends: &[Arc<Backend>], tried: &[u64], turn: usize) -> Result<InFlight, Refusal> {
    if let [only] = backends {
        return match tried.contains(&only.key) {
            true => Err(Refusal::Retired),
            false => only.begin(),
        };
    }
    let mut skipped: Vec<u64> = Vec::new();
    let mut refusal = Refusal::Retired;
    loop {
        let around = (0..backends.len()).map(|at| &backends[(turn + at) % backends.len()]);
        let best = around
            .filter(|backend| !tried.contains(&backend.key) && !skipped.contains(&backend.key))
            .map(|backend| (standing(backend, turn), backend))
            .min_by_key(|(standing, backend)| (*standing, backend.in_flight()));
        let Some((standing, best)) = best else {
            return Err(refusal);
        };
        if refusal == Refusal::Full && standing == Standing::Ejected {
            // Waiting for one that works is better.
            return Err(refusal);
        }
        match best.begin() {
            Ok(in_flight) => return Ok(in_flight),
            Err(why) => {
                // It may have left the table a moment ago.
                if why == Refusal::Full {
                    refusal = why;
                }
                skipped.push(best.key);
            }
        }
    }
}

/// Several backends that come back together are not left out by the same choices.
fn standing(backend: &Backend, turn: usize) -> Standing {
    backend
        .health
        .standing((turn as u64).wrapping_add(backend.key << 7))
}

fn why(exchange: &Exchange, error: &hyper::Error) -> Failed {
    if let Some(progress) = &exchange.progress {
        if progress.timed_out.get() {
            return Failed::Paused;
        }
        if progress.too_large.get() {
            return Failed::TooLarge;
        }
        if progress.broken.get() {
            return Failed::BadBody;
        }
    }
    if error.is_parse() {
        Failed::Malformed
    } else {
        Failed::Closed
    }
}
