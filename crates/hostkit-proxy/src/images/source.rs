//! The image as it is on the site. It is asked for as any stranger would ask, through all rules of the route that answers
//! it: without cookies, so that nobody's own image becomes everybody's.

use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hostkit_core::image::{MOST_SOURCE, Unusable};
use http::header::{self, HeaderValue};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::BodyExt;
use hyper::body::Body;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::refusal::Refusal;
use crate::body::{AnswerBody, RequestBody};
use crate::cache::own;
use crate::exchange::Exchange;
use crate::forward;
use crate::forward::head::Host;
use crate::rules::LiveRules;
use crate::table::LiveTarget;
use crate::worker::accept::Client;

/// What a request for a source says of who asks.
const AGENT: HeaderValue = HeaderValue::from_static("hostkit-images");
const IMAGES: HeaderValue = HeaderValue::from_static("image/*");
/// The longest until it is there.
const TIME: Duration = Duration::from_secs(20);

/// Where a source is.
pub(super) struct Asking {
    pub(super) client: Rc<Client>,
    pub(super) host: Option<Host>,
    pub(super) id: HeaderValue,
    pub(super) source: String,
    /// What the visitor was let in with, where the site asks for a password.
    pub(super) password: Option<HeaderValue>,
}

/// A source, and the memory it may take.
pub(super) struct Source {
    pub(super) bytes: Bytes,
    pub(super) lasts: Lasts,
    _memory: OwnedSemaphorePermit,
}

/// How long what is made of it may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lasts {
    /// As long as the release is live; browsers may keep it for so long.
    WithRelease(Duration),
    /// As the program says.
    For(Duration),
    /// Not beyond those who wait for it.
    Never,
}

/// Gets a source.
pub(super) async fn get(asking: &Asking, memory: &Arc<Semaphore>) -> Result<Source, Refusal> {
    let source = fetch(asking, memory);
    let late = Refusal::Source(StatusCode::SERVICE_UNAVAILABLE);
    tokio::time::timeout(TIME, source).await.unwrap_or(Err(late))
}

async fn fetch(asking: &Asking, memory: &Arc<Semaphore>) -> Result<Source, Refusal> {
    let uri: Uri = asking
        .source
        .parse()
        .map_err(|_| Refusal::Question("`url` is not a path."))?;
    let mut request = Request::new(RequestBody::default());
    *request.method_mut() = Method::GET;
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    if let Some(host) = &asking.host {
        headers.insert(header::HOST, host.value.clone());
    }
    headers.insert(header::ACCEPT, IMAGES);
    headers.insert(header::USER_AGENT, AGENT);
    if let Some(password) = asking
        .password
        .as_ref()
        .filter(|_| asks_for_password(asking, &asking.source))
    {
        headers.insert(header::AUTHORIZATION, password.clone());
    }
    let (head, body) = request.into_parts();
    let mut exchange = Exchange::begin(Rc::clone(&asking.client), None, &head, asking.id.clone());
    exchange.host.clone_from(&asking.host);
    let answer = forward::on_same_host(exchange, Request::from_parts(head, body)).await;
    let (parts, body) = answer.into_parts();
    if parts.status != StatusCode::OK {
        return Err(Refusal::Source(parts.status));
    }
    if parts.headers.contains_key(header::CONTENT_ENCODING) {
        return Err(Refusal::Source(StatusCode::BAD_GATEWAY));
    }
    let route = body.exchange().and_then(|exchange| exchange.route.as_deref());
    let is_file = route.is_some_and(|route| matches!(route.target, LiveTarget::Files(_)));
    let lasts = match own::lifetime(&parts.headers) {
        None => Lasts::Never,
        Some(said) if is_file => Lasts::WithRelease(said),
        Some(said) => Lasts::For(said),
    };
    let (bytes, memory) = read(body, memory).await?;
    Ok(Source {
        bytes,
        lasts,
        _memory: memory,
    })
}

/// Whether the route that answers a path lets nobody in without a password: then it takes that out of the request, and
/// no program gets to see it.
fn asks_for_password(asking: &Asking, path: &str) -> bool {
    let table = asking.client.worker.shared.table.load();
    let path = path.split('?').next().unwrap_or_default();
    let route = asking
        .host
        .as_ref()
        .and_then(|host| table.find(host.name(), path));
    route
        .and_then(|route| route.rules.as_ref())
        .is_some_and(LiveRules::has_password)
}

/// Reads a body when there is room for it.
async fn read(body: AnswerBody, memory: &Arc<Semaphore>) -> Result<(Bytes, OwnedSemaphorePermit), Refusal> {
    let too_large = Refusal::Unusable(Unusable::TooLarge);
    let length = body.size_hint().exact();
    let most = match length {
        Some(length) => usize::try_from(length).unwrap_or(usize::MAX),
        None => MOST_SOURCE,
    };
    if most > MOST_SOURCE {
        return Err(too_large);
    }
    let room = u32::try_from(most.div_ceil(1024).max(1)).map_err(|_| too_large)?;
    let room = Arc::clone(memory).acquire_many_owned(room).await;
    let room = room.map_err(|_| Refusal::Failed)?;
    let mut body = pin!(body);
    let mut bytes = BytesMut::with_capacity(length.map_or(0, |_| most));
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Refusal::Source(StatusCode::BAD_GATEWAY))?;
        let data = frame.into_data().unwrap_or_default();
        if bytes.len() + data.len() > MOST_SOURCE {
            return Err(too_large);
        }
        bytes.extend_from_slice(&data);
    }
    Ok((bytes.freeze(), room))
}
