//! One request, straight down: check the head, find the route, answer from files or forward to a backend, and come
//! back to the start whenever the table changed while the request was held.

pub(crate) mod canary;
mod challenge;
mod h2c;
pub(crate) mod head;
mod hold;
mod http2;
mod ids;
mod redirect;
mod repeat;
mod send;
pub(crate) mod trace;
mod tunnel;

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header, request, response,
};
use hyper::body::{Body, Incoming};
use hyper::upgrade::OnUpgrade;

use crate::body::{AnswerBody, Progress, RequestBody, Source};
use crate::cache::ask::Asked;
use crate::cache::keep::Kept;
use crate::cache::{self, Visit};
use crate::compress;
use crate::exchange::Exchange;
use crate::files;
use crate::images;
use crate::page::Page;
use crate::rules::{self, LiveRules, Verdict};
use crate::table::{LiveRoute, LiveTarget};
use crate::worker::accept::Client;
use crate::worker::http2::Stream;
use hold::Hold;
pub(crate) use hold::{HoldOver, Lack};
pub(crate) use send::Failed;
use send::Outcome;

/// Answers one request of a client; `stream` where it is one of many at once.
pub(crate) async fn serve(
    client: Rc<Client>,
    stream: Option<Stream>,
    mut request: Request<Incoming>,
) -> Response<AnswerBody> {
    match &stream {
        Some(_) => http2::write_as_http1(&mut request),
        None => client.pulse.serving(),
    }
    let scan = head::Scan::of(request.headers());
    let upgrade = scan.has_upgrade.then(|| hyper::upgrade::on(&mut request));
    let (parts, incoming) = request.into_parts();
    let waits = stream.is_none() && parts.headers.contains_key(header::EXPECT);
    let incoming = (!incoming.is_end_stream()).then(|| (incoming, Rc::new(Progress::default())));
    let unread = incoming
        .as_ref()
        .filter(|_| waits)
        .map(|(_, progress)| Rc::clone(progress));
    let mut answer = answer(client, stream, parts, scan, incoming, upgrade).await;
    // A client that was not told to send its body may send its next request instead (RFC 9110, 10.1.1), and hyper would
    // take the first bytes of that for the body.
    if unread.is_some_and(|progress| !progress.asked.get()) {
        let close = HeaderValue::from_static("close");
        answer.headers_mut().insert(header::CONNECTION, close);
    }
    answer
}

/// Answers one request that has no body and asks for no upgrade.
pub(crate) async fn serve_plain(client: Rc<Client>, parts: request::Parts) -> Response<AnswerBody> {
    client.pulse.serving();
    let scan = head::Scan::of(&parts.headers);
    answer(client, None, parts, scan, None, None).await
}

async fn answer(
    client: Rc<Client>,
    stream: Option<Stream>,
    mut parts: request::Parts,
    mut scan: head::Scan,
    incoming: Option<(Incoming, Rc<Progress>)>,
    upgrade: Option<OnUpgrade>,
) -> Response<AnswerBody> {
    let id = ids::request_id(scan.only_id());
    let accept = scan.accept.take();
    let mut exchange = Exchange::begin(Rc::clone(&client), stream, &parts, id);
    exchange.codings = scan.codings_taken.take();
    exchange.trace = scan.trace.parent().cloned();

    let mut body = RequestBody::default();
    if let Some((incoming, progress)) = incoming {
        exchange.progress = Some(Rc::clone(&progress));
        body = RequestBody::new(incoming, progress, &exchange);
    }
    let host = match head::check(&mut parts, &mut scan) {
        Ok(host) => host,
        Err(refusal) => return Page::refused(&refusal).answer(exchange, accept.as_ref()),
    };
    if exchange.uri.authority().is_some() {
        exchange.uri = parts.uri.clone();
    }
    exchange.visits = scan.visits.filter(|_| client.is_local());
    let misdirected = !client.may_ask_for(host.name());
    exchange.host = Some(host);
    if misdirected {
        return Page::misdirected().answer(exchange, accept.as_ref());
    }
    if let Some(proof) = challenge::proof(&exchange) {
        return challenge::answer(exchange, proof);
    }
    let upgrade = upgrade.filter(|_| exchange.progress.is_none() && head::may_upgrade(&parts));
    exchange.upgrades = upgrade.is_some();
    head::strip_request(&mut parts.headers, scan, upgrade.is_some());
    parts.version = Version::HTTP_11;
    let request = Request::from_parts(parts, body);
    rules::dress(route(exchange, request, upgrade, accept).await)
}

/// Notes in the log a request whose head is too large: it was refused (431) before it could be read.
pub(crate) fn note_unread(client: Rc<Client>) {
    let (mut head, ()) = Request::new(()).into_parts();
    head.method = Method::from_bytes(b"-").unwrap_or_default();
    let mut exchange = Exchange::begin(client, None, &head, ids::request_id(None));
    exchange.status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE.as_u16();
}

/// Finds the route and answers by it, again and again while the request is held.
async fn route(
    mut exchange: Box<Exchange>,
    request: Request<RequestBody>,
    upgrade: Option<OnUpgrade>,
    accept: Option<HeaderValue>,
) -> Response<AnswerBody> {
    let mut request = Some(request);
    let mut hold = Hold::default();
    loop {
        let Some(route) = find(&mut exchange, request.as_ref()) else {
            let host = exchange.host.as_ref().map(head::Host::name).unwrap_or_default();
            let host = String::from_utf8_lossy(host).into_owned();
            return Page::nobody_here(&host).answer(exchange, accept.as_ref());
        };
        exchange.route = Some(Arc::clone(&route));
        if canary::start_over(&mut exchange, request.as_mut(), &route) {
            continue;
        }
        if let Some(port) = redirect::port(&exchange, &route) {
            return redirect::answer(exchange, port);
        }
        if let Some(rules) = &route.rules
            && let Some(request) = &mut request
        {
            match rules::ask(rules, &route, &mut exchange, request) {
                Verdict::GoOn => {}
                Verdict::Elsewhere => continue,
                Verdict::Reply(reply) => return reply.answer(exchange, accept.as_ref()),
            }
            if images::asked_for(&exchange, rules) {
                let headers = std::mem::take(request.headers_mut());
                return images::serve(exchange, headers, &route, accept.as_ref()).await;
            }
        }
        let backends = match &route.target {
            LiveTarget::Instances(backends) => backends,
            LiveTarget::Nothing(reason) => {
                return Page::nothing(&route, *reason).answer(exchange, accept.as_ref());
            }
            LiveTarget::Files(site) => {
                let headers = request
                    .map(|request| request.into_parts().0.headers)
                    .unwrap_or_default();
                return files::serve(exchange, site, headers, accept.as_ref()).await;
            }
        };
        if exchange.visit.is_none()
            && let Some(scope) = route.scope.get().filter(|scope| scope.is_learnt())
            && let Some(asking) = &mut request
        {
            match cache::ask::ask(exchange, asking, &route, scope).await {
                Asked::Answered(answer) => return answer,
                Asked::Backend(back) => exchange = back,
            }
        }
        let limit = route.rules.as_ref().and_then(LiveRules::timeout);
        let attempt = send::attempt(&mut exchange, &mut request, &route, backends);
        let outcome = rules::within(limit, attempt).await;
        match outcome.unwrap_or_else(|| send::too_late(&exchange)) {
            Outcome::Plain(answer) => {
                let (parts, body) = answer.into_parts();
                return pass_on(exchange, parts, Source::Plain(body), &route);
            }
            Outcome::Answered(answer) => return finish(exchange, answer, upgrade, &route, accept),
            Outcome::Failed(failed) => {
                return match cache::keep::instead_of_failure(exchange, &route) {
                    Ok(answer) => answer,
                    Err(exchange) => Page::failed(&route, failed).answer(exchange, accept.as_ref()),
                };
            }
            Outcome::TooMany => {
                route.share.refuse();
                return match cache::keep::instead_of_failure(exchange, &route) {
                    Ok(answer) => answer,
                    Err(exchange) => Page::over_limit(&route).answer(exchange, accept.as_ref()),
                };
            }
            lacking @ (Outcome::NobodyThere | Outcome::Full) => {
                let lack = match lacking {
                    Outcome::Full => Lack::Room,
                    _ if backends.is_empty() => Lack::Instance,
                    _ => Lack::Connection,
                };
                exchange.lease = None;
                exchange = match cache::keep::instead_of_failure(exchange, &route) {
                    Ok(answer) => return answer,
                    Err(exchange) => exchange,
                };
                if let Some(request) = &mut request {
                    Visit::give_up(&mut exchange, request.headers_mut());
                }
                if canary::leave(&mut exchange, &route) {
                    continue;
                }
                let shared = &exchange.client.worker.shared;
                if let Err(over) = hold.wait(shared, &route, lack).await {
                    return Page::hold_over(&route, &over).answer(exchange, accept.as_ref());
                }
            }
        }
    }
}

/// What a path answers to a request of the front door itself on the host of one it is answering. A box, as this may be
/// asked for while a request is answered.
pub(crate) fn on_same_host(
    exchange: Box<Exchange>,
    request: Request<RequestBody>,
) -> Pin<Box<dyn Future<Output = Response<AnswerBody>>>> {
    Box::pin(async move { rules::dress(route(exchange, request, None, None).await) })
}

/// Asks a backend once for what the cache wants to have newer. Nobody waits for the answer: nothing is held for it,
/// and a failure is shown to nobody.
pub(crate) async fn refresh(mut exchange: Box<Exchange>, request: Request<RequestBody>, route: &LiveRoute) {
    let LiveTarget::Instances(backends) = &route.target else {
        return;
    };
    match send::attempt(&mut exchange, &mut Some(request), route, backends).await {
        Outcome::Plain(answer) => {
            let (parts, body) = answer.into_parts();
            drop(pass_on(exchange, parts, Source::Plain(body), route));
        }
        Outcome::Answered(answer) => drop(finish(exchange, answer, None, route, None)),
        Outcome::Failed(_) | Outcome::NobodyThere | Outcome::Full | Outcome::TooMany => {}
    }
}

fn find(exchange: &mut Exchange, request: Option<&Request<RequestBody>>) -> Option<Arc<LiveRoute>> {
    let table = exchange.client.worker.shared.table.load();
    let route = match exchange.client.door.port {
        // A stable port is for other programs, which keep no cookies.
        Some(port) => return table.ports.get(&port).cloned(),
        None => {
            let host = exchange.host.as_ref()?;
            Arc::clone(table.find(host.name(), exchange.place().path())?)
        }
    };
    drop(table);
    match route.canary.get() {
        Some(canary) => Some(canary::choose(exchange, request, &route, canary)),
        None => Some(route),
    }
}

/// Passes a backend's answer on.
fn finish(
    mut exchange: Box<Exchange>,
    answer: Response<Incoming>,
    upgrade: Option<OnUpgrade>,
    route: &LiveRoute,
    accept: Option<HeaderValue>,
) -> Response<AnswerBody> {
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        return match upgrade {
            Some(upgrade) => tunnel::begin(exchange, answer, upgrade, route),
            None => Page::failed(route, Failed::Malformed).answer(exchange, accept.as_ref()),
        };
    }
    if exchange.stream.is_some() && exchange.upgrades && answer.status().is_success() {
        // To the client it would be the beginning of a tunnel.
        return Page::failed(route, Failed::Malformed).answer(exchange, accept.as_ref());
    }
    let (mut parts, incoming) = answer.into_parts();
    if let Some(visit) = &mut exchange.visit {
        visit.ends_with_connection = parts.version != Version::HTTP_2
            && incoming.size_hint().exact().is_none()
            && !parts.headers.contains_key(header::TRANSFER_ENCODING);
    }
    if head::edit_answer(&mut parts.headers).is_err() {
        return Page::failed(route, Failed::Malformed).answer(exchange, accept.as_ref());
    }
    pass_on(exchange, parts, Source::Backend(incoming), route)
}

/// Gives the client the cookie by which it stays on the backend that answers.
fn keep_here(exchange: &Exchange, route: &LiveRoute, headers: &mut HeaderMap) {
    let Some((sticky, lease)) = route.sticky.as_ref().zip(exchange.lease.as_ref()) else {
        return;
    };
    let cookie = sticky.cookie(lease.in_flight.backend(), exchange.client.is_tls());
    headers.extend(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
}

/// Whether an answer is a stream of events, which goes on until somebody closes it.
fn is_endless(headers: &HeaderMap) -> bool {
    const EVENTS: &[u8] = b"text/event-stream";
    let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    kind.and_then(|kind| kind.get(..EVENTS.len()))
        .is_some_and(|kind| kind.eq_ignore_ascii_case(EVENTS))
}

/// Passes on an answer of which only our notes are missing.
fn pass_on(
    mut exchange: Box<Exchange>,
    mut parts: response::Parts,
    mut source: Source,
    route: &LiveRoute,
) -> Response<AnswerBody> {
    if let Some(visit) = exchange.visit.take() {
        match cache::keep::keep(exchange, visit, parts, source, route) {
            Kept::Answered(answer) => return answer,
            Kept::Passed(back, head, body) => (exchange, parts, source) = (back, head, body),
        }
    } else if let Some(scope) = route.scope.get() {
        cache::look(&exchange, &parts, scope);
    }
    if let Some(result) = exchange.cache {
        cache::note(&mut parts.headers, result);
    }
    if route.compresses(source.size_hint().exact()) {
        source = compress::answer::compress(&exchange, &mut parts, source);
    }
    if exchange.strays && !cache::is_for_all(&exchange, &parts) {
        keep_here(&exchange, route, &mut parts.headers);
    }
    head::sign_answer(&mut parts.headers, route.release.as_ref(), &exchange.id);
    if is_endless(&parts.headers) {
        exchange.pulse().endless();
        exchange.is_endless = true;
    }
    parts.version = Version::HTTP_11;
    exchange.status = parts.status.as_u16();
    exchange.upstream = Some(exchange.began.elapsed());
    Response::from_parts(parts, AnswerBody::new(source, exchange))
}
