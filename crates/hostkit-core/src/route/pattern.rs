//! Patterns of paths as `vercel.json` has them (path-to-regexp): `/old/:id`, `/blog/:path*`, `/(\\d+)`. They are
//! compiled to expressions that take linear time, and matched against paths in one normal form, so that no way to
//! write a path gets around them.

use std::borrow::Cow;

use regex_automata::meta::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::expression;
use super::tokens::{self, Token};

/// The longest pattern.
pub const LONGEST_SOURCE: usize = 4096;

/// A pattern that was checked and compiled.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct PathPattern {
    source: String,
    /// What every path it matches begins with.
    prefix: String,
    /// Nothing for a pattern that is its prefix alone.
    regex: Option<Regex>,
    /// Paths one of these matches are none of the pattern's: `(?!…)`.
    excluded: Vec<Regex>,
    /// The names of its groups; nothing for one without a name.
    names: Vec<Option<String>>,
}

impl PartialEq for PathPattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl PathPattern {
    /// Checks and compiles a pattern, or says what is wrong with it.
    pub fn parse(source: &str) -> Result<Self, String> {
        if source.len() > LONGEST_SOURCE {
            return Err(format!(
                "a pattern has {LONGEST_SOURCE} characters at most, this one has {}",
                source.len()
            ));
        }
        if !source.starts_with('/') {
            return Err("a pattern begins with `/`".into());
        }
        let tokens = tokens::parse(source)?;
        let mut prefix = String::new();
        let mut is_literal = true;
        let mut text = String::from("^");
        let mut excluded = Vec::new();
        let mut names = Vec::new();
        for token in &tokens {
            match token {
                Token::Literal(literal) => {
                    let literal = normal_literal(literal);
                    text.push_str(&expression::escaped(&literal));
                    if is_literal {
                        prefix.push_str(&literal);
                    }
                }
                Token::Group(group) => {
                    let before = normal_literal(&group.prefix);
                    let (nots, pattern) = expression::split_exclusions(&group.pattern)?;
                    for not in nots {
                        if !is_literal {
                            return Err(
                                "`(?!` is understood only where nothing but letters stand before it".into(),
                            );
                        }
                        let start = expression::escaped(&format!("{prefix}{before}"));
                        excluded.push(expression::compiled(&format!("^{start}(?:{not})"))?);
                    }
                    is_literal = false;
                    text.push_str(&group.regex(
                        &expression::escaped(&before),
                        &pattern,
                        &expression::escaped(&normal_literal(&group.suffix)),
                    ));
                    if !group.pattern.is_empty() {
                        names.push(group.name.clone());
                    }
                }
            }
        }
        text.push('$');
        Ok(PathPattern {
            source: source.to_owned(),
            regex: match is_literal {
                true => None,
                false => Some(expression::compiled(&text)?),
            },
            prefix,
            excluded,
            names,
        })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Whether it has a group of this name.
    pub fn has_name(&self, name: &str) -> bool {
        self.names.iter().flatten().any(|known| known == name)
    }

    /// How many groups it has.
    pub fn groups(&self) -> usize {
        self.names.len()
    }

    /// The memory it takes when it is matched.
    pub fn bytes(&self) -> usize {
        let all = self.regex.iter().chain(&self.excluded);
        self.source.len() + all.map(Regex::memory_usage).sum::<usize>()
    }

    /// Whether a path in [`normal`] form is one of the pattern's.
    pub fn matches(&self, path: &str) -> bool {
        self.matches_exactly(path) || (path == "/" && self.matches_exactly(""))
    }

    fn matches_exactly(&self, path: &str) -> bool {
        let Some(rest) = path.strip_prefix(self.prefix.as_str()) else {
            return false;
        };
        match &self.regex {
            None => rest.is_empty(),
            Some(regex) => regex.is_match(path) && !self.excludes(path),
        }
    }

    /// What stands in the groups of the pattern, if a path in [`normal`] form is one of its own.
    pub fn captures(&self, path: &str) -> Option<Params> {
        // `/:path*` is meant to fit the root as well, which is the one path that cannot do without its slash.
        let at_root = || (path == "/").then(|| self.captures_exactly(""))?;
        self.captures_exactly(path).or_else(at_root)
    }

    fn captures_exactly(&self, path: &str) -> Option<Params> {
        let rest = path.strip_prefix(self.prefix.as_str())?;
        let Some(regex) = &self.regex else {
            return rest.is_empty().then(Params::default);
        };
        let mut captures = regex.create_captures();
        regex.captures(path, &mut captures);
        if !captures.is_match() || self.excludes(path) {
            return None;
        }
        let mut params = Params::default();
        for (at, name) in self.names.iter().enumerate() {
            let found = captures.get_group(at + 1).map(|span| &path[span.range()]);
            params.push(name.as_deref(), found.unwrap_or_default().to_owned());
        }
        Some(params)
    }

    fn excludes(&self, path: &str) -> bool {
        self.excluded.iter().any(|not| not.is_match(path))
    }
}

impl TryFrom<String> for PathPattern {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).map_err(|why| format!("`{text}` is not a pattern of paths: {why}"))
    }
}

impl From<PathPattern> for String {
    fn from(pattern: PathPattern) -> String {
        pattern.source
    }
}

/// What a match found, as it may stand in a path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params {
    found: Vec<(Option<String>, String)>,
    /// How many of them are groups of the path, which are counted.
    counted: usize,
}

impl Params {
    fn push(&mut self, name: Option<&str>, value: String) {
        self.found.push((name.map(str::to_owned), value));
        self.counted = self.found.len();
    }

    /// Adds what a condition found. It is not of the path: whatever means something in an address is encoded.
    pub fn add(&mut self, name: &str, value: &str) {
        let mut encoded = String::with_capacity(value.len());
        for byte in value.bytes() {
            push_encoded(&mut encoded, byte, is_unreserved(byte));
        }
        self.found.push((Some(name.to_owned()), encoded));
    }

    /// What a name stands for.
    pub fn named(&self, name: &str) -> Option<&str> {
        let found = self
            .found
            .iter()
            .find(|(known, _)| known.as_deref() == Some(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The group of a number, from 1.
    pub fn numbered(&self, number: usize) -> Option<&str> {
        let (_, value) = self.found[..self.counted].get(number.checked_sub(1)?)?;
        Some(value)
    }

    /// Everything that has a name.
    pub fn all_named(&self) -> impl Iterator<Item = (&str, &str)> {
        self.found
            .iter()
            .filter_map(|(name, value)| Some((name.as_deref()?, value.as_str())))
    }
}

/// A path in the form patterns are matched against: what need not be encoded is not, and all other encodings have
/// capital letters. Bytes that no address has are encoded.
pub fn normal(path: &str) -> Cow<'_, str> {
    let is_normal = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'%' | b'\\' | b'"' | b'<' | b'>');
    if path.bytes().all(is_normal) {
        return Cow::Borrowed(path);
    }
    let bytes = path.as_bytes();
    let mut out = String::with_capacity(bytes.len() + 8);
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes
            .get(at + 1..at + 3)
            .and_then(|two| std::str::from_utf8(two).ok());
        let decoded = digits
            .filter(|two| two.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|two| u8::from_str_radix(two, 16).ok());
        match (bytes[at], decoded) {
            (b'%', Some(byte)) => {
                push_encoded(&mut out, byte, is_unreserved(byte));
                at += 3;
            }
            (byte, _) => {
                push_encoded(&mut out, byte, is_normal(byte) || byte == b'%');
                at += 1;
            }
        }
    }
    Cow::Owned(out)
}

/// What a program may take a path for that has empty parts, `.` or `..` in it. In [`normal`] form, and back.
pub fn resolved(path: &str) -> Cow<'_, str> {
    if !path.contains("//") && !path.contains("/.") {
        return Cow::Borrowed(path);
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let mut out = format!("/{}", parts.join("/"));
    if out.len() > 1 && (path.ends_with('/') || path.ends_with("/.") || path.ends_with("/..")) {
        out.push('/');
    }
    Cow::Owned(out)
}

fn normal_literal(text: &str) -> String {
    normal(text).into_owned()
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Writes a byte as it is, or encoded.
pub(super) fn push_encoded(out: &mut String, byte: u8, as_it_is: bool) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    if as_it_is {
        out.push(char::from(byte));
    } else {
        out.push('%');
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}
