//! One file, from its bytes to findings.

use regex_automata::Input;

use super::judge::Found;
use super::names::Kind;
use super::patterns::PATTERNS;
use super::rules::{Reach, Rule};
use super::{ALLOWED, Finding, MAX_PER_FILE};

/// So many bytes at the beginning decide whether it is text.
const HEAD: usize = 8000;
/// How much of a line is looked at around a word: before it, behind it. Every pattern is shorter.
const BEFORE: usize = 200;
const BEHIND: usize = 2000;
/// Where a line goes on behind what was looked at, the next look begins so much earlier.
const OVERLAP: usize = 400;

/// A match, before it is told.
struct Hit {
    start: usize,
    end: usize,
    rule: usize,
    excerpt: String,
}

pub(super) fn look(path: &str, bytes: &[u8]) -> Vec<Finding> {
    if bytes[..bytes.len().min(HEAD)].contains(&0) {
        return Vec::new();
    }
    let mut hits = hits(Kind::of(path), bytes);
    // The rules stand in the order from special to general; of two that see the same the first one counts.
    hits.sort_by_key(|hit| (hit.rule, hit.start));
    let mut kept: Vec<Hit> = Vec::new();
    for hit in hits {
        if !kept
            .iter()
            .any(|other| other.start < hit.end && hit.start < other.end)
        {
            kept.push(hit);
        }
        if kept.len() >= 4 * MAX_PER_FILE {
            break;
        }
    }
    kept.sort_by_key(|hit| hit.start);
    let mut findings = Vec::new();
    let (mut line, mut at) = (1, 0);
    for hit in kept {
        line += bytes[at..hit.start].iter().filter(|byte| **byte == b'\n').count();
        at = hit.start;
        if is_allowed(bytes, hit.start) {
            continue;
        }
        let rule = PATTERNS.rules[hit.rule].rule;
        findings.push(Finding {
            path: path.to_owned(),
            line,
            rule: rule.id,
            title: rule.title,
            excerpt: hit.excerpt,
        });
        if findings.len() == MAX_PER_FILE {
            break;
        }
    }
    findings
}

fn hits(kind: Kind, bytes: &[u8]) -> Vec<Hit> {
    let mut hits = Vec::new();
    // Up to where each rule has looked already: no byte is looked at twice by it, but for the overlap.
    let mut done = vec![0; PATTERNS.rules.len()];
    for word in PATTERNS.words.find_overlapping_iter(bytes) {
        for place in &PATTERNS.owners[word.pattern().as_usize()] {
            let rule = PATTERNS.rules[*place].rule;
            if word.start() < done[*place] || !applies(rule, kind) {
                continue;
            }
            let piece = piece(bytes, word.start(), done[*place]);
            let is_cut = piece.end < bytes.len() && bytes[piece.end] != b'\n';
            done[*place] = match is_cut {
                true => piece.end.saturating_sub(OVERLAP).max(word.end()),
                false => piece.end,
            };
            search(*place, bytes, piece, &mut hits);
            if hits.len() >= 50 * MAX_PER_FILE {
                return hits;
            }
        }
    }
    hits
}

fn applies(rule: &Rule, kind: Kind) -> bool {
    match rule.reach {
        Reach::Everywhere => true,
        Reach::Written => kind != Kind::Made,
        Reach::Settings => matches!(kind, Kind::Settings | Kind::Environment),
        Reach::Environment => kind == Kind::Environment,
    }
}

/// The piece of the line around a place.
fn piece(bytes: &[u8], at: usize, done: usize) -> std::ops::Range<usize> {
    let least = at.saturating_sub(BEFORE).max(done.saturating_sub(OVERLAP));
    let start = bytes[least..at]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(least, |place| least + place + 1);
    let most = bytes.len().min(at + BEHIND);
    let end = bytes[at..most]
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(most, |place| at + place);
    start..end
}

fn search(place: usize, bytes: &[u8], piece: std::ops::Range<usize>, hits: &mut Vec<Hit>) {
    let ready = &PATTERNS.rules[place];
    let rule = ready.rule;
    let input = Input::new(bytes).range(piece);
    for captures in ready.regex().captures_iter(input) {
        let (Some(whole), Some(secret)) = (captures.get_match(), captures.get_group(2)) else {
            continue;
        };
        let label = captures.get_group(1).map_or(&bytes[..0], |span| &bytes[span]);
        let found = Found {
            label,
            secret: &bytes[secret],
            rest: &bytes[secret.end..whole.end()],
            behind: &bytes[whole.end()..bytes.len().min(whole.end() + BEHIND)],
        };
        let is_known = hits
            .iter()
            .rev()
            .take(8)
            .any(|hit| hit.rule == place && hit.start == secret.start);
        if !is_known && (rule.judge)(&found) {
            hits.push(Hit {
                start: secret.start,
                end: whole.end(),
                rule: place,
                excerpt: excerpt(rule, &found),
            });
        }
    }
}

/// The name and what every secret of this kind begins with; both have nothing secret in them.
fn excerpt(rule: &Rule, found: &Found<'_>) -> String {
    let open = &found.secret[..rule.open.min(found.secret.len())];
    let characters = match found.secret.len() {
        1 => "1 character".to_owned(),
        many => format!("{many} characters"),
    };
    let label: String = String::from_utf8_lossy(found.label).chars().take(60).collect();
    let between = if label.is_empty() { "" } else { " " };
    format!(
        "{label}{between}{}… ({characters})",
        String::from_utf8_lossy(open)
    )
}

/// Whether the line, or the one above it, says that this is meant to be here.
fn is_allowed(bytes: &[u8], at: usize) -> bool {
    let mut start = bytes[..at]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |place| place + 1);
    if start > 0 {
        start = bytes[..start - 1]
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |place| place + 1);
    }
    let end = bytes[at..]
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(bytes.len(), |place| at + place);
    let lines = &bytes[start..end];
    lines
        .windows(ALLOWED.len())
        .any(|window| window == ALLOWED.as_bytes())
}
