//! What is wrong with a `hostkit.toml`: every problem with its place, and a suggestion where one is near.

use std::ops::Range;

use super::rules::shown;
use crate::kind::{Failure, Kind};
use crate::variables::RESERVED;

/// More problems than this are counted, not listed.
const LISTED: usize = 50;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The path of the key it is about, `process.web.count`; empty for broken TOML.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What was probably meant.
    pub suggestion: Option<String>,
}

/// Everything that is wrong with a file, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} in the file", count(.problems.len()))]
pub struct ManifestProblems {
    /// The problems; never empty.
    pub problems: Vec<Problem>,
}

fn count(n: usize) -> String {
    match n {
        1 => "one problem".into(),
        n => format!("{n} problems"),
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)?;
        match &self.suggestion {
            Some(text) => write!(f, " (did you mean `{text}`?)"),
            None => Ok(()),
        }
    }
}

impl ManifestProblems {
    /// The failure a user sees: one detail line per problem, `hostkit.toml:12:5: …`.
    pub fn into_failure(self, file_name: &str) -> Failure {
        let mut details: Vec<String> = self
            .problems
            .iter()
            .take(LISTED)
            .map(|problem| format!("{file_name}:{problem}"))
            .collect();
        if self.problems.len() > LISTED {
            details.push(format!("and {} more", self.problems.len() - LISTED));
        }
        let found = count(self.problems.len());
        Failure::new(Kind::Invalid, format!("cannot read `{file_name}`: {found} found"))
            .hint(format!(
                "correct `{file_name}` and try again; `hostkit init` in an empty folder shows the keys"
            ))
            .details(details)
    }
}

/// Collects problems while a text is read.
pub(crate) struct Collector<'t> {
    text: &'t str,
    line_starts: Vec<usize>,
    found: Vec<Problem>,
}

impl<'t> Collector<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let ends = text.match_indices('\n').map(|(at, _)| at + 1);
        Collector {
            text,
            line_starts: std::iter::once(0).chain(ends).collect(),
            found: Vec::new(),
        }
    }

    pub(crate) fn add(
        &mut self,
        at: Range<usize>,
        key: &str,
        message: impl Into<String>,
        suggestion: Option<String>,
    ) {
        let offset = at.start.min(self.text.len());
        let line = self.line_starts.partition_point(|start| *start <= offset).max(1);
        let before = self.text.get(self.line_starts[line - 1]..offset).unwrap_or("");
        self.found.push(Problem {
            line,
            // A byte order mark takes no room in an editor.
            column: before.chars().filter(|c| *c != '\u{feff}').count() + 1,
            key: key.to_owned(),
            message: message.into(),
            suggestion,
        });
    }

    /// Whether nothing was found so far.
    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Takes back what was found on a line that is no TOML at all: what stands there is not what was meant.
    pub(super) fn forget_echoes(&mut self) {
        let broken: std::collections::BTreeSet<usize> = self
            .found
            .iter()
            .filter(|p| p.key.is_empty())
            .map(|p| p.line)
            .collect();
        self.found
            .retain(|p| p.key.is_empty() || !broken.contains(&p.line));
    }

    pub(super) fn finish(mut self) -> Result<(), ManifestProblems> {
        if self.found.is_empty() {
            return Ok(());
        }
        self.found.sort_by_key(|p| (p.line, p.column));
        self.found.dedup();
        Err(ManifestProblems { problems: self.found })
    }
}

/// Words people know from other platforms, and what they are called here.
const SYNONYMS: [(&str, &str); 34] = [
    ("app", "name"),
    ("project", "name"),
    ("domain", "hosts"),
    ("domain", "base_domain"),
    ("email", "admin_mail"),
    ("port", "http_port"),
    ("domains", "hosts"),
    ("host", "hosts"),
    ("persist", "keep"),
    ("shared", "keep"),
    ("volumes", "keep"),
    ("processes", "process"),
    ("services", "process"),
    ("service", "process"),
    ("env", "variables"),
    ("environment", "variables"),
    ("crons", "cron"),
    ("jobs", "cron"),
    ("start", "command"),
    ("run", "command"),
    ("cmd", "command"),
    ("replicas", "count"),
    ("instances", "count"),
    ("scale", "count"),
    ("cwd", "directory"),
    ("workdir", "directory"),
    ("healthcheck", "health"),
    ("dist", "output"),
    ("spa", "single_page"),
    ("retries", "failures"),
    ("port", "port_variable"),
    ("nodejs", "node"),
    ("next", "nextjs"),
    ("next.js", "nextjs"),
];

/// The word of `known` that was probably meant by `word`.
pub(super) fn nearest(word: &str, known: &[&str]) -> Option<String> {
    let plain = |text: &str| text.to_ascii_lowercase().replace(['-', '_', ' '], "");
    // A word this long is no typing error, and comparing is quadratic in the length.
    if word.len() > 40 {
        return None;
    }
    let synonym = SYNONYMS
        .iter()
        .filter(|(theirs, ours)| plain(word) == plain(theirs) && known.contains(ours))
        .map(|(_, ours)| (*ours).to_owned())
        .next();
    synonym.or_else(|| {
        known
            .iter()
            .map(|k| (strsim::damerau_levenshtein(&plain(word), &plain(k)), *k))
            .filter(|(distance, k)| *distance <= (k.len() / 3).max(1))
            .min()
            .map(|(_, k)| k.to_owned())
    })
}

/// A changed form of `text` that keeps a rule: most often what was meant.
pub(super) fn mended(text: &str, check: fn(&str) -> Result<(), String>) -> Option<String> {
    if text.len() > 256 || RESERVED.contains(&text) {
        return None;
    }
    let lower = text.trim().to_lowercase();
    let without_scheme = lower.split_once("://").map_or(lower.as_str(), |(_, rest)| rest);
    let host = without_scheme
        .split(['/', ':'])
        .next()
        .filter(|host| host.contains('.'))
        .unwrap_or_default();
    let path_of_url = text.split_once("://").map(|(_, rest)| match rest.find('/') {
        Some(at) => rest[at..].to_owned(),
        None => "/".to_owned(),
    });
    let relative = text.trim().trim_start_matches("./").trim_matches('/');
    let nickname = match lower.as_str() {
        "@hourly" => "0 * * * *",
        "@daily" | "@midnight" => "0 0 * * *",
        "@weekly" => "0 0 * * 0",
        "@monthly" => "0 0 1 * *",
        "@yearly" | "@annually" => "0 0 1 1 *",
        _ => "",
    };
    let candidates = [
        nickname.to_owned(),
        lower.replace(['_', ' '], "-"),
        path_of_url.unwrap_or_default(),
        relative.to_owned(),
        host.to_owned(),
        format!("/{relative}"),
        text.trim().replace(['-', ' ', '.'], "_").to_uppercase(),
    ];
    candidates
        .into_iter()
        .find(|c| !c.is_empty() && c != text && check(c).is_ok())
        .map(|c| shown(&c))
}
