//! `hostkit storage presign`.

use std::time::Duration;

use hostkit_core::size::Span;
use serde_json::json;

use super::open;
use crate::args::{OfEnvironment, Place};
use crate::session::Session;
use crate::stop::Stop;

/// The longest that a URL may be signed for.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

pub(super) async fn run(
    session: &Session<'_>,
    place: &Place,
    environment: &OfEnvironment,
    expires: Span,
    is_put: bool,
) -> Result<(), Stop> {
    let key = place.one()?;
    if expires.0 > LONGEST || expires.0 < Duration::from_secs(1) {
        let message = format!("cannot sign a URL for {expires}: 1 second to 7 days are possible");
        return Err(Stop::usage(
            message,
            "for longer, make a prefix public: `hostkit storage policy NAME --public PREFIX`",
        ));
    }
    let bucket = open(session, place, environment).await?;
    let url = bucket.url(if is_put { "PUT" } else { "GET" }, key, expires.0);
    let printer = session.printer();
    match printer.wants_json() {
        true => printer.json(&json!({ "url": url, "expires_seconds": expires.0.as_secs() })),
        false => printer.line(&url),
    }
}
