//! Reading of `.env` text as people have it: `export`, comments, quotes of both kinds, values over several lines,
//! byte order mark, Windows line ends.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{DotenvProblem, DotenvProblems};
use crate::names::VariableName;
use crate::variables::MAX_VALUE_BYTES;

/// Reads variables in the order in which they first stand; where a name stands twice, the last value counts.
///
/// - unquoted: up to ` #` or the end of the line, without the spaces around it, every character as it is
/// - `'single quotes'`: every character as it is, line breaks too
/// - `"double quotes"`: line breaks as they are; `\n \r \t \" \\ \$` and `` \` `` mean what they mean elsewhere, a
///   backslash before a line break takes both away, any other backslash stays
/// - quoted pieces that touch (`'it'\''s'`) are one value, as in a shell
///
/// In a file of which every line ends with CR LF these are its line ends; otherwise a CR belongs to the value.
pub fn parse(text: &str) -> Result<Vec<(VariableName, String)>, DotenvProblems> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let text = unix_line_ends(text);
    let mut places: BTreeMap<VariableName, usize> = BTreeMap::new();
    let mut found: Vec<(VariableName, String)> = Vec::new();
    let mut problems = Vec::new();
    let mut rest: &str = &text;
    let mut line = 1;
    while !rest.is_empty() {
        let (entry, after) = read_entry(rest);
        match entry {
            Ok(None) => {}
            Ok(Some((name, value))) => match places.get(&name) {
                Some(place) => found[*place].1 = value,
                None => {
                    places.insert(name.clone(), found.len());
                    found.push((name, value));
                }
            },
            Err(message) => problems.push(DotenvProblem { line, message }),
        }
        let taken = &rest[..rest.len() - after.len()];
        line += taken.bytes().filter(|b| *b == b'\n').count();
        rest = after;
    }
    if problems.is_empty() {
        Ok(found)
    } else {
        Err(DotenvProblems { problems })
    }
}

fn unix_line_ends(text: &str) -> Cow<'_, str> {
    let all = text.matches('\n').count();
    if all > 0 && text.matches("\r\n").count() == all {
        Cow::Owned(text.replace("\r\n", "\n"))
    } else {
        Cow::Borrowed(text)
    }
}

type Entry = Result<Option<(VariableName, String)>, String>;

/// One entry (or a line without one), and the text after its last line.
fn read_entry(text: &str) -> (Entry, &str) {
    let (line, next) = split_line(text);
    let content = line.trim();
    if content.is_empty() || content.starts_with('#') {
        return (Ok(None), next);
    }
    let Some((before, _)) = line.split_once('=') else {
        return (Err("the line has no `=`".into()), next);
    };
    let name = before.trim();
    let name = match name.strip_prefix("export") {
        Some(exported) if exported.starts_with([' ', '\t']) => exported.trim_start(),
        _ => name,
    };
    let name = match VariableName::parse(name) {
        Ok(name) => name,
        // The text itself is not shown: in a line that is no entry at all it may be a secret.
        Err(error) => {
            return (
                Err(format!(
                    "what stands before `=` is no variable name: {}",
                    error.rule
                )),
                next,
            );
        }
    };
    let after_sign = &text[before.len() + 1..];
    let start = after_sign.trim_start_matches([' ', '\t']);
    let (value, next) = if start.starts_with(['\'', '"']) {
        match read_quoted(start) {
            Ok(read) => read,
            Err(message) => return (Err(format!("`{name}`: {message}")), next),
        }
    } else {
        (read_plain(split_line(after_sign).0), next)
    };
    if value.contains('\0') {
        return (Err(format!("`{name}` has the character NUL in its value")), next);
    }
    if value.len() > MAX_VALUE_BYTES {
        let message = format!("`{name}` has {} bytes, {MAX_VALUE_BYTES} are taken", value.len());
        return (Err(message), next);
    }
    (Ok(Some((name, value))), next)
}

fn split_line(text: &str) -> (&str, &str) {
    text.split_once('\n').unwrap_or((text, ""))
}

fn read_plain(line: &str) -> String {
    let comment = line
        .match_indices('#')
        .map(|(at, _)| at)
        .find(|at| line[..*at].ends_with([' ', '\t']));
    let value = &line[..comment.unwrap_or(line.len())];
    value.trim_matches([' ', '\t', '\r']).to_owned()
}

/// Quoted pieces that touch, and the text after the line in which the last one ends.
fn read_quoted(text: &str) -> Result<(String, &str), String> {
    let mut value = String::new();
    let mut rest = text;
    loop {
        let mut chars = rest.chars();
        rest = match chars.next() {
            Some('\'') => {
                let inside = chars.as_str();
                let end = inside.find('\'').ok_or("its single quote is never closed")?;
                value.push_str(&inside[..end]);
                &inside[end + 1..]
            }
            Some('"') => read_double(chars.as_str(), &mut value)?,
            Some('\\') if !matches!(chars.as_str().chars().next(), None | Some('\n')) => {
                value.extend(chars.next());
                chars.as_str()
            }
            _ => break,
        };
    }
    let (tail, next) = split_line(rest);
    let comment = tail.trim();
    if comment.is_empty() || (comment.starts_with('#') && tail.starts_with([' ', '\t'])) {
        Ok((value, next))
    } else {
        Err("there is more text after its closing quote".into())
    }
}

/// What follows the closing quote of a piece whose opening quote was taken.
fn read_double<'t>(text: &'t str, value: &mut String) -> Result<&'t str, String> {
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return Ok(chars.as_str()),
            '\\' => match chars.next() {
                Some('n') => value.push('\n'),
                Some('r') => value.push('\r'),
                Some('t') => value.push('\t'),
                Some('\n') => {}
                Some(c @ ('"' | '\\' | '$' | '`')) => value.push(c),
                Some(c) => value.extend(['\\', c]),
                None => break,
            },
            c => value.push(c),
        }
    }
    Err("its double quote is never closed".into())
}
