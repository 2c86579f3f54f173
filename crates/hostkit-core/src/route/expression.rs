//! Regular expressions of rules: bounded in size, linear in time, and over bytes, so that nothing a visitor sends
//! takes long.

use regex_automata::meta::Regex;
use regex_automata::util::syntax;

/// The most memory one expression may take before it is matched.
const MOST_BYTES: usize = 64 << 10;
/// What it may use while it is matched.
const MOST_CACHE: usize = 64 << 10;

/// Compiles an expression, or says what is wrong with it.
pub(super) fn compiled(text: &str) -> Result<Regex, String> {
    let syntax = syntax::Config::new().unicode(false).utf8(false).nest_limit(50);
    let limits = Regex::config()
        .nfa_size_limit(Some(MOST_BYTES))
        .hybrid_cache_capacity(MOST_CACHE)
        .utf8_empty(false);
    let built = Regex::builder().syntax(syntax).configure(limits).build(text);
    built.map_err(|error| match error.size_limit() {
        Some(_) => "it is too large: repeat less, or shorter parts".to_owned(),
        None => {
            let syntax = error.syntax_error().map(ToString::to_string);
            let why = syntax.unwrap_or_else(|| error.to_string());
            let last = why.lines().rev().find_map(|line| line.strip_prefix("error: "));
            format!(
                "its expression cannot be read: {}",
                last.unwrap_or("it is not valid")
            )
        }
    })
}

/// Letters as an expression that stands for them alone.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_punctuation() && !matches!(c, '<' | '>') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Takes `(?!…)` from the beginning of a group: linear expressions have no such thing, and a second one that must not
/// match does the same there.
pub(super) fn split_exclusions(pattern: &str) -> Result<(Vec<&str>, String), String> {
    let mut rest = pattern;
    let mut excluded = Vec::new();
    while let Some(inner) = rest.strip_prefix("(?!") {
        let end = end_of_group(inner).ok_or("`(` has no `)`")?;
        excluded.push(&inner[..end]);
        rest = &inner[end + 1..];
    }
    if rest.contains("(?!") || excluded.iter().any(|not| not.contains("(?!")) {
        return Err("`(?!` is understood only at the beginning of a group".into());
    }
    if !excluded.is_empty() && rest.is_empty() {
        return Err("`(?!…)` needs something behind it, as `(?!api/).*`".into());
    }
    Ok((excluded, rest.to_owned()))
}

fn end_of_group(text: &str) -> Option<usize> {
    let mut depth = 1usize;
    let mut in_class = false;
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => {
                letters.next();
            }
            '[' => in_class = true,
            ']' => in_class = false,
            '(' if !in_class => depth += 1,
            ')' if !in_class => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}
