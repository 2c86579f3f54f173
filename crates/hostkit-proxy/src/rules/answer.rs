//! Answers: what rules and HostKit itself add to one before it goes to the client, and the ones rules give themselves.

use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};

use crate::body::{AnswerBody, Source};
use crate::exchange::Exchange;
use crate::forward::{canary, head};
use crate::page::Page;

/// Found out anew each time: a redirect that was a mistake must not live on in browsers.
const ALWAYS_ASK: HeaderValue = HeaderValue::from_static("public, max-age=0, must-revalidate");

/// Headers that may stand in an answer more than once: adding one takes no other away.
const SEVERAL: [HeaderName; 3] = [header::LINK, header::SET_COOKIE, header::VARY];

/// An answer that rules give themselves.
pub(crate) enum Reply {
    /// A page, with these headers.
    Page(Page, Vec<(HeaderName, HeaderValue)>),
    /// Another address.
    Redirect(StatusCode, HeaderValue),
    /// The answer to a question of a browser.
    Preflight(HeaderMap),
}

impl Reply {
    /// The answer to an exchange.
    pub(crate) fn answer(
        self,
        mut exchange: Box<Exchange>,
        accept: Option<&HeaderValue>,
    ) -> Response<AnswerBody> {
        let (status, own) = match self {
            Reply::Page(page, own) => {
                let mut answer = page.answer(exchange, accept);
                answer.headers_mut().extend(own);
                return answer;
            }
            Reply::Redirect(status, location) => {
                let pairs = [(header::LOCATION, location), (header::CACHE_CONTROL, ALWAYS_ASK)];
                (status, HeaderMap::from_iter(pairs))
            }
            Reply::Preflight(headers) => (StatusCode::NO_CONTENT, headers),
        };
        exchange.status = status.as_u16();
        let release = exchange.route.as_ref().and_then(|route| route.release.clone());
        let id = exchange.id.clone();
        let mut answer = Response::new(AnswerBody::new(Source::Empty, exchange));
        *answer.status_mut() = status;
        *answer.headers_mut() = own;
        head::sign_answer(answer.headers_mut(), release.as_ref(), &id);
        answer
    }
}

/// Adds to an answer of a public route what its rules say.
pub(crate) fn dress(answer: Response<AnswerBody>) -> Response<AnswerBody> {
    let (mut parts, body) = answer.into_parts();
    if let Some(exchange) = body.exchange()
        && exchange.client.door.port.is_none()
        && let Some(route) = &exchange.route
    {
        let headers = &mut parts.headers;
        if let Some(ruled) = &exchange.ruled {
            for (name, value) in &ruled.headers {
                match SEVERAL.contains(name) {
                    true => headers.append(name, value.clone()),
                    false => headers.insert(name, value.clone()).is_some(),
                };
            }
            let cors = ruled.by.rules.as_ref().and_then(|rules| rules.cors.as_ref());
            // Of a preflight all is said already.
            if let Some(cors) = cors.filter(|_| !ruled.is_preflight) {
                cors.dress(ruled.origin.as_ref(), headers);
            }
        }
        route.security.dress(headers, exchange.client.is_tls());
        canary::dress(exchange, &mut parts);
    }
    Response::from_parts(parts, body)
}
