//! What the front door says where a rule does not let a request through.

use http::StatusCode;

use crate::page::{Page, subject};
use crate::table::LiveRoute;

/// When a visitor may look again during maintenance, in seconds: nobody knows, but robots ask.
const BACK_SOON: u64 = 300;

impl Page {
    /// A project that is being worked on.
    pub(crate) fn maintenance(route: Option<&LiveRoute>) -> Page {
        let subject = route.map_or_else(|| "This service".to_owned(), subject);
        Page::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "maintenance",
            "Back soon",
            format!("{subject} is being worked on."),
        )
        .retry_after(BACK_SOON)
    }

    /// An address that is not on the list.
    pub(crate) fn not_allowed() -> Page {
        Page::new(
            StatusCode::FORBIDDEN,
            "address_not_allowed",
            "Not for this address",
            "Only some addresses may come here, and yours is none of them.",
        )
    }

    /// Nobody knows yet who asks.
    pub(crate) fn password_needed() -> Page {
        Page::new(
            StatusCode::UNAUTHORIZED,
            "password_needed",
            "A password is needed",
            "This address is not public: a name and a password are needed.",
        )
    }

    /// More requests than are taken.
    pub(crate) fn too_many(seconds: u64) -> Page {
        Page::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_requests",
            "Too many requests",
            format!("More requests came than are taken. Try again in {seconds} s."),
        )
        .retry_after(seconds)
    }

    /// A body that is too large.
    pub(crate) fn too_large() -> Page {
        Page::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            "Too large",
            "The request's body is larger than is taken here.",
        )
        .closing()
    }

    /// A path that is too long for rules.
    pub(crate) fn path_too_long() -> Page {
        Page::new(
            StatusCode::URI_TOO_LONG,
            "path_too_long",
            "This address is too long",
            "The path of the request is longer than is taken here.",
        )
        .closing()
    }
}
