//! Reading and writing of `.env` text, exact to the byte. What [`write()`] makes is read alike by [`parse`], by `sh`
//! (`set -a; . ./.env`) and by systemd's `EnvironmentFile=`, whatever the value; two libraries come as near as their
//! own rules let them (see [`write()`]). Nothing is ever interpolated: `$X` stays `$X`.

mod read;
#[cfg(test)]
mod tests;

pub use read::parse;

use crate::kind::{Failure, Kind};
use crate::names::VariableName;

/// One line that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DotenvProblem {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong. Never has any part of a value.
    pub message: String,
}

/// Everything that is wrong with a `.env` text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} lines of the file cannot be read", .problems.len())]
pub struct DotenvProblems {
    /// The problems, in the order of the lines; never empty.
    pub problems: Vec<DotenvProblem>,
}

impl DotenvProblems {
    /// The failure a user sees: one detail line per problem, `.env:3: …`.
    pub fn into_failure(self, file_name: &str) -> Failure {
        let details = self
            .problems
            .iter()
            .take(50)
            .map(|problem| format!("{file_name}:{}: {}", problem.line, problem.message))
            .collect();
        let found = match self.problems.len() {
            1 => "one line is wrong".to_owned(),
            n => format!("{n} lines are wrong"),
        };
        Failure::new(Kind::Invalid, format!("cannot read `{file_name}`: {found}"))
            .hint("write each variable as NAME=VALUE on a line of its own, values with spaces in quotes")
            .details(details)
    }
}

/// Writes variables, one after the other.
///
/// Values of harmless characters stand as they are; others in single quotes; those that single quotes cannot hold in
/// double quotes with a backslash before `\`, `"`, `$` and `` ` ``. Backslashes at the very end follow, doubled, after
/// the closing quote. `sh` and systemd read each of these exactly. So do python-dotenv and the `dotenv` package of
/// Node.js, with these exceptions, for which no form exists that all read; none harms the variables around it:
///
/// | value has | python-dotenv reads | Node.js dotenv reads |
/// |---|---|---|
/// | `${X}` | the value of `X`, unless asked not to (`interpolate=False`) | exact |
/// | a carriage return | a line feed (files are opened with universal newlines) | a line feed |
/// | `'` and one of `$`, `` ` `` | a backslash before `$` and `` ` `` | the same, and one before `"` and `\` |
/// | `'` and one of `"`, `\` | exact | a backslash before it; `\n` in it becomes a line feed |
/// | `\\` | exact; one `\` where there is `$` or `` ` `` too | as in the line above, but exact with `$` or `` ` `` |
/// | `\` at the end | nothing: the variable is left out | the value as it is written |
///
/// HostKit's own programs get their variables from their environment and are not concerned.
pub fn write(variables: &[(VariableName, String)]) -> String {
    let mut text = String::new();
    for (name, value) in variables {
        text.push_str(name.as_str());
        text.push('=');
        push_value(&mut text, value);
        text.push('\n');
    }
    text
}

fn push_value(text: &mut String, value: &str) {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"_./:@%+,=-".contains(&b);
    let body = value.trim_end_matches('\\');
    if !value.is_empty() && value.bytes().all(is_plain) {
        text.push_str(value);
    } else if fits_single_quotes(body) {
        text.push('\'');
        text.push_str(body);
        text.push('\'');
    } else {
        text.push('"');
        for c in body.chars() {
            if matches!(c, '\\' | '"' | '$' | '`') {
                text.push('\\');
            }
            text.push(c);
        }
        text.push('"');
    }
    // In front of a closing quote a backslash would make python-dotenv read on into the next variables.
    for _ in body.len()..value.len() {
        text.push_str("\\\\");
    }
}

/// `sh` and systemd would only mind a `'`. To python-dotenv `\\` is one `\`, which double quotes cure; but these would
/// make it misread `$` and `` ` ``.
fn fits_single_quotes(value: &str) -> bool {
    !value.contains('\'') && (!value.contains("\\\\") || value.contains(['$', '`']))
}
