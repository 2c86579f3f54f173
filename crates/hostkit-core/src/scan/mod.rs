//! The scan of a source for secrets that somebody left in it: which files are looked at, what is looked for, and what
//! is said. A finding names the place and the kind, and never has the secret in it.
//!
//! The work grows with the bytes looked at and with nothing else: one pass finds the words each rule begins with, and
//! only around them a rule's pattern is tried, on a bounded piece of the line.

mod judge;
mod names;
mod patterns;
mod rules;
mod text;

#[cfg(test)]
mod tests;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names::RelativePath;

/// A file with more bytes is not looked at: nobody writes one by hand.
pub const MAX_FILE_BYTES: u64 = 1 << 20;
/// The most findings that are told of one file.
pub const MAX_PER_FILE: usize = 20;
/// A line with these words in it, and the one below it, are nobody's business.
pub const ALLOWED: &str = "hostkit:allow-secret";

/// What becomes of a deployment whose source has secrets in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// The source is not looked at.
    Off,
    /// They are told, and it goes on.
    #[default]
    Warn,
    /// It fails before anything is built.
    Stop,
}

impl Policy {
    /// The words of the manifest.
    pub(crate) const WORDS: [&'static str; 3] = ["warn", "stop", "off"];

    /// The word as it stands in the manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Policy::Off => "off",
            Policy::Warn => "warn",
            Policy::Stop => "stop",
        }
    }
}

impl std::str::FromStr for Policy {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Policy::Off),
            "warn" => Ok(Policy::Warn),
            "stop" => Ok(Policy::Stop),
            _ => Err(format!("`{text}` is none of warn, stop, off")),
        }
    }
}

/// `[scan]` of the manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ScanRule {
    /// What becomes of a deployment whose source has secrets in it.
    pub secrets: Policy,
    /// Files that are not looked at, by patterns such as `tests/` and `*.pem`.
    pub ignore: Vec<String>,
}

/// One secret that was found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// The file.
    pub path: String,
    /// The line, from 1.
    pub line: usize,
    /// The rule that found it, such as `aws-access-key`.
    pub rule: &'static str,
    /// What it is, in words.
    pub title: &'static str,
    /// How it begins, without anything secret.
    pub excerpt: String,
}

impl std::fmt::Display for Finding {
    /// `src/mail.ts:12: SendGrid API key (sendgrid-key): SG.… (69 characters)`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}:{}: {} ({}): {}",
            self.path, self.line, self.title, self.rule, self.excerpt
        )
    }
}

/// Whether a file is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// It is.
    Look,
    /// The manifest says that it is not.
    Ignored,
    /// It is too large.
    TooLarge,
}

/// Looks for secrets by all rules.
#[derive(Debug)]
pub struct Scanner {
    ignore: GlobSet,
}

impl Scanner {
    /// A scanner that passes over what the patterns name. A pattern that is none names nothing: the manifest has
    /// refused it.
    pub fn new(ignore: &[String]) -> Self {
        let mut set = GlobSetBuilder::new();
        let patterns = ignore.iter().filter(|text| check_pattern(text).is_ok());
        for glob in patterns.flat_map(|text| globs(text)).flatten() {
            set.add(glob);
        }
        Scanner {
            ignore: set.build().unwrap_or_default(),
        }
    }

    /// Whether a file of this name and size is to be looked at.
    pub fn choose(&self, path: &RelativePath, bytes: u64) -> Choice {
        match self.ignore.is_match(path.as_str()) {
            true => Choice::Ignored,
            false if bytes > MAX_FILE_BYTES => Choice::TooLarge,
            false => Choice::Look,
        }
    }

    /// The secrets in a file, by line; nothing for what is no text.
    pub fn look(&self, path: &RelativePath, bytes: &[u8]) -> Vec<Finding> {
        text::look(path.as_str(), bytes)
    }
}

/// Whether what is found in a file depends on its content alone, and not also on its name. Only then the content need
/// not be looked at again under the same or another name.
pub fn is_judged_by_content(path: &RelativePath) -> bool {
    names::Kind::of(path.as_str()) == names::Kind::Plain
}

/// Says what is wrong with a pattern.
pub(crate) fn check_pattern(text: &str) -> Result<(), String> {
    if text.is_empty() || text.len() > 256 {
        return Err("a pattern has 1 to 256 characters".into());
    }
    if text.starts_with('!') {
        return Err("a pattern names what is passed over; there is no `!`".into());
    }
    match globs(text).into_iter().find_map(Result::err) {
        None => Ok(()),
        Some(error) => Err(format!("it is no pattern: {}", error.kind())),
    }
}

/// As in .gitignore: what has no `/` but at its end is found at any depth, and a folder stands for all in it.
fn globs(text: &str) -> [Result<globset::Glob, globset::Error>; 2] {
    let trimmed = text.strip_prefix('/').unwrap_or(text).trim_end_matches('/');
    let anywhere = !text.trim_end_matches('/').contains('/');
    let whole = match anywhere {
        true => format!("**/{trimmed}"),
        false => trimmed.to_owned(),
    };
    let glob = |text: &str| {
        GlobBuilder::new(text)
            .literal_separator(true)
            .backslash_escape(true)
            .build()
    };
    [glob(&whole), glob(&format!("{whole}/**"))]
}
