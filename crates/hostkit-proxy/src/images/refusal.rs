//! Why there is no image, as it is told and as it is kept: what cannot be made is not tried again for a moment.

use bytes::Bytes;
use hostkit_core::image::Unusable;
use http::{Response, StatusCode};

use crate::cache::own::Own;
use crate::page::Page;

/// Why there is no image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// What is asked for is not allowed.
    Question(&'static str),
    /// The site answers so in its place.
    Source(StatusCode),
    /// Nothing can be made of what the site answers.
    Unusable(Unusable),
    /// More is being made than may be.
    Busy,
    /// It took too long.
    Late,
    /// The process that makes it ended without a word, or could not be started.
    Failed,
}

/// Refusals that are kept, by the name they are kept as.
const KEPT: [(Refusal, &str); 6] = [
    (Refusal::Unusable(Unusable::NotAnImage), "not_an_image"),
    (Refusal::Unusable(Unusable::Svg), "svg"),
    (Refusal::Unusable(Unusable::Broken), "broken"),
    (Refusal::Unusable(Unusable::TooLarge), "too_large"),
    (Refusal::Late, "late"),
    (Refusal::Failed, "failed"),
];

impl Refusal {
    /// As it is kept; nothing where it may be over at once.
    pub(super) fn to_keep(self, fresh: std::time::Duration) -> Option<Own> {
        let (_, name) = KEPT.iter().find(|(refusal, _)| *refusal == self)?;
        let mut parts = Response::new(()).into_parts().0;
        parts.status = StatusCode::BAD_REQUEST;
        Own::new(&parts, Bytes::from_static(name.as_bytes()), fresh)
    }

    /// The refusal that was kept; nothing where an image was.
    pub(super) fn kept(own: &Own) -> Option<Refusal> {
        if own.status() == StatusCode::OK {
            return None;
        }
        let found = KEPT.iter().find(|(_, name)| own.body() == name.as_bytes());
        Some(found.map_or(Refusal::Failed, |(refusal, _)| *refusal))
    }

    /// The page about it.
    pub(super) fn page(self) -> Page {
        let bad = StatusCode::BAD_REQUEST;
        let page = |status, code, message: &str| Page::new(status, code, "No image", message);
        match self {
            Refusal::Question(why) => page(bad, "bad_image_request", why),
            Refusal::Source(status) => match status {
                StatusCode::NOT_FOUND | StatusCode::GONE => page(
                    StatusCode::NOT_FOUND,
                    "no_such_image",
                    "The site has no image at this `url`.",
                ),
                StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => page(
                    status,
                    "image_not_available",
                    "The site cannot answer with this image now.",
                )
                .retry_after(5),
                _ => page(
                    StatusCode::BAD_GATEWAY,
                    "bad_image_source",
                    "The site answers this `url` with something else than an image for everybody.",
                ),
            },
            Refusal::Unusable(Unusable::NotAnImage) => page(
                bad,
                "not_an_image",
                "What the site has at this `url` is no JPEG, PNG, GIF or WebP.",
            ),
            Refusal::Unusable(Unusable::Svg) => page(
                bad,
                "svg_not_allowed",
                "What the site has at this `url` is an SVG, which is passed only where `svg` of `[images]` allows it.",
            ),
            Refusal::Unusable(Unusable::Broken) => {
                page(bad, "broken_image", "The image at this `url` is damaged.")
            }
            Refusal::Unusable(Unusable::TooLarge) => page(
                StatusCode::PAYLOAD_TOO_LARGE,
                "image_too_large",
                "The image at this `url` is larger than is taken.",
            ),
            Refusal::Busy => page(
                StatusCode::SERVICE_UNAVAILABLE,
                "too_many_images",
                "As many images as may be are being made already.",
            )
            .retry_after(1),
            Refusal::Late => page(
                StatusCode::GATEWAY_TIMEOUT,
                "image_late",
                "The image was not made in time.",
            ),
            Refusal::Failed => page(
                StatusCode::INTERNAL_SERVER_ERROR,
                "image_failed",
                "The image could not be made.",
            ),
        }
    }
}
