//! What clients send, by what is odd about it.

mod bodies;
mod chunks;
mod fields;
mod lines;

use super::case::Case;

pub(super) fn all() -> Vec<Case> {
    [bodies::cases(), chunks::cases(), lines::cases(), fields::cases()]
        .into_iter()
        .flatten()
        .collect()
}
