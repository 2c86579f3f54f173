//! Hiding of secret values in output: as they are, and in the forms in which programs print them.

mod forms;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeSet;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

/// What stands in place of a value.
pub const MASK: &str = "[masked]";

/// Shorter values are not masked: they would hide half of every log and are no secrets.
const SHORTEST: usize = 6;
/// Numbers shorter than this are ports, sizes and counts.
const SHORTEST_NUMBER: usize = 8;
/// Longer values are looked for as they are, and in JSON; each further form would cost as much memory again.
const LONGEST_ENCODED: usize = 4096;
/// Values that are no secrets, in lower case, and stand in every other line of a log.
const COMMON: [&str; 31] = [
    "production",
    "development",
    "staging",
    "testing",
    "preview",
    "default",
    "localhost",
    "127.0.0.1",
    "0.0.0.0",
    "enabled",
    "disabled",
    "warning",
    "verbose",
    "notice",
    "server",
    "client",
    "public",
    "private",
    "internal",
    "postgres",
    "postgresql",
    "sqlite",
    "memory",
    "us-east-1",
    "eu-west-1",
    "eu-central-1",
    "europe/berlin",
    "etc/utc",
    "c.utf-8",
    "en_us.utf-8",
    "application/json",
];

/// Hides a set of values. Costs one pass over a line, however many values there are.
pub struct Masker {
    search: Search,
}

enum Search {
    Nothing,
    Patterns(AhoCorasick),
    /// The patterns could not be made into a search; everything is hidden rather than something shown.
    Everything,
}

impl Masker {
    /// A masker of these values. Values that are too short or too common to be secrets are passed over.
    pub fn new<S: AsRef<str>>(values: impl IntoIterator<Item = S>) -> Self {
        let mut patterns = BTreeSet::new();
        for value in values {
            let value = value.as_ref();
            for secret in secrets_of(value) {
                forms::add_plain(&secret, &mut patterns);
                if value.len() <= LONGEST_ENCODED {
                    forms::add_encoded(&secret, &mut patterns);
                }
            }
        }
        let search = if patterns.is_empty() {
            Search::Nothing
        } else {
            // A table of states would be faster by a little, but takes minutes to make of a long value that repeats.
            AhoCorasick::builder()
                .kind(Some(AhoCorasickKind::ContiguousNFA))
                .build(&patterns)
                .map_or(Search::Everything, Search::Patterns)
        };
        Masker { search }
    }

    /// A masker for when the values are not known: nothing is shown.
    pub fn of_everything() -> Self {
        Masker {
            search: Search::Everything,
        }
    }

    /// The line with every value replaced by `[masked]`; values that overlap or touch become one.
    pub fn mask<'l>(&self, line: &'l str) -> Cow<'l, str> {
        let search = match &self.search {
            Search::Nothing => return Cow::Borrowed(line),
            Search::Everything => return Cow::Borrowed(MASK),
            Search::Patterns(search) => search,
        };
        if !search.is_match(line) {
            return Cow::Borrowed(line);
        }
        // Found in the order of their ends; what overlaps or touches is joined at once, so that values which repeat in
        // themselves cost no memory.
        let mut hidden: Vec<(usize, usize)> = Vec::new();
        for found in search.find_overlapping_iter(line) {
            let (mut start, end) = (found.start(), found.end());
            while let Some((earlier, _)) = hidden.pop_if(|(_, last_end)| *last_end >= start) {
                start = start.min(earlier);
            }
            hidden.push((start, end));
        }
        let mut out = String::with_capacity(line.len());
        let mut shown_to = 0;
        for (start, end) in hidden {
            out.push_str(&line[shown_to..start]);
            out.push_str(MASK);
            shown_to = end;
        }
        out.push_str(&line[shown_to..]);
        Cow::Owned(out)
    }
}

impl std::fmt::Debug for Masker {
    /// Never shows what is hidden.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Masker")
    }
}

/// The texts to hide because of a value: itself, each of its lines, and the password in it where it is a URL.
fn secrets_of(value: &str) -> Vec<String> {
    let has_lines = value.contains(['\n', '\r']);
    let mut secrets = Vec::new();
    // As a whole a value with line breaks shows up only encoded, in one line.
    if !has_lines || value.len() <= LONGEST_ENCODED {
        secrets.extend([value.to_owned(), value.trim().to_owned()]);
    }
    if has_lines {
        // The first and last line of a PEM block say nothing and stand in other files too.
        let lines = value.lines().map(str::trim);
        secrets.extend(lines.filter(|line| !line.starts_with("-----")).map(str::to_owned));
    }
    if let Some(password) = password_of_url(value) {
        secrets.push(forms::percent_decoded(password));
        secrets.push(password.to_owned());
    }
    secrets.retain(|secret| is_secret(secret));
    secrets
}

/// `hunter2` of `postgres://user:hunter2@host/db`.
fn password_of_url(value: &str) -> Option<&str> {
    let (_, rest) = value.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (user_and_password, _) = authority.rsplit_once('@')?;
    Some(user_and_password.split_once(':')?.1)
}

fn is_secret(value: &str) -> bool {
    let value = value.trim();
    let is_number = value.bytes().all(|b| b.is_ascii_digit());
    value.len() >= SHORTEST
        && (!is_number || value.len() >= SHORTEST_NUMBER)
        && !COMMON.contains(&value.to_ascii_lowercase().as_str())
}
