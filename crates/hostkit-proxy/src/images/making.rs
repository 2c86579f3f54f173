//! The making of one image, once for all who ask for it. It goes on when they went away: the work is done by then, and
//! what comes of it is kept.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use hostkit_core::image::{Format, Order, Outcome};
use hostkit_core::route::images::Images;
use http::header::{self, HeaderMap};
use http::{HeaderName, HeaderValue, Response};
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use super::process;
use super::question::Question;
use super::refusal::Refusal;
use super::source::{self, Asking, Lasts};
use super::workshop::{Place, Told, Workshop};
use crate::cache::own::{Own, OwnPlace};
use crate::exchange::Exchange;
use crate::table::LiveRoute;
use crate::worker::accept::Client;
use crate::worker::pulse;

/// The longest it takes, with all waiting.
const TIME: Duration = Duration::from_secs(45);
/// How long what cannot be made is not tried again.
const REFUSED: Duration = Duration::from_secs(30);
/// How long an image of a release's own files is used: a deploy begins anew.
const OF_RELEASE: Duration = Duration::from_secs(365 * 24 * 3600);
/// Nothing of it may ever run, opened by itself or not.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'none'; frame-src 'none'; style-src 'unsafe-inline'; sandbox",
);

/// An image to make.
pub(super) struct Making {
    asking: Asking,
    order: Order,
    at_least: Duration,
    place: OwnPlace,
    _among_others: Place,
}

impl Making {
    /// What is to be made for a request, if there is room for it.
    pub(super) fn new(
        exchange: &Exchange,
        headers: &HeaderMap,
        route: &Arc<LiveRoute>,
        question: &Question,
        settings: &Images,
        place: OwnPlace,
    ) -> Result<Making, Refusal> {
        let among_others = Workshop::place(&exchange.client.worker.shared, &route.id)?;
        let client = Client::beside(&exchange.client).ok_or(Refusal::Busy)?;
        client.pulse.serving();
        Ok(Making {
            asking: Asking {
                client,
                host: exchange.host.clone(),
                id: exchange.id.clone(),
                source: question.source.clone(),
                password: headers.get(header::AUTHORIZATION).cloned(),
            },
            order: Order {
                width: question.width,
                quality: question.quality,
                format: question.format,
                svg: settings.svg,
            },
            at_least: settings.keep.0,
            place,
            _among_others: among_others,
        })
    }

    /// Makes it, keeps it, and tells those who wait.
    pub(super) async fn run(self, teller: watch::Sender<Told>) {
        let client = Rc::clone(&self.asking.client);
        let shared = Arc::clone(&client.worker.shared);
        let place = self.place.clone();
        let mut work = pin!(tokio::time::timeout(TIME, self.make()));
        let mut waker = None;
        // What ends connections that wait too long ends this, too.
        let ended = poll_fn(|context| match client.pulse.order(context, &mut waker) {
            pulse::Order::End => Poll::Ready(None),
            pulse::Order::GoOn | pulse::Order::WindUp => work.as_mut().poll(context).map(Some),
        });
        let outcome = match ended.await {
            Some(Ok(outcome)) => outcome,
            Some(Err(_)) | None => Err(Refusal::Source(http::StatusCode::SERVICE_UNAVAILABLE)),
        };
        if let Err(refusal) = &outcome
            && let Some(own) = refusal.to_keep(REFUSED)
        {
            place.keep(&shared, &own);
        }
        teller.send_replace(Some(outcome));
        // Only now: who comes in between finds it kept or is told.
        shared.images.forget(&place.key);
    }

    async fn make(self) -> Result<Own, Refusal> {
        let shared = Arc::clone(&self.asking.client.worker.shared);
        let program = shared.images.program.clone().ok_or(Refusal::Failed)?;
        let source = source::get(&self.asking, &shared.images.memory).await?;
        let lasts = source.lasts;
        let turns = Arc::clone(&shared.images.turns);
        let turn = turns.acquire_owned().await.map_err(|_| Refusal::Failed)?;
        let order = self.order;
        let made = tokio::task::spawn_blocking(move || {
            let made = process::make(&program, &order, &source.bytes);
            // Whoever waited may be gone; the turn is over when the process is.
            drop(turn);
            (made, source)
        });
        let (made, source) = made.await.map_err(|_| Refusal::Failed)?;
        let (outcome, bytes) = made?;
        let (format, bytes) = match outcome {
            Outcome::Made(format) => (format, Bytes::from(bytes)),
            // Which bytes those are is not its to say.
            Outcome::AsIs(format) => (format, source.bytes.clone()),
            Outcome::Unusable(why) => return Err(Refusal::Unusable(why)),
        };
        let (fresh, control) = match lasts {
            Lasts::WithRelease(said) => (OF_RELEASE, for_all(said.max(self.at_least))),
            Lasts::For(said) => {
                let fresh = said.max(self.at_least);
                (fresh, for_all(fresh))
            }
            Lasts::Never => (Duration::ZERO, "private, no-store".to_owned()),
        };
        let own = answer(format, bytes, &control, fresh).ok_or(Refusal::Failed)?;
        if lasts != Lasts::Never {
            self.place.keep(&shared, &own);
        }
        Ok(own)
    }
}

fn for_all(time: Duration) -> String {
    format!("public, max-age={}, must-revalidate", time.as_secs())
}

fn answer(format: Format, bytes: Bytes, control: &str, fresh: Duration) -> Option<Own> {
    let mut parts = Response::new(()).into_parts().0;
    let digest = Sha256::digest(&bytes);
    let tag: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    // An SVG that somebody opens by itself is a document.
    let shown = if format == Format::Svg {
        "attachment"
    } else {
        "inline"
    };
    let shown = format!("{shown}; filename=\"image.{}\"", format.extension());
    let headers = &mut parts.headers;
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(format.media_type()),
    );
    headers.insert(header::VARY, HeaderValue::from_static("Accept"));
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    let texts: [(HeaderName, &str); 3] = [
        (header::CACHE_CONTROL, control),
        (header::ETAG, &format!("\"{tag}\"")),
        (header::CONTENT_DISPOSITION, &shown),
    ];
    for (name, text) in texts {
        headers.insert(name, HeaderValue::from_str(text).ok()?);
    }
    Own::new(&parts, bytes, fresh)
}
