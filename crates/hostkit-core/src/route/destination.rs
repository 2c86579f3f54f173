//! Where a redirect or a rewrite leads: `/new/:id`, `https://example.com/$1?page=:page`. Parts of the request are put
//! in so that they can never become a host, a header or another parameter.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pattern::{LONGEST_SOURCE, Params, push_encoded};

/// A destination that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Destination {
    source: String,
    origin: Option<(&'static str, Vec<Piece>)>,
    path: Vec<Piece>,
    query: Vec<(String, Vec<Piece>)>,
    fragment: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Letters(String),
    Named { name: String, optional: bool },
    Numbered(usize),
}

/// Where a request goes on inside of the front door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unused {
    /// Parameters the destination does not name are dropped.
    Drop,
    /// They go into the query where the destination names none at all, as `vercel.json` has it for rewrites.
    IntoQuery,
}

impl Destination {
    /// Checks a destination, or says what is wrong with it.
    pub fn parse(source: &str) -> Result<Self, String> {
        if source.len() > LONGEST_SOURCE {
            return Err(format!(
                "a destination has {LONGEST_SOURCE} characters at most, this one has {}",
                source.len()
            ));
        }
        if source.chars().any(|c| c.is_control() || c == ' ') {
            return Err("spaces and control characters must be percent-encoded".into());
        }
        let (origin, rest) = match source.split_once("://") {
            Some(("https", rest)) => (Some("https://"), rest),
            Some(("http", rest)) => (Some("http://"), rest),
            _ if source.starts_with("//") || source.starts_with("/\\") => {
                return Err("it names a host: begin it with `https://`, or with a single `/`".into());
            }
            _ if source.starts_with('/') => (None, source),
            _ => return Err("it begins with `/`, `https://` or `http://`".into()),
        };
        let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
        let (rest, query) = split_query(rest);
        let path_at = if origin.is_some() {
            rest.find('/').unwrap_or(rest.len())
        } else {
            0
        };
        let (host, path) = rest.split_at(path_at);
        let origin = match origin {
            Some(scheme) => Some((scheme, host_pieces(host)?)),
            None => None,
        };
        Ok(Destination {
            source: source.to_owned(),
            origin,
            path: pieces(if path.is_empty() { "/" } else { path }),
            query: query
                .split('&')
                .filter(|pair| !pair.is_empty())
                .map(|pair| {
                    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (key.to_owned(), pieces(value))
                })
                .collect(),
            fragment: pieces(fragment),
        })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Whether it is a path of the same host.
    pub fn is_local(&self) -> bool {
        self.origin.is_none()
    }

    /// The path, where nothing of the request is put into it.
    pub fn fixed_path(&self) -> Option<String> {
        self.names().next().is_none().then(|| {
            let mut path = String::new();
            fill(&mut path, &self.path, &Params::default(), Place::Path);
            path
        })
    }

    /// The parameters it names: a name, or a number in decimal.
    pub fn names(&self) -> impl Iterator<Item = String> {
        let host = self.origin.iter().flat_map(|(_, host)| host);
        let query = self.query.iter().flat_map(|(_, value)| value);
        let all = host.chain(&self.path).chain(query).chain(&self.fragment);
        all.filter_map(|piece| match piece {
            Piece::Letters(_) => None,
            Piece::Named { name, .. } => Some(name.clone()),
            Piece::Numbered(number) => Some(number.to_string()),
        })
    }

    /// The address for a request with this query. What the destination's own query names is not taken from the
    /// request. Nothing where a parameter would have to be part of a host and is none.
    pub fn fill(&self, params: &Params, query: Option<&str>, unused: Unused) -> Option<String> {
        let mut out = String::with_capacity(self.source.len() + 64);
        if let Some((scheme, host)) = &self.origin {
            out.push_str(scheme);
            let start = out.len();
            fill(&mut out, host, params, Place::Host);
            let host = &out[start..];
            let fine = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b':' | b'[' | b']');
            if host.is_empty() || host.starts_with('.') || !host.bytes().all(fine) {
                return None;
            }
        }
        let mut path = String::new();
        fill(&mut path, &self.path, params, Place::Path);
        // Two slashes at the beginning would name a host.
        out.push('/');
        out.push_str(path.trim_start_matches(['/', '\\']));
        let mut joint = '?';
        let mut add = |pair: &str| {
            out.push(joint);
            out.push_str(pair);
            joint = '&';
        };
        for (key, value) in &self.query {
            let mut pair = String::new();
            encode(&mut pair, key, Place::Given);
            pair.push('=');
            fill(&mut pair, value, params, Place::Query);
            add(&pair);
        }
        if unused == Unused::IntoQuery && self.names().next().is_none() {
            for (name, value) in params.all_named() {
                let mut pair = format!("{name}=");
                encode(&mut pair, value, Place::Query);
                add(&pair);
            }
        }
        let given = query.into_iter().flat_map(|query| query.split('&'));
        for pair in given.filter(|pair| !pair.is_empty()) {
            let key = pair.split('=').next().unwrap_or_default();
            if !self.query.iter().any(|(own, _)| own == key) {
                let mut encoded = String::with_capacity(pair.len());
                encode(&mut encoded, pair, Place::Given);
                add(&encoded);
            }
        }
        if !self.fragment.is_empty() {
            out.push('#');
            fill(&mut out, &self.fragment, params, Place::Query);
        }
        Some(out)
    }
}

impl TryFrom<String> for Destination {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).map_err(|why| format!("`{text}` is not a destination: {why}"))
    }
}

impl From<Destination> for String {
    fn from(destination: Destination) -> String {
        destination.source
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Host,
    Path,
    Query,
    /// A pair of the request's own query.
    Given,
}

/// The query begins at the first `?` that is not behind a name.
fn split_query(text: &str) -> (&str, &str) {
    for (at, _) in text.match_indices('?') {
        let before = text[..at].rsplit([':', '/']).next().unwrap_or_default();
        let is_name = text[..at].ends_with(&format!(":{before}"))
            && !before.is_empty()
            && before.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && matches!(text[at + 1..].chars().next(), None | Some('/'));
        if !is_name {
            return (&text[..at], &text[at + 1..]);
        }
    }
    (text, "")
}

/// A parameter in a host stands before a name that is written out: `https://:shop.example.com`.
fn host_pieces(host: &str) -> Result<Vec<Piece>, String> {
    let fine =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b':' | b'$' | b'_' | b'[' | b']');
    if host.is_empty() || !host.bytes().all(fine) {
        return Err("its host is not a host name".into());
    }
    let pieces = pieces(host);
    let has_names = pieces.iter().any(|piece| !matches!(piece, Piece::Letters(_)));
    let ends_written = matches!(pieces.last(), Some(Piece::Letters(end))
        if end.len() > 1 && end.starts_with('.'));
    if has_names && !ends_written {
        return Err("a parameter in its host needs a written name behind it, as `:shop.example.com`".into());
    }
    Ok(pieces)
}

fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut letters = String::new();
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let after = &rest[letter.len_utf8()..];
        let is_name = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let end = after.bytes().position(|b| !is_name(b)).unwrap_or(after.len());
        let word = &after[..end];
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        let piece = match letter {
            ':' if word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') => {
                rest = &after[end..];
                let modifier = rest.chars().next().filter(|c| matches!(c, '*' | '+' | '?'));
                rest = &rest[modifier.map_or(0, char::len_utf8)..];
                Some(Piece::Named {
                    name: word.to_owned(),
                    optional: matches!(modifier, Some('*' | '?')),
                })
            }
            '$' if (1..=3).contains(&digits) => {
                rest = &after[digits..];
                after[..digits].parse().ok().map(Piece::Numbered)
            }
            '\\' if !after.is_empty() => {
                let escaped = after.chars().next().unwrap_or(letter);
                letters.push(escaped);
                rest = &after[escaped.len_utf8()..];
                None
            }
            letter => {
                letters.push(letter);
                rest = after;
                None
            }
        };
        if let Some(piece) = piece {
            if !letters.is_empty() {
                pieces.push(Piece::Letters(std::mem::take(&mut letters)));
            }
            pieces.push(piece);
        }
    }
    if !letters.is_empty() {
        pieces.push(Piece::Letters(letters));
    }
    pieces
}

fn fill(out: &mut String, pieces: &[Piece], params: &Params, place: Place) {
    for piece in pieces {
        match piece {
            Piece::Letters(letters) => encode(out, letters, Place::Given),
            Piece::Named { name, optional } => match params.named(name).unwrap_or_default() {
                // What is not there takes the slash before it along, as it does in the pattern.
                "" if *optional && place == Place::Path && out.ends_with('/') && out.len() > 1 => {
                    out.pop();
                }
                value => encode(out, value, place),
            },
            Piece::Numbered(number) => encode(out, params.numbered(*number).unwrap_or_default(), place),
        }
    }
}

fn encode(out: &mut String, text: &str, place: Place) {
    for byte in text.bytes() {
        let means_something = match place {
            Place::Host | Place::Given => false,
            Place::Path => matches!(byte, b'?' | b'#'),
            Place::Query => matches!(byte, b'&' | b'=' | b'+' | b'#' | b'?'),
        };
        let is_fine = byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'"' | b'<' | b'>');
        push_encoded(out, byte, is_fine && !means_something);
    }
}
