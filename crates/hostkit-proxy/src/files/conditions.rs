//! What the client has already, and which part it wants (RFC 9110, sections 13 and 14).

use std::time::SystemTime;

use http::{HeaderMap, HeaderValue, header};

use super::open::Opened;
use super::whole_seconds;
use crate::compress::Coding;

/// What tells one state of a file from another.
#[derive(Clone)]
pub(crate) struct Validators {
    pub(crate) tag: HeaderValue,
    pub(crate) modified: SystemTime,
    pub(crate) modified_text: HeaderValue,
}

/// Which part of a file is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Whole,
    Unchanged,
    Range { from: u64, length: u64 },
    Unsatisfiable,
}

impl Validators {
    /// The validators of a file. The release is part of the tag: builds may give different content the same time.
    pub(super) fn of(release: &str, file: &Opened) -> Self {
        let nanos = file
            .modified
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default()
            .as_nanos();
        let fallback = HeaderValue::from_static("\"-\"");
        Validators {
            tag: HeaderValue::from_str(&format!("\"{release}-{:x}-{nanos:x}\"", file.size))
                .unwrap_or(fallback.clone()),
            modified: file.modified,
            modified_text: HeaderValue::from_str(&httpdate::fmt_http_date(file.modified)).unwrap_or(fallback),
        }
    }
}

impl Validators {
    /// Those of the same file in a coding: other bytes, so another tag.
    pub(super) fn in_coding(&self, of_bytes: &HeaderValue, coding: Coding) -> Self {
        let tag = of_bytes.as_bytes();
        let tag = tag.strip_suffix(b"\"").unwrap_or(tag);
        let tag = [tag, b"-", coding.name().as_bytes(), b"\""].concat();
        Validators {
            tag: HeaderValue::from_bytes(&tag).unwrap_or(HeaderValue::from_static("\"-\"")),
            modified: self.modified,
            modified_text: self.modified_text.clone(),
        }
    }
}

/// Which part of a file of `size` bytes answers a request.
pub(crate) fn part(request: &HeaderMap, validators: &Validators, size: u64) -> Part {
    if is_unchanged(request, validators) {
        return Part::Unchanged;
    }
    match request.get(header::RANGE).map(|range| range.as_bytes()) {
        Some(range) if is_still_valid(request, validators) => parse_range(range, size),
        _ => Part::Whole,
    }
}

fn is_unchanged(request: &HeaderMap, validators: &Validators) -> bool {
    if request.contains_key(header::IF_NONE_MATCH) {
        return request
            .get_all(header::IF_NONE_MATCH)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .any(|tag| {
                tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).as_bytes() == validators.tag.as_bytes()
            });
    }
    date(request, header::IF_MODIFIED_SINCE)
        .is_some_and(|since| whole_seconds(validators.modified) <= whole_seconds(since))
}

/// Whether a range may be answered with a range: what the client has the beginning of is what there is.
fn is_still_valid(request: &HeaderMap, validators: &Validators) -> bool {
    match request.get(header::IF_RANGE) {
        None => true,
        Some(value) if value.as_bytes().starts_with(b"\"") => value == validators.tag,
        Some(_) => date(request, header::IF_RANGE)
            .is_some_and(|exactly| whole_seconds(validators.modified) == whole_seconds(exactly)),
    }
}

fn date(request: &HeaderMap, name: http::HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(request.get(name)?.to_str().ok()?).ok()
}

/// One range of bytes. Several ranges, and what is no range, are answered with the whole file, as is allowed.
pub(crate) fn parse_range(range: &[u8], size: u64) -> Part {
    let whole = Part::Whole;
    let Some(range) = std::str::from_utf8(range)
        .ok()
        .and_then(|range| range.strip_prefix("bytes="))
    else {
        return whole;
    };
    let Some((first, last)) = range.trim().split_once('-') else {
        return whole;
    };
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        is_number.then(|| text.parse::<u64>().unwrap_or(u64::MAX))
    };
    match (number(first), number(last)) {
        (Some(from), None) if last.is_empty() && from < size => Part::Range {
            from,
            length: size - from,
        },
        (Some(from), Some(to)) if from <= to && from < size => Part::Range {
            from,
            length: to.min(size - 1) - from + 1,
        },
        (Some(from), Some(to)) if from > to => whole,
        (Some(_), None) if !last.is_empty() => whole,
        (Some(_), _) => Part::Unsatisfiable,
        (None, Some(0)) if first.is_empty() => Part::Unsatisfiable,
        (None, Some(tail)) if first.is_empty() && size > 0 => Part::Range {
            from: size.saturating_sub(tail),
            length: tail.min(size),
        },
        (None, Some(_)) if first.is_empty() => Part::Unsatisfiable,
        (None, _) => whole,
    }
}
