//! The text of `hostkit.toml` against the shape of the file: broken TOML, unknown keys, wrong kinds of values, texts
//! that break their rule. Everything is reported at once; what the keys mean together is left to [`super::check`].

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{Key, MOST_ENTRIES, ROOT, Shape, Text};
use super::problems::{Collector, ManifestProblems, mended, nearest};
use super::rules::shown;
use super::{Manifest, check};
use crate::size::{ByteSize, Processors, Span};

/// The largest file taken.
const MAX_BYTES: usize = 1 << 20;

/// Reads a manifest, or says everything that is wrong with it.
pub fn parse(text: &str) -> Result<Manifest, ManifestProblems> {
    read(text, ROOT, check::build)
}

/// Reads a text against a table of keys and hands what is TOML to `build`, or says everything that is wrong with it.
pub(crate) fn read<T: Default>(
    text: &str,
    root_keys: &'static [Key],
    build: impl FnOnce(&DeTable<'_>, &mut Collector<'_>) -> T,
) -> Result<T, ManifestProblems> {
    let mut problems = Collector::new(if text.len() > MAX_BYTES { "" } else { text });
    if text.len() > MAX_BYTES {
        problems.add(
            0..0,
            "",
            format!("the file has {} bytes, {MAX_BYTES} are taken", text.len()),
            None,
        );
        return problems.finish().map(|()| T::default());
    }
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let message = shown(error.message().lines().next().unwrap_or("this is not TOML"));
        problems.add(error.span().unwrap_or(0..0), "", message, None);
    }
    Reader {
        problems: &mut problems,
        root: root_keys,
    }
    .table("", root.get_ref(), root_keys);
    if errors.is_empty() {
        let built = build(root.get_ref(), &mut problems);
        problems.finish().map(|()| built)
    } else {
        problems.forget_echoes();
        problems.finish().map(|()| T::default())
    }
}

struct Reader<'p, 't> {
    problems: &'p mut Collector<'t>,
    root: &'static [Key],
}

impl Reader<'_, '_> {
    fn table(&mut self, path: &str, table: &DeTable<'_>, keys: &[Key]) {
        for (name, value) in table {
            let text = name.get_ref().as_ref();
            match keys.iter().find(|key| key.name == text) {
                Some(key) => self.value(&join(path, text), value, &key.shape),
                None => self.unknown(path, name.span(), text, keys),
            }
        }
    }

    fn unknown(&mut self, path: &str, at: Range<usize>, name: &str, keys: &[Key]) {
        let known: Vec<&str> = keys.iter().map(|key| key.name).collect();
        let near = nearest(name, &known);
        let mut message = format!("unknown key `{}`", shown(name));
        if near.is_none() {
            let tables = tables_with(name, "", self.root);
            if !tables.is_empty() {
                message.push_str(&format!(" here, it belongs into {}", tables.join(" or ")));
            } else if path.is_empty() {
                message.push_str(&format!(", the file knows {}", listed(&known)));
            } else {
                message.push_str(&format!(", `[{path}]` knows {}", listed(&known)));
            }
        }
        self.problems.add(at, &join(path, name), message, near);
    }

    fn value(&mut self, path: &str, value: &Spanned<DeValue<'_>>, shape: &Shape) {
        let at = value.span();
        match (shape, value.get_ref()) {
            (Shape::Text(rule) | Shape::TextOrOff(rule), DeValue::String(text)) => {
                self.text(path, at, text, rule)
            }
            (Shape::OneOf(words), DeValue::String(text)) => {
                if !words.contains(&text.as_ref()) {
                    let message = format!(
                        "`{path}` cannot be `{}`: it is one of {}",
                        shown(text),
                        listed(words)
                    );
                    let upper = format!("SIG{}", text.trim().to_uppercase());
                    let near = words
                        .contains(&upper.as_str())
                        .then_some(upper)
                        .or_else(|| nearest(text, words));
                    self.problems.add(at, path, message, near);
                }
            }
            (Shape::Switch, DeValue::Boolean(_)) | (Shape::TextOrOff(_), DeValue::Boolean(false)) => {}
            (Shape::Whole(least, most), DeValue::Integer(number)) => {
                let fits = i64::from_str_radix(number.as_str(), number.radix())
                    .is_ok_and(|n| (*least..=*most).contains(&n));
                if !fits {
                    let number = shown(&number.to_string());
                    self.problems.add(
                        at,
                        path,
                        format!("`{path}` cannot be {number}: it is a whole number from {least} to {most}"),
                        None,
                    );
                }
            }
            (Shape::Duration(least, most), DeValue::String(text)) => {
                self.duration(path, at, text, *least, *most)
            }
            (Shape::Size(least), DeValue::String(text)) => self.size(path, at, text, *least),
            (Shape::Processors, DeValue::Integer(_) | DeValue::Float(_)) => {
                let written = number_written(value.get_ref()).unwrap_or_default();
                if let Err(error) = Processors::parse(&written) {
                    let message = format!("`{path}`: {}", shown(&error.to_string()));
                    self.problems.add(at, path, message, None);
                }
            }
            (Shape::Command, DeValue::String(text)) => {
                if text.trim().is_empty() || text.contains('\0') {
                    self.problems.add(
                        at,
                        path,
                        format!("`{path}` is not a command: it is empty or has a NUL in it"),
                        None,
                    );
                }
            }
            (Shape::Command, DeValue::Array(parts)) => self.arguments(path, at, parts),
            (Shape::List(shape), DeValue::Array(values)) => {
                self.not_too_many(path, at, values.len());
                for value in values {
                    self.value(path, value, shape);
                }
            }
            (Shape::Table(keys), DeValue::Table(table)) => {
                self.table(path, table, keys);
                for key in keys
                    .iter()
                    .filter(|key| key.needed && !table.contains_key(key.name))
                {
                    self.problems.add(
                        at.clone(),
                        &join(path, key.name),
                        format!("`{path}` needs the key `{}`", key.name),
                        None,
                    );
                }
            }
            (Shape::Named(rule, shape), DeValue::Table(table)) => {
                self.not_too_many(path, at, table.len());
                for (name, value) in table {
                    self.text(&join(path, name.get_ref()), name.span(), name.get_ref(), rule);
                    self.value(&join(path, name.get_ref()), value, shape);
                }
            }
            (shape, value) => self.wrong_kind(path, at, shape, value),
        }
    }

    fn not_too_many(&mut self, path: &str, at: Range<usize>, entries: usize) {
        if entries > MOST_ENTRIES {
            let message = format!("`{path}` has {entries} entries, {MOST_ENTRIES} are taken");
            self.problems.add(at, path, message, None);
        }
    }

    fn text(&mut self, path: &str, at: Range<usize>, text: &str, rule: &Text) {
        if let Err(why) = (rule.check)(text) {
            let near = mended(text, rule.check);
            self.problems.add(at, path, format!("`{path}`: {why}"), near);
        }
    }

    fn duration(&mut self, path: &str, at: Range<usize>, text: &str, least: u64, most: u64) {
        let span = |ms| Span(std::time::Duration::from_millis(ms));
        match Span::parse(text) {
            Ok(value) if (span(least)..=span(most)).contains(&value) => {}
            Ok(_) => {
                let message = format!(
                    "`{path}` cannot be `{}`: it is from {} to {}",
                    shown(text),
                    span(least),
                    span(most)
                );
                self.problems.add(at, path, message, None);
            }
            Err(error) => {
                let seconds = format!("{}s", text.trim());
                let near = Span::parse(&seconds).is_ok().then_some(seconds);
                self.problems
                    .add(at, path, format!("`{path}`: {}", shown(&error.to_string())), near);
            }
        }
    }

    fn size(&mut self, path: &str, at: Range<usize>, text: &str, least: u64) {
        let megabytes = || {
            let text = format!("{}MB", text.trim());
            ByteSize::parse(&text).is_ok().then_some(text)
        };
        match ByteSize::parse(text) {
            Ok(value) if value.0 >= least => {}
            Ok(_) => {
                let message = format!(
                    "`{path}` cannot be `{}`: it is at least {}",
                    shown(text),
                    ByteSize(least)
                );
                self.problems.add(at, path, message, megabytes());
            }
            Err(error) => self.problems.add(
                at,
                path,
                format!("`{path}`: {}", shown(&error.to_string())),
                megabytes(),
            ),
        }
    }

    fn arguments(&mut self, path: &str, at: Range<usize>, parts: &[Spanned<DeValue<'_>>]) {
        let first = parts.first().and_then(|part| part.get_ref().as_str());
        if parts.is_empty() || first.is_some_and(|program| program.trim().is_empty()) {
            self.problems.add(
                at,
                path,
                format!("`{path}` is not a command: the first argument names the program"),
                None,
            );
        }
        for part in parts {
            match part.get_ref() {
                DeValue::String(text) if !text.contains('\0') => {}
                DeValue::String(_) => {
                    let message = format!("`{path}`: an argument cannot contain the character NUL");
                    self.problems.add(part.span(), path, message, None);
                }
                other => self.wrong_kind(path, part.span(), &Shape::Text(&super::keys::FREE), other),
            }
        }
    }

    fn wrong_kind(&mut self, path: &str, at: Range<usize>, shape: &Shape, value: &DeValue<'_>) {
        let written = match value {
            DeValue::Integer(number) => Some(number.to_string()),
            DeValue::Float(number) => Some(number.as_str().to_owned()),
            DeValue::Boolean(switch) => Some(switch.to_string()),
            DeValue::String(text) => Some(text.to_string()),
            _ => None,
        }
        .filter(|text| text.len() <= 40);
        let near = match (shape, value, written) {
            (Shape::Duration(..), DeValue::Integer(_), Some(text)) => Some(format!("\"{text}s\"")),
            (Shape::Size(_), DeValue::Integer(_), Some(text)) => Some(format!("\"{text}MB\"")),
            (
                Shape::Text(_) | Shape::Command,
                DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_),
                Some(t),
            ) => Some(format!("\"{t}\"")),
            (Shape::Switch, DeValue::String(_), Some(text)) => match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "1" => Some("true".to_owned()),
                "false" | "no" | "off" | "0" => Some("false".to_owned()),
                _ => None,
            },
            (Shape::Whole(..), DeValue::String(_), Some(text)) => {
                text.trim().parse::<i64>().ok().map(|n| n.to_string())
            }
            (Shape::Processors, DeValue::String(_), Some(text)) => {
                Processors::parse(&text).ok().map(|number| number.to_string())
            }
            (Shape::List(Shape::Text(_)), DeValue::String(_), Some(text)) => {
                Some(format!("[\"{}\"]", shown(&text)))
            }
            _ => None,
        };
        let message = format!("`{path}` is {}, not {}", kind_wanted(shape), kind_found(value));
        self.problems.add(at, path, message, near);
    }
}

fn kind_wanted(shape: &Shape) -> &'static str {
    match shape {
        Shape::Text(_) => "a text in quotes",
        Shape::TextOrOff(_) => "a text in quotes, or `false`",
        Shape::OneOf(_) => "a word in quotes",
        Shape::Switch => "`true` or `false`",
        Shape::Whole(..) => "a whole number",
        Shape::Duration(..) => "a duration in quotes such as `\"30s\"`",
        Shape::Size(_) => "a size in quotes such as `\"512MB\"`",
        Shape::Processors => "a number of processors such as `0.5` or `2`",
        Shape::Command => "a command: a text in quotes, or a list of them",
        Shape::List(Shape::Table(_)) => "a list of tables, written with double brackets",
        Shape::List(_) => "a list such as `[\"a\", \"b\"]`",
        Shape::Table(_) | Shape::Named(..) => "a table",
    }
}

fn kind_found(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "`true` or `false`",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// A number as text; a whole one without its base.
pub(super) fn number_written(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::Integer(number) => {
            let number = i64::from_str_radix(number.as_str(), number.radix()).ok()?;
            Some(number.to_string())
        }
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        _ => None,
    }
}

/// The path of a key below another; hostile names are shortened, and quoted as TOML wants them.
pub(super) fn join(path: &str, name: &str) -> String {
    let plain = !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    let name = if plain {
        shown(name)
    } else {
        format!("\"{}\"", shown(name))
    };
    if path.is_empty() {
        name
    } else {
        format!("{path}.{name}")
    }
}

fn listed(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    quoted.join(", ")
}

/// The tables in which a key is known.
fn tables_with(name: &str, path: &str, keys: &[Key]) -> Vec<String> {
    let mut tables = Vec::new();
    for key in keys {
        if key.name == name && !path.is_empty() {
            tables.push(format!("`[{path}]`"));
        }
        let below = if path.is_empty() {
            key.name.to_owned()
        } else {
            format!("{path}.{}", key.name)
        };
        match &key.shape {
            Shape::Table(keys) => tables.extend(tables_with(name, &below, keys)),
            Shape::Named(_, Shape::Table(keys)) => {
                tables.extend(tables_with(name, &format!("{below}.NAME"), keys))
            }
            Shape::List(Shape::Table(keys)) => {
                tables.extend(tables_with(name, &format!("[{below}]"), keys));
            }
            _ => {}
        }
    }
    tables
}
