//! The rules made ready: one automaton for the words they begin with, one linear-time pattern each. A pattern is
//! compiled when its first word is found: most sources have few of them.

use std::sync::{LazyLock, OnceLock};

use aho_corasick::{AhoCorasick, MatchKind};
use regex_automata::meta::Regex;
use regex_automata::util::syntax;

use super::rules::{RULES, Rule};

/// All rules, ready.
pub(super) struct Patterns {
    /// Finds the words.
    pub(super) words: AhoCorasick,
    /// The rules of each word, by place in [`Patterns::rules`].
    pub(super) owners: Vec<Vec<usize>>,
    /// The rules in the order of the table.
    pub(super) rules: Vec<Ready>,
}

/// A rule and its pattern.
pub(super) struct Ready {
    /// The row of the table.
    pub(super) rule: &'static Rule,
    regex: OnceLock<Regex>,
}

impl Ready {
    /// The pattern, compiled.
    pub(super) fn regex(&self) -> &Regex {
        self.regex.get_or_init(|| compiled(self.rule))
    }
}

pub(super) static PATTERNS: LazyLock<Patterns> = LazyLock::new(Patterns::new);

impl Patterns {
    fn new() -> Self {
        let mut words: Vec<&'static str> = Vec::new();
        let mut owners: Vec<Vec<usize>> = Vec::new();
        for (place, rule) in RULES.iter().enumerate() {
            for word in rule.words {
                match words.iter().position(|known| known == word) {
                    Some(known) => owners[known].push(place),
                    None => {
                        words.push(word);
                        owners.push(vec![place]);
                    }
                }
            }
        }
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .build(&words);
        Patterns {
            words: automaton.unwrap_or_else(|error| unreachable!("the words of the rules: {error}")),
            owners,
            rules: RULES
                .iter()
                .map(|rule| Ready {
                    rule,
                    regex: OnceLock::new(),
                })
                .collect(),
        }
    }
}

fn compiled(rule: &Rule) -> Regex {
    // Bytes, not characters: files are anything. Begin and end are those of the line.
    let syntax = syntax::Config::new().unicode(false).utf8(false).multi_line(true);
    let built = Regex::builder()
        .syntax(syntax)
        .configure(Regex::config().utf8_empty(false))
        .build(rule.pattern);
    built.unwrap_or_else(|error| unreachable!("the pattern of {}: {error}", rule.id))
}
