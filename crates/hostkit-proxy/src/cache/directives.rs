//! Cache-Control and its kin (RFC 9111, 5.2; RFC 9213): a list of words, some with a number.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

pub(crate) const CDN_CACHE_CONTROL: HeaderName = HeaderName::from_static("cdn-cache-control");

/// The longest time that is told apart (RFC 9111, 1.2.2).
const LONGEST: u64 = 1 << 31;

/// What an answer or a request says about caching.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Directives {
    pub(crate) no_store: bool,
    pub(crate) no_cache: bool,
    pub(crate) private: bool,
    pub(crate) public: bool,
    pub(crate) must_revalidate: bool,
    pub(crate) proxy_revalidate: bool,
    pub(crate) must_understand: bool,
    pub(crate) only_if_cached: bool,
    pub(crate) max_age: Option<u64>,
    pub(crate) s_maxage: Option<u64>,
    pub(crate) while_revalidate: Option<u64>,
    pub(crate) if_error: Option<u64>,
    pub(crate) min_fresh: Option<u64>,
    pub(crate) max_stale: Option<u64>,
}

impl Directives {
    /// What an answer says to this cache: the header for caches like this one, where there is one that can be read,
    /// and the one for all otherwise (RFC 9213, 2.2).
    pub(crate) fn of_answer(headers: &HeaderMap) -> Directives {
        let own = Directives::for_caches_like_this(headers);
        own.or_else(|| Directives::read(headers, &header::CACHE_CONTROL))
            .unwrap_or_default()
    }

    /// What the header for caches like this one says; nothing where there is none, or one that is not written as that
    /// header has to be.
    pub(crate) fn for_caches_like_this(headers: &HeaderMap) -> Option<Directives> {
        let is_well_written = |value: &HeaderValue| value.to_str().is_ok_and(is_dictionary);
        headers
            .get_all(CDN_CACHE_CONTROL)
            .iter()
            .all(is_well_written)
            .then(|| Directives::read(headers, &CDN_CACHE_CONTROL))
            .flatten()
    }

    /// What a request says. Pragma counts where there is nothing better (RFC 9111, 5.4).
    pub(crate) fn of_request(headers: &HeaderMap) -> Directives {
        if let Some(said) = Directives::read(headers, &header::CACHE_CONTROL) {
            return said;
        }
        let is_reload = headers.get(header::PRAGMA).is_some_and(|value| {
            let words = value.as_bytes().split(|byte| *byte == b',');
            words
                .map(<[u8]>::trim_ascii)
                .any(|word| word.eq_ignore_ascii_case(b"no-cache"))
        });
        Directives {
            no_cache: is_reload,
            ..Directives::default()
        }
    }

    fn read(headers: &HeaderMap, name: &HeaderName) -> Option<Directives> {
        let mut found = None;
        for value in headers.get_all(name) {
            // What cannot be read is not guessed at: the answer is not kept.
            let Ok(text) = value.to_str() else {
                return Some(Directives {
                    no_store: true,
                    ..Directives::default()
                });
            };
            let said = found.get_or_insert_with(Directives::default);
            for word in words(text) {
                said.add(word);
            }
        }
        found
    }

    fn add(&mut self, word: &str) {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        // White space around `=` is not allowed: such a name is none that is known.
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        let least = |before: &mut Option<u64>| {
            let now = seconds(value);
            *before = Some(before.map_or(now, |before| before.min(now)));
        };
        match () {
            () if is("no-store") => self.no_store = true,
            () if is("no-cache") => self.no_cache = true,
            () if is("private") => self.private = true,
            () if is("public") => self.public = true,
            () if is("must-revalidate") => self.must_revalidate = true,
            () if is("proxy-revalidate") => self.proxy_revalidate = true,
            () if is("must-understand") => self.must_understand = true,
            () if is("only-if-cached") => self.only_if_cached = true,
            () if is("max-age") => least(&mut self.max_age),
            () if is("s-maxage") => least(&mut self.s_maxage),
            () if is("stale-while-revalidate") => least(&mut self.while_revalidate),
            () if is("stale-if-error") => least(&mut self.if_error),
            () if is("min-fresh") => least(&mut self.min_fresh),
            // Without a number any staleness will do.
            () if is("max-stale") && value.is_none() => self.max_stale = Some(LONGEST),
            () if is("max-stale") => least(&mut self.max_stale),
            () => {}
        }
    }
}

/// The words of a list; commas in quotes are none of it.
fn words(list: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(list);
    std::iter::from_fn(move || {
        let text = rest?;
        let (mut quoted, mut escaped) = (false, false);
        let end = text.bytes().position(|byte| {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                _ => {}
            }
            byte == b',' && !quoted
        });
        rest = end.map(|end| &text[end + 1..]);
        Some(text[..end.unwrap_or(text.len())].trim_matches([' ', '\t']))
    })
}

/// Whether a list is a dictionary of structured fields (RFC 8941, 3.2), as far as it matters here: times are whole
/// numbers.
fn is_dictionary(list: &str) -> bool {
    words(list).all(|word| {
        let (name, value) = word.split_once('=').unwrap_or((word, "?1"));
        let mut letters = name.bytes();
        let begins = letters
            .next()
            .is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'*');
        let goes_on = letters.all(|byte| byte.is_ascii_alphanumeric() || b"_-.*".contains(&byte));
        let is_time = ["max-age", "s-maxage", "stale-while-revalidate", "stale-if-error"]
            .iter()
            .any(|time| name.eq_ignore_ascii_case(time));
        let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
        begins && goes_on && (!is_time || is_number)
    })
}

/// A number of seconds. What is none counts as zero: as stale (RFC 9111, 4.2.1).
fn seconds(value: Option<&str>) -> u64 {
    let text = value.unwrap_or_default();
    let text = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text);
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return 0;
    }
    text.parse().unwrap_or(LONGEST).min(LONGEST)
}
