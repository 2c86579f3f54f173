//! What conditions of rules find in a request.

use std::borrow::Cow;

use hostkit_core::route::condition::{Condition, Place};
use hostkit_core::route::pattern::Params;
use http::{HeaderMap, header};
use percent_encoding::percent_decode_str;

use crate::exchange::Exchange;

/// Whether a request has all of `has` and none of `missing`. What was found is noted in `params`.
pub(super) fn hold(
    (has, missing): (&[Condition], &[Condition]),
    exchange: &Exchange,
    headers: &HeaderMap,
    params: &mut Params,
) -> bool {
    for condition in has {
        let found = find(condition, exchange, headers);
        if !condition.holds(found.as_deref()) {
            return false;
        }
        condition.note(found.as_deref().unwrap_or_default(), params);
    }
    !missing
        .iter()
        .any(|condition| condition.holds(find(condition, exchange, headers).as_deref()))
}

fn find<'a>(condition: &Condition, exchange: &'a Exchange, headers: &'a HeaderMap) -> Option<Cow<'a, str>> {
    let key = condition.key.as_deref().unwrap_or_default();
    match condition.place {
        Place::Host => {
            let host = String::from_utf8_lossy(exchange.host.as_ref()?.name());
            Some(host.to_ascii_lowercase().into())
        }
        Place::Header if key.eq_ignore_ascii_case("host") => {
            let host = &exchange.host.as_ref()?.value;
            Some(String::from_utf8_lossy(host.as_bytes()))
        }
        Place::Header => Some(String::from_utf8_lossy(headers.get(key)?.as_bytes())),
        Place::Cookie => {
            let lines = headers.get_all(header::COOKIE).iter();
            let mut pairs = lines
                .filter_map(|line| line.to_str().ok())
                .flat_map(|line| line.split(';'));
            pairs.find_map(|pair| {
                let (name, value) = pair.trim().split_once('=')?;
                (name == key).then_some(Cow::Borrowed(value))
            })
        }
        Place::Query => {
            let mut pairs = exchange.uri.query()?.split('&');
            pairs.find_map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (decoded(name) == key).then(|| decoded(value))
            })
        }
    }
}

/// Of a query: a plus is a space there.
fn decoded(text: &str) -> Cow<'_, str> {
    if text.contains('+') {
        let spaced = text.replace('+', " ");
        return percent_decode_str(&spaced)
            .decode_utf8_lossy()
            .into_owned()
            .into();
    }
    percent_decode_str(text).decode_utf8_lossy()
}
