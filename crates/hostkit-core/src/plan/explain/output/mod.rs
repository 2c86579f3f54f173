//! What the last lines of a program tell. Each reader looks for the words one sort of failure is printed in; the
//! order is that of certainty.

mod missing;
mod refused;
mod variable;

use super::{Cause, Evidence, Explanation};

pub(super) fn explain(evidence: &Evidence<'_>) -> Option<Explanation> {
    let lines: Vec<&str> = evidence
        .diagnosis
        .last_lines
        .iter()
        .map(|line| line.trim())
        .collect();
    let readers: [fn(&Lines<'_>) -> Option<Explanation>; 17] = [
        refused::out_of_memory,
        variable::missing_variable,
        missing::wrong_interpreter,
        missing::missing_node_module,
        missing::missing_python_module,
        missing::missing_application,
        missing::missing_script,
        missing::missing_build,
        missing::missing_library,
        refused::privileged_port,
        refused::port_in_use,
        refused::disk_full,
        refused::dependency_unreachable,
        missing::command_not_found,
        missing::missing_file,
        refused::permission_denied,
        refused::syntax_error,
    ];
    let lines = Lines { evidence, lines };
    readers.iter().find_map(|read| read(&lines))
}

struct Lines<'a> {
    evidence: &'a Evidence<'a>,
    lines: Vec<&'a str>,
}

impl<'a> Lines<'a> {
    /// The last line with one of the texts, and what follows the text.
    fn after(&self, texts: &[&str]) -> Option<(&'a str, &'a str)> {
        self.lines.iter().rev().find_map(|line| {
            let text = texts.iter().find(|text| line.contains(**text))?;
            Some((*line, line.split_once(text)?.1))
        })
    }

    fn exit_code(&self) -> Option<i32> {
        self.evidence.diagnosis.last_exit.as_ref()?.code
    }

    fn found(&self, cause: Cause, sentence: String, hint: impl Into<String>) -> Option<Explanation> {
        Some(Explanation {
            cause,
            sentence,
            hint: hint.into(),
        })
    }
}

/// What stands in the first pair of quotes, of whichever kind.
fn quoted(text: &str) -> Option<&str> {
    let (at, quote) = text
        .char_indices()
        .find(|(_, c)| matches!(c, '\'' | '"' | '`' | '‘' | '“'))?;
    let close = match quote {
        '‘' => '’',
        '“' => '”',
        same => same,
    };
    let rest = &text[at + quote.len_utf8()..];
    let inside = &rest[..rest.find(close)?];
    (!inside.is_empty() && inside.len() <= 200).then_some(inside)
}

/// A line as part of a sentence.
fn short(line: &str) -> String {
    let mut text: String = line.chars().filter(|c| !c.is_control()).take(160).collect();
    if line.chars().nth(160).is_some() {
        text.push('…');
    }
    text.trim_end_matches(['.', ' ']).to_owned()
}
