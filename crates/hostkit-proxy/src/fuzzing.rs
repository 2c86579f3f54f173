//! Doors to private parsers for the fuzz targets in `fuzz/`. Not part of any normal build.

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request};

use crate::cache::directives::Directives;
use crate::compress::BY_COST;
use crate::compress::accept::Accepted;
use crate::files::conditions::{Part, Validators, part};
use crate::files::path;
use crate::forward::head;
use crate::metrics::AllSeries;
use crate::plain::head::{Read, read};
use crate::table::backend::Backends;
use crate::table::compile::{RawTable, compile};
use crate::table::saved::salvage;
use crate::table::sticky::Secret;

/// Headers as they were sent.
pub type Fields = Vec<(String, Vec<u8>)>;

/// An answer's head that goes the short way.
#[derive(Debug)]
pub struct ShortAnswer {
    /// The status.
    pub status: u16,
    /// The headers that go on.
    pub headers: Fields,
    /// The length of the body.
    pub length: u64,
    /// What is there of it.
    pub body: Bytes,
}

/// Target and headers of a request that goes the short way; nothing where it is left to hyper.
pub fn plain_request(bytes: &[u8]) -> Option<(String, Fields)> {
    let bytes = Bytes::copy_from_slice(bytes);
    let request = crate::worker::plain::request::read(&bytes, 64 << 10, HeaderMap::new())?;
    let headers = request.parts.headers.iter();
    let headers = headers.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()));
    Some((request.parts.uri.to_string(), headers.collect()))
}

/// What is read of an answer the short way; nothing where it is left to hyper.
pub fn short_answer(bytes: &[u8]) -> Option<ShortAnswer> {
    match read(&Bytes::copy_from_slice(bytes)) {
        Read::Other(kept) => {
            assert_eq!(kept, bytes, "hyper must see every byte that was read");
            None
        }
        Read::Simple(simple) => Some(ShortAnswer {
            status: simple.status.as_u16(),
            headers: simple
                .headers
                .iter()
                .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
                .collect(),
            length: simple.length,
            body: simple.body,
        }),
    }
}

/// Whether a header is left out of every answer.
pub fn is_left_out(name: &str) -> bool {
    head::is_left_out(name)
}

/// Brings a request's head into the form in which it goes on: its parts, and the name of the host; nothing where it is refused.
pub fn request_head(request: Request<()>) -> Option<(Parts, Vec<u8>)> {
    let mut scan = head::Scan::of(request.headers());
    let (mut parts, ()) = request.into_parts();
    let host = head::check(&mut parts, &mut scan).ok()?;
    let upgrade = scan.has_upgrade && head::may_upgrade(&parts);
    head::strip_request(&mut parts.headers, scan, upgrade);
    Some((parts, host.name().to_vec()))
}

/// The file a path asks for.
pub fn wanted_file(path: &str) -> Option<Vec<u8>> {
    path::wanted(path).map(|wanted| wanted.file)
}

/// Which bytes of a file a request gets: from where, and how many.
pub fn range(request: &HeaderMap, size: u64) -> Option<(u64, u64)> {
    let modified = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
    let validators = Validators {
        tag: HeaderValue::from_static("\"r-1\""),
        modified,
        modified_text: HeaderValue::from_static("Tue, 14 Nov 2023 22:13:20 GMT"),
    };
    match part(request, &validators, size) {
        Part::Range { from, length } => Some((from, length)),
        _ => None,
    }
}

/// What the headers of an answer, or of a request, say about keeping it: whether it may be kept at all, and the longest of
/// the times, in seconds.
pub fn caching(headers: &HeaderMap, is_answer: bool) -> (bool, u64) {
    let said = match is_answer {
        true => Directives::of_answer(headers),
        false => Directives::of_request(headers),
    };
    let times = [
        said.max_age,
        said.s_maxage,
        said.while_revalidate,
        said.if_error,
        said.min_fresh,
        said.max_stale,
    ];
    let longest = times.into_iter().flatten().max();
    (!said.no_store, longest.unwrap_or_default())
}

/// The name of the coding that is chosen by Accept-Encoding; nothing for the answer as it is.
pub fn coding(accepted: Option<&HeaderValue>) -> Option<&'static str> {
    let chosen = Accepted::read(accepted).choose(BY_COST, |_| true);
    chosen.map(|coding| coding.name())
}

/// Loads a table as it may lie on the disk, torn or not: how many routes were read, and how many of them were put aside.
pub fn load_table(bytes: &[u8]) -> Option<(usize, usize)> {
    let raw = RawTable::parse(bytes).ok().or_else(|| salvage(bytes))?;
    let backends = Backends::new(u64::MAX, Secret::random().ok()?);
    let (table, _) = compile(&raw, &backends, &AllSeries::new(1));
    Some((raw.routes.len(), table.put_aside.len()))
}
