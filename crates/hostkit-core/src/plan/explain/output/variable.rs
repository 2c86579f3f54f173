//! What programs print when a variable they need has no value, or a wrong one: the name is found in the words around it.

use super::super::{Cause, Explanation};
use super::{Lines, quoted};
use crate::names::VariableName;

pub(super) fn missing_variable(lines: &Lines<'_>) -> Option<Explanation> {
    let known = |name: &VariableName| lines.evidence.variables.contains(name);
    let name = lines.lines.iter().rev().find_map(|line| named_variable(line))?;
    let hint = if known(&name) {
        format!(
            "`{name}` has a value, which the program does not accept: `hostkit env set {name}=…` changes it"
        )
    } else {
        format!(
            "`hostkit env set {name}=…`, and add it to `required` in hostkit.toml so that a deploy without it is refused at once"
        )
    };
    let state = if known(&name) {
        "rejects the value of the variable"
    } else {
        "needs the variable"
    };
    lines.found(
        Cause::MissingVariable,
        format!("`{}` {state} `{name}`", lines.evidence.process),
        hint,
    )
}

/// The variable a line complains about.
fn named_variable(line: &str) -> Option<VariableName> {
    if let Some((_, rest)) = line.split_once("KeyError: ") {
        return quoted(rest)
            .filter(|name| is_variable(name))
            .and_then(|name| VariableName::parse(name).ok());
    }
    if let Some((_, rest)) = line.split_once("process.env.") {
        let complains = [
            "undefined",
            "missing",
            "required",
            "not set",
            "not defined",
            "must be",
        ];
        let lower = line.to_ascii_lowercase();
        if complains.iter().any(|word| lower.contains(word)) {
            let end = rest
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            return VariableName::parse(&rest[..end]).ok();
        }
    }
    let lower = line.to_ascii_lowercase();
    // Words before which the name stands, and words after which it does.
    let before = [
        " is not set",
        " is not defined",
        " is required",
        " must be set",
        " is missing",
        " not found. declare it as envvar",
        " environment variable",
        " must be defined",
        " must be provided",
        " setting must not be empty",
        " is undefined",
        ": required",
        " not set",
    ];
    let after = [
        "environment variable not found",
        "environment variable",
        "missing env",
        "env variable",
        "env var",
        "missing required env",
        "undefined variable",
        "missing variable",
        "required variable",
        "set the ",
    ];
    let complains = lower.contains("missing")
        || lower.contains("not set")
        || lower.contains("not found")
        || lower.contains("required")
        || lower.contains("not defined")
        || lower.contains("undefined")
        || lower.contains("must ")
        || lower.contains("set the ");
    if !complains {
        return None;
    }
    let name_before = before
        .iter()
        .filter_map(|word| lower.find(word))
        .find_map(|at| last_variable(line.get(..at)?));
    let name_after = || {
        after
            .iter()
            .filter_map(|word| Some(lower.find(word)? + word.len()))
            .find_map(|at| variable_in(line.get(at..)?))
    };
    name_before.or_else(name_after)
}

/// The name that ends `text`: in front of ` is not set`.
fn last_variable(text: &str) -> Option<VariableName> {
    let word = text
        .trim_end_matches(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .next()?;
    let name = VariableName::parse(word).ok()?;
    is_variable(name.as_str()).then_some(name)
}

/// A word that looks like the name of a variable: upper case, with a letter.
fn variable_in(text: &str) -> Option<VariableName> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .find(|word| is_variable(word))
        .and_then(|word| VariableName::parse(word).ok())
}

fn is_variable(word: &str) -> bool {
    const OTHER_WORDS: [&str; 12] = [
        "ERROR", "FATAL", "WARN", "WARNING", "INFO", "DEBUG", "GET", "POST", "HTTP", "URL", "ERR", "NOT",
    ];
    word.len() >= 3
        && word
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
        && word.bytes().any(|b| b.is_ascii_uppercase())
        && !OTHER_WORDS.contains(&word)
}
