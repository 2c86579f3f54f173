//! Conditions of rules: what a request must have, or must not have, for a rule to hold.

use regex_automata::meta::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::expression;
use super::pattern::{LONGEST_SOURCE, Params};

/// The most conditions of one list.
pub const MOST_CONDITIONS: usize = 16;

/// One condition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Condition {
    /// Where to look.
    #[serde(rename = "type")]
    pub place: Place,
    /// The name of the header, cookie or parameter; nothing for the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What the value must be; where nothing is said, being there is enough.
    #[serde(default, skip_serializing_if = "ValueTest::is_empty")]
    pub value: ValueTest,
}

/// Where a condition looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The host the request is for, without port.
    Host,
    /// A header.
    Header,
    /// A cookie.
    Cookie,
    /// A parameter of the query.
    Query,
}

impl Place {
    /// As they are written.
    pub const WORDS: [&'static str; 4] = ["host", "header", "cookie", "query"];

    /// Reads a word of [`Place::WORDS`].
    pub fn parse(word: &str) -> Option<Place> {
        let places = [Place::Host, Place::Header, Place::Cookie, Place::Query];
        let at = Place::WORDS.iter().position(|known| *known == word)?;
        places.get(at).copied()
    }
}

/// What a value must be: everything that is said must hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ValueTest {
    /// The expression the whole value matches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub re: Option<ValuePattern>,
    /// Exactly this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eq: Option<String>,
    /// Anything but this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub neq: Option<String>,
    /// One of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inc: Option<Vec<String>>,
    /// None of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ninc: Option<Vec<String>>,
    /// It begins so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pre: Option<String>,
    /// It ends so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suf: Option<String>,
    /// A number above this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gt: Option<f64>,
    /// A number not below this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gte: Option<f64>,
    /// A number below this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lt: Option<f64>,
    /// A number not above this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lte: Option<f64>,
}

impl ValueTest {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == ValueTest::default()
    }

    fn holds(&self, value: &str) -> bool {
        let number = || value.trim().parse::<f64>().ok();
        let compares = |limit: Option<f64>, fits: fn(f64, f64) -> bool| {
            limit.is_none_or(|limit| number().is_some_and(|number| fits(number, limit)))
        };
        let is = |own: &String| own == value;
        self.eq.as_ref().is_none_or(is)
            && !self.neq.as_ref().is_some_and(is)
            && self.inc.as_ref().is_none_or(|list| list.iter().any(is))
            && !self.ninc.as_ref().is_some_and(|list| list.iter().any(is))
            && self
                .pre
                .as_ref()
                .is_none_or(|start| value.starts_with(start.as_str()))
            && self.suf.as_ref().is_none_or(|end| value.ends_with(end.as_str()))
            && compares(self.gt, |number, limit| number > limit)
            && compares(self.gte, |number, limit| number >= limit)
            && compares(self.lt, |number, limit| number < limit)
            && compares(self.lte, |number, limit| number <= limit)
            && self
                .re
                .as_ref()
                .is_none_or(|pattern| pattern.regex.is_match(value))
    }
}

impl Condition {
    /// Says what is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        match (self.place, &self.key) {
            (Place::Host, None) if self.value.is_empty() => {
                Err("a condition on the host needs a value".into())
            }
            (Place::Host, None) => Ok(()),
            (Place::Host, Some(_)) => Err("a condition on the host has no `key`".into()),
            (_, Some(key)) if !key.is_empty() && key.len() <= LONGEST_SOURCE => Ok(()),
            _ => Err("a condition on a header, a cookie or the query needs a `key`".into()),
        }
    }

    /// The names it gives to what it finds.
    pub fn names(&self) -> Vec<String> {
        match (&self.value.re, &self.key) {
            (Some(pattern), _) => pattern.names().map(|(_, name)| name).collect(),
            (None, Some(key)) => vec![param_name(key)],
            (None, None) => Vec::new(),
        }
    }

    /// Whether the condition holds for what was found at its place.
    pub fn holds(&self, found: Option<&str>) -> bool {
        found.is_some_and(|value| self.value.holds(value))
    }

    /// Notes what was found, under the names of the condition.
    pub fn note(&self, found: &str, params: &mut Params) {
        match (&self.value.re, &self.key) {
            (Some(pattern), _) => {
                let mut captures = pattern.regex.create_captures();
                pattern.regex.captures(found, &mut captures);
                for (at, name) in pattern.names() {
                    let value = captures.get_group(at).map(|span| span.range());
                    params.add(
                        &name,
                        value.and_then(|range| found.get(range)).unwrap_or_default(),
                    );
                }
            }
            (None, Some(key)) => params.add(&param_name(key), found),
            (None, None) => {}
        }
    }
}

/// A key as it can stand behind a colon.
fn param_name(key: &str) -> String {
    key.chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '_')
        .collect()
}

/// An expression for a whole value.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct ValuePattern {
    source: String,
    regex: Regex,
}

impl PartialEq for ValuePattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl ValuePattern {
    /// Checks and compiles an expression.
    pub fn parse(source: &str) -> Result<Self, String> {
        if source.len() > LONGEST_SOURCE {
            return Err(format!("a value has {LONGEST_SOURCE} characters at most"));
        }
        Ok(ValuePattern {
            regex: expression::compiled(&format!("^(?:{source})$"))?,
            source: source.to_owned(),
        })
    }

    fn names(&self) -> impl Iterator<Item = (usize, String)> {
        let groups = self
            .regex
            .group_info()
            .pattern_names(regex_automata::PatternID::ZERO);
        groups
            .enumerate()
            .filter_map(|(at, name)| Some((at, name?.to_owned())))
    }
}

impl TryFrom<String> for ValuePattern {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).map_err(|why| format!("`{text}` is not a value: {why}"))
    }
}

impl From<ValuePattern> for String {
    fn from(pattern: ValuePattern) -> String {
        pattern.source
    }
}
