//! Images of a site in other sizes, at an address of our own. [`question`] reads what is asked for, [`making`] has it
//! made once for all who ask, [`workshop`] bounds how much of that goes on, [`source`] gets the image as a stranger
//! would, [`process`] hands it to a process that has no rights. What is made is kept in the cache of answers.

mod making;
mod process;
mod question;
mod refusal;
mod source;
mod workshop;

use std::sync::Arc;

use hostkit_core::route::images::{PATH, VERCEL_PATH};
use http::{HeaderMap, HeaderValue, Method, Response};

use crate::body::AnswerBody;
use crate::cache::CacheResult;
use crate::cache::own::OwnPlace;
use crate::exchange::Exchange;
use crate::page::Page;
use crate::rules::LiveRules;
use crate::table::LiveRoute;
use making::Making;
use question::Question;
use refusal::Refusal;
pub(crate) use workshop::Workshop;

/// How often an image is waited for that somebody else has made, whose maker went away.
const TRIES: usize = 3;

/// Whether a request is for an image in another size, and the route has those.
pub(crate) fn asked_for(exchange: &Exchange, rules: &LiveRules) -> bool {
    rules.images().is_some()
        && exchange.client.door.port.is_none()
        && matches!(exchange.uri.path(), PATH | VERCEL_PATH)
}

/// Answers with an image.
pub(crate) async fn serve(
    exchange: Box<Exchange>,
    headers: HeaderMap,
    route: &Arc<LiveRoute>,
    accept: Option<&HeaderValue>,
) -> Response<AnswerBody> {
    if !matches!(exchange.method, Method::GET | Method::HEAD) {
        return Page::only_reading().answer(exchange, accept);
    }
    match find(&exchange, &headers, route, accept).await {
        Ok((own, result)) => match Refusal::kept(&own) {
            None => own.answer(exchange, &headers, result, route),
            Some(refusal) => refusal.page().answer(exchange, accept),
        },
        Err(refusal) => refusal.page().answer(exchange, accept),
    }
}

/// What is kept, or what is made now.
async fn find(
    exchange: &Exchange,
    headers: &HeaderMap,
    route: &Arc<LiveRoute>,
    accept: Option<&HeaderValue>,
) -> Result<(crate::cache::own::Own, CacheResult), Refusal> {
    let rules = route.rules.as_ref();
    let settings = rules.and_then(LiveRules::images).ok_or(Refusal::Failed)?;
    let question = Question::read(exchange.uri.query(), settings, accept)?;
    let scope = route.scope.get().ok_or(Refusal::Failed)?;
    let shared = Arc::clone(&exchange.client.worker.shared);
    for _ in 0..TRIES {
        let place = OwnPlace::new(scope, exchange, &question.form(), &question.source);
        if let Some(own) = place.find(&shared, std::time::Instant::now()) {
            return Ok((own, CacheResult::Hit));
        }
        if let Some(own) = place.find_on_disk(&shared, std::time::Instant::now()).await {
            return Ok((own, CacheResult::Hit));
        }
        let mut told = shared.images.join(&place.key, |teller| {
            Making::new(exchange, headers, route, &question, settings, place.clone()).map(|making| {
                tokio::task::spawn_local(making.run(teller));
            })
        })?;
        // Whoever makes it tells how it ended; nothing is told where its thread ends first.
        let ended = told.wait_for(Option::is_some).await;
        if let Some(outcome) = ended.ok().and_then(|told| told.clone()) {
            return outcome.map(|own| (own, CacheResult::Miss));
        }
    }
    Err(Refusal::Busy)
}
