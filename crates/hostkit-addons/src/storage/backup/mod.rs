//! A copy of all that a storage holds, as a tar: the index as it was at one moment ([`export`]), then every file that it
//! names; and the way back, into a folder beside what is there ([`bring_in`]).
//!
//! ```text
//! index.sqlite
//! contents/3f/3f…   16 random bytes in hexadecimal digits, in this order
//! ```

mod bring_in;
mod export;

use std::collections::BTreeMap;

use super::contents::ContentId;
use super::index::Holdings;

/// Where an answer says what was counted of a copy: an object of JSON.
pub const COUNTS: &str = "x-hostkit-counts";

/// The index in a copy.
const INDEX: &str = "index.sqlite";

/// A file in a copy.
fn path_of(id: ContentId) -> String {
    let text = id.text();
    format!("contents/{}/{text}", &text[..2])
}

/// What was counted, by name.
fn counts(held: &Holdings) -> BTreeMap<String, u64> {
    [
        ("buckets", held.buckets),
        ("objects", held.objects),
        ("bytes of objects", held.bytes),
        ("uploads under way", held.uploads),
        ("parts of uploads", held.parts),
    ]
    .map(|(name, count)| (name.to_owned(), count))
    .into()
}
