//! `package.json`, as far as building and starting need it.

use std::collections::BTreeMap;
use std::path::Path;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::manifest::Command;
use serde::Deserialize;
use serde_json::Value;

use super::tree;

/// A `package.json`. Fields of a wrong type count as missing, as they do for npm.
#[derive(Debug, Clone, Default)]
pub(crate) struct Package {
    /// The whole document.
    pub(crate) document: serde_json::Map<String, Value>,
    /// The scripts.
    pub(crate) scripts: BTreeMap<String, String>,
    /// `main`.
    pub(crate) main: Option<String>,
    /// `packageManager`: `pnpm@9.1.0`.
    pub(crate) manager: Option<String>,
}

impl Package {
    /// Reads the one of a folder.
    pub(crate) fn read(folder: &Path) -> Result<Option<Self>, Failure> {
        let Some(text) = tree::text(folder, "package.json") else {
            return Ok(None);
        };
        let document = serde_json::Map::deserialize(&mut serde_json::Deserializer::from_str(
            text.trim_start_matches('\u{feff}'),
        ))
        .map_err(|why| {
            Failure::new(Kind::Invalid, format!("cannot use package.json: {why}"))
                .hint("mend the file: it must be one JSON object")
        })?;
        let text_of = |name: &str| document.get(name).and_then(Value::as_str).map(str::to_owned);
        let scripts = texts(document.get("scripts"));
        Ok(Some(Package {
            scripts,
            main: text_of("main"),
            manager: text_of("packageManager"),
            document,
        }))
    }

    /// The same for a look from afar: a file that cannot be read counts as missing.
    pub(crate) fn glance(folder: &Path) -> Option<Self> {
        Self::read(folder).ok().flatten()
    }

    /// Whether a package is named among the dependencies of any sort.
    pub(crate) fn depends_on(&self, name: &str) -> bool {
        ["dependencies", "devDependencies", "optionalDependencies"]
            .iter()
            .any(|list| self.document.get(*list).and_then(|list| list.get(name)).is_some())
    }

    /// Whether it names dependencies at all.
    pub(crate) fn has_dependencies(&self) -> bool {
        ["dependencies", "devDependencies", "optionalDependencies"]
            .iter()
            .any(|list| {
                self.document
                    .get(*list)
                    .and_then(Value::as_object)
                    .is_some_and(|list| !list.is_empty())
            })
            || self.document.contains_key("workspaces")
    }

    /// The Node.js versions it wants.
    pub(crate) fn node_rule(&self) -> Option<&str> {
        self.document.get("engines")?.get("node")?.as_str()
    }
}

fn texts(value: Option<&Value>) -> BTreeMap<String, String> {
    let entries = value.and_then(Value::as_object).into_iter().flatten();
    entries
        .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        .collect()
}

/// A script line as a command that needs no shell and no npm: variables set in front of it, and its words. Nothing if
/// the line needs a shell. `$PORT` and `$HOST` may stand in it: the runtime replaces them.
pub(crate) fn plain_words(line: &str) -> Option<(BTreeMap<String, String>, Command)> {
    let without_known = ["${PORT}", "$PORT", "${HOST}", "$HOST"]
        .iter()
        .fold(line.to_owned(), |line, known| line.replace(known, ""));
    if without_known.contains(|c: char| "$&|;<>()*?[]{}`'\"\\~#!\n\r".contains(c)) {
        return None;
    }
    let mut variables = BTreeMap::new();
    let mut words = line.split_whitespace().peekable();
    while let Some((name, value)) = words.peek().and_then(|word| word.split_once('=')) {
        if !is_variable(name) || value.contains('$') {
            return None;
        }
        variables.insert(name.to_owned(), value.to_owned());
        words.next();
    }
    let words: Vec<String> = words.map(str::to_owned).collect();
    let is_builtin = matches!(
        words.first()?.as_str(),
        "cd" | "exec" | "export" | "set" | "source" | "." | ":" | "if"
    );
    (!is_builtin).then_some((variables, Command::Arguments(words)))
}

fn is_variable(name: &str) -> bool {
    hostkit_core::names::VariableName::parse(name).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_lines_need_no_shell() {
        let words = |line| plain_words(line).map(|(_, command)| command.to_string());
        assert_eq!(words("node server.js").as_deref(), Some("node server.js"));
        assert_eq!(
            words("next start -p $PORT").as_deref(),
            Some("next start -p $PORT")
        );
        let (variables, command) = plain_words("NODE_ENV=production node --x=1 a.js").unwrap();
        assert_eq!(variables["NODE_ENV"], "production");
        assert_eq!(command.to_string(), "node --x=1 a.js");
        for shell in [
            "a && b",
            "node $(x)",
            "node $OTHER",
            "cd x",
            "echo 'a'",
            "",
            "A=$PORT node x",
            "a > b",
        ] {
            assert_eq!(words(shell), None, "{shell}");
        }
    }
}
