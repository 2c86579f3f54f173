//! What a variable's value must be, as `hostkit.toml` says it.

use regex_automata::meta::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;

/// The most memory a pattern may take, in bytes.
const PATTERN_SIZE: usize = 256 * 1024;

/// What a value must be. What is not said is not asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VariableRule {
    /// So many characters at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_length: Option<u32>,
    /// What it looks like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<ValueFormat>,
    /// A regular expression for the whole of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
}

/// What a value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ValueFormat {
    /// A URL with a scheme and a host.
    Url,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Boolean,
}

impl ValueFormat {
    /// As the file names them.
    pub const WORDS: [&str; 3] = ["url", "integer", "boolean"];

    /// As the file names it.
    pub fn as_str(self) -> &'static str {
        match self {
            ValueFormat::Url => "url",
            ValueFormat::Integer => "integer",
            ValueFormat::Boolean => "boolean",
        }
    }
}

impl std::str::FromStr for ValueFormat {
    type Err = String;
    fn from_str(word: &str) -> Result<Self, String> {
        let all = [ValueFormat::Url, ValueFormat::Integer, ValueFormat::Boolean];
        let found = all.into_iter().find(|format| format.as_str() == word);
        found.ok_or_else(|| format!("`{word}` is no format of a value"))
    }
}

impl VariableRule {
    /// What is wrong with a value, in words that fit behind its name; the value is not among them.
    pub fn refusal(&self, value: &str) -> Option<String> {
        let length = value.chars().count();
        if let Some(least) = self.min_length.filter(|least| length < *least as usize) {
            return Some(format!("has {length} characters, at least {least} are needed"));
        }
        let format = self.format.and_then(|format| match format {
            ValueFormat::Url if !is_url(value) => Some("is not a URL such as `https://example.com`"),
            ValueFormat::Integer if value.parse::<i64>().is_err() => Some("is not a whole number"),
            ValueFormat::Boolean if !matches!(value, "true" | "false") => {
                Some("is neither `true` nor `false`")
            }
            _ => None,
        });
        if let Some(why) = format {
            return Some(why.to_owned());
        }
        let pattern = self.pattern.as_deref()?;
        let fits = compile(pattern).is_ok_and(|regex| regex.is_match(value));
        (!fits).then(|| format!("does not look like `{pattern}`"))
    }
}

/// Whether a pattern can be used; why not, in words.
pub fn check_pattern(pattern: &str) -> Result<(), String> {
    match pattern.len() {
        0..=1024 => compile(pattern).map(drop),
        _ => Err("a pattern has 1024 characters at most".to_owned()),
    }
}

fn compile(pattern: &str) -> Result<Regex, String> {
    let size = Regex::config()
        .nfa_size_limit(Some(PATTERN_SIZE))
        .onepass_size_limit(Some(PATTERN_SIZE));
    // Alternatives belong to the whole.
    let whole = format!(r"\A(?:{pattern})\z");
    let regex = Regex::builder().configure(size).build(&whole);
    regex.map_err(|why| match why.syntax_error() {
        Some(_) => "it is not a regular expression".to_owned(),
        None => "it is too large a regular expression".to_owned(),
    })
}

fn is_url(value: &str) -> bool {
    let Some((scheme, rest)) = value.split_once("://") else {
        return false;
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
        && !host.starts_with(':')
        && !host.is_empty()
        && !value.chars().any(|c| c.is_whitespace() || c.is_control())
}
