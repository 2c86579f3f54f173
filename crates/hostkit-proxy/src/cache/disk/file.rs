//! An answer as a file:
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `HKCACHE1`: the format |
//! | 4 | the length of the head, little-endian |
//! | 8 | the length of the body |
//! | 32 | BLAKE3 of the body |
//! | 32 | BLAKE3 of everything before this, and of the head |
//! | | the head, JSON: see [`Saved`] |
//! | | the body |
//!
//! A file that was cut or changed anywhere, or is longer, is none.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::StatusCode;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use super::index::FormId;
use crate::cache::entry::{Asked, Entry, Head, LARGEST};
use crate::cache::rules::Freshness;
use crate::compress::accept::Accepted;

const FORMAT: &[u8; 8] = b"HKCACHE1";
/// Up to the head.
const BEGINNING: usize = 84;
/// The part of the beginning that its own checksum is over.
const CHECKED: usize = BEGINNING - 32;
const LARGEST_HEAD: usize = 256 << 10;
/// Read at once: most heads, and many an answer.
const FIRST: usize = 16 << 10;

/// What is not body. Texts that are not UTF-8 are written a letter for a byte (Latin-1).
#[derive(Serialize, Deserialize)]
struct Saved {
    /// What was asked for: the key without the number of its scope.
    key: String,
    status: u16,
    headers: Vec<(String, String)>,
    asked: Vec<(String, SavedAsked)>,
    freshness: SavedFreshness,
}

#[derive(Serialize, Deserialize)]
enum SavedAsked {
    Lines(Option<String>),
    Codings(Accepted),
}

/// Times are in milliseconds.
#[derive(Serialize, Deserialize)]
struct SavedFreshness {
    /// When it was written, since 1970.
    at: u64,
    /// How old it was then.
    age: u64,
    lifetime: u64,
    while_revalidate: u64,
    if_error: u64,
    strict: bool,
    always_ask: bool,
    for_authorized: bool,
}

/// What became of a look into a file.
pub(super) enum Found {
    Answer(Entry),
    /// It is another form.
    Other,
    /// It is no answer, or none any more.
    Broken,
}

/// Which form an answer is.
pub(super) fn form_of(head: &Head) -> FormId {
    let asked = serde_json::to_vec(&asked_of(head)).unwrap_or_default();
    let mut id = FormId::default();
    id.copy_from_slice(&blake3::hash(&asked).as_bytes()[..8]);
    id
}

/// Everything that stands before the body. Nothing for what is too long.
pub(super) fn beginning(key: &[u8], entry: &Entry) -> Option<Vec<u8>> {
    let head = &entry.head;
    let headers = head.headers.iter();
    let saved = Saved {
        key: text(key),
        status: head.status.as_u16(),
        headers: headers
            .map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes())))
            .collect(),
        asked: asked_of(head),
        freshness: SavedFreshness::of(&head.freshness),
    };
    let head = serde_json::to_vec(&saved).ok()?;
    if head.len() > LARGEST_HEAD {
        return None;
    }
    let mut bytes = Vec::with_capacity(BEGINNING + head.len());
    bytes.extend_from_slice(FORMAT);
    bytes.extend_from_slice(&(head.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&(entry.body.len() as u64).to_le_bytes());
    bytes.extend_from_slice(blake3::hash(&entry.body).as_bytes());
    let sum = sum_of(&bytes, &head);
    bytes.extend_from_slice(sum.as_bytes());
    bytes.extend_from_slice(&head);
    Some(bytes)
}

/// Looks into a file for the answer to a request.
pub(super) fn read(file: &File, key: &[u8], request: &HeaderMap) -> io::Result<Found> {
    let Some((saved, rest)) = read_head(file)? else {
        return Ok(Found::Broken);
    };
    if bytes(&saved.key).as_deref() != Some(key) {
        return Ok(Found::Broken);
    }
    let Some(head) = saved.into_head() else {
        return Ok(Found::Broken);
    };
    if !head.suits(request) {
        return Ok(Found::Other);
    }
    let mut body = vec![0; rest.length];
    if !read_at(file, &mut body, rest.from)? || *blake3::hash(&body).as_bytes() != rest.sum {
        return Ok(Found::Broken);
    }
    Ok(Found::Answer(Entry::new(Arc::new(head), Bytes::from(body))))
}

/// What the answer in a file was asked for by; nothing for one that is no answer.
pub(super) fn key_in(file: &File) -> io::Result<Option<Vec<u8>>> {
    Ok(read_head(file)?.and_then(|(saved, _)| bytes(&saved.key)))
}

/// Where the body is.
struct Rest {
    from: u64,
    length: usize,
    sum: [u8; 32],
}

fn read_head(file: &File) -> io::Result<Option<(Saved, Rest)>> {
    let found = file.metadata()?;
    let size = found.len();
    if !found.is_file() || size < BEGINNING as u64 || size > (BEGINNING + LARGEST_HEAD + LARGEST) as u64 {
        return Ok(None);
    }
    let mut first = vec![0; (size as usize).min(FIRST)];
    if !read_at(file, &mut first, 0)? {
        return Ok(None);
    }
    let (beginning, begun) = first.split_at(BEGINNING);
    let number = |from: usize, length: usize| {
        let digits = beginning[from..from + length].iter().rev();
        digits.fold(0u64, |number, byte| number << 8 | u64::from(*byte))
    };
    let (head, body) = (number(8, 4), number(12, 8));
    let from = BEGINNING as u64 + head;
    if &beginning[..8] != FORMAT || head > LARGEST_HEAD as u64 || body > LARGEST as u64 || from + body != size
    {
        return Ok(None);
    }
    let mut rest = Rest {
        from,
        length: body as usize,
        sum: [0; 32],
    };
    rest.sum.copy_from_slice(&beginning[20..CHECKED]);
    let head = head as usize;
    let mut text = begun[..head.min(begun.len())].to_vec();
    let there = text.len();
    text.resize(head, 0);
    if !read_at(file, &mut text[there..], (BEGINNING + there) as u64)?
        || sum_of(&beginning[..CHECKED], &text).as_bytes() != &beginning[CHECKED..]
    {
        return Ok(None);
    }
    Ok(serde_json::from_slice(&text).ok().map(|saved| (saved, rest)))
}

/// Whether there was as much as is asked for.
fn read_at(file: &File, bytes: &mut [u8], from: u64) -> io::Result<bool> {
    match file.read_exact_at(bytes, from) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn sum_of(beginning: &[u8], head: &[u8]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(beginning).update(head);
    hasher.finalize()
}

fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|letter| u8::try_from(letter).ok()).collect()
}

fn asked_of(head: &Head) -> Vec<(String, SavedAsked)> {
    let asked = head.asked.iter();
    asked
        .map(|(name, asked)| {
            let asked = match asked {
                Asked::Lines(lines) => SavedAsked::Lines(lines.as_deref().map(text)),
                Asked::Codings(accepted) => SavedAsked::Codings(*accepted),
            };
            (name.as_str().to_owned(), asked)
        })
        .collect()
}

impl Saved {
    fn into_head(self) -> Option<Head> {
        let mut headers = HeaderMap::with_capacity(self.headers.len() + 4);
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            headers.append(name, HeaderValue::from_bytes(&bytes(value)?).ok()?);
        }
        let asked = self.asked.into_iter().map(|(name, asked)| {
            let asked = match asked {
                SavedAsked::Lines(None) => Asked::Lines(None),
                SavedAsked::Lines(Some(lines)) => Asked::Lines(Some(bytes(&lines)?)),
                SavedAsked::Codings(accepted) => Asked::Codings(accepted),
            };
            Some((HeaderName::from_bytes(name.as_bytes()).ok()?, asked))
        });
        Some(Head {
            status: StatusCode::from_u16(self.status).ok()?,
            headers,
            freshness: self.freshness.now()?,
            asked: asked.collect::<Option<_>>()?,
        })
    }
}

impl SavedFreshness {
    fn of(freshness: &Freshness) -> SavedFreshness {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        SavedFreshness {
            at: millis(since.unwrap_or_default()),
            age: millis(freshness.age(Instant::now())),
            lifetime: millis(freshness.lifetime),
            while_revalidate: millis(freshness.while_revalidate),
            if_error: millis(freshness.if_error),
            strict: freshness.strict,
            always_ask: freshness.always_ask,
            for_authorized: freshness.for_authorized,
        }
    }

    /// As of now. Nothing where the clock was put back since: how old it is, nobody knows.
    fn now(&self) -> Option<Freshness> {
        let at = UNIX_EPOCH.checked_add(Duration::from_millis(self.at))?;
        let since = SystemTime::now().duration_since(at).ok()?;
        Some(Freshness {
            came: Instant::now(),
            initial_age: Duration::from_millis(self.age) + since,
            lifetime: Duration::from_millis(self.lifetime),
            while_revalidate: Duration::from_millis(self.while_revalidate),
            if_error: Duration::from_millis(self.if_error),
            strict: self.strict,
            always_ask: self.always_ask,
            for_authorized: self.for_authorized,
        })
    }
}
