//! Part: one thing that a backup holds a copy of, in a file of its own.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::addon::AddonKind;
use crate::names::NameError;

/// What a part is a copy of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PartKind {
    /// What the project is: its domains, add-ons, numbers of instances, manifest.
    Project,
    /// The variables that were set by hand.
    Variables,
    /// The folder that outlives releases.
    Shared,
    /// What an add-on keeps.
    Addon(AddonKind),
}

impl PartKind {
    /// As it stands in names of files.
    pub fn as_str(self) -> &'static str {
        match self {
            PartKind::Project => "project",
            PartKind::Variables => "variables",
            PartKind::Shared => "shared",
            PartKind::Addon(kind) => kind.as_str(),
        }
    }
}

/// Names a part of a backup: `postgres`, or `postgres.tenant_a` where a kind has several.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct PartName {
    kind: PartKind,
    label: Option<String>,
}

impl PartName {
    /// The one that every environment has of this kind.
    pub fn main(kind: PartKind) -> Self {
        PartName { kind, label: None }
    }

    /// A further one: 1 to 63 lower-case letters, digits, hyphens and underscores.
    pub fn further(kind: PartKind, label: &str) -> Result<Self, NameError> {
        format!("{}.{label}", kind.as_str()).parse()
    }

    /// What it is a copy of.
    pub fn kind(&self) -> PartKind {
        self.kind
    }

    /// Which of several it is; none for the one that is always there.
    pub fn label(&self) -> Option<&str> {
        self.label.as_deref()
    }
}

impl std::fmt::Display for PartName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.kind.as_str())?;
        match &self.label {
            Some(label) => write!(f, ".{label}"),
            None => Ok(()),
        }
    }
}

impl std::str::FromStr for PartName {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let (kind, label) = match text.split_once('.') {
            Some((kind, label)) => (kind, Some(label)),
            None => (text, None),
        };
        let own = [PartKind::Project, PartKind::Variables, PartKind::Shared];
        let all = own
            .into_iter()
            .chain(AddonKind::ALL.into_iter().map(PartKind::Addon));
        let kind = all.into_iter().find(|known| known.as_str() == kind);
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && label
                    .bytes()
                    .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
        };
        match kind {
            Some(kind) if label.is_none_or(is_label) => Ok(PartName {
                kind,
                label: label.map(str::to_owned),
            }),
            _ => Err(NameError {
                what: "part of a backup",
                value: text.chars().filter(|c| !c.is_control()).take(64).collect(),
                rule: "use `project`, `variables`, `shared`, or an add-on as `postgres` or `postgres.tenant_a`",
            }),
        }
    }
}

impl TryFrom<String> for PartName {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<PartName> for String {
    fn from(name: PartName) -> String {
        name.to_string()
    }
}

/// What a part has in it, counted by name: rows of each table, keys of each database, files. What a restored copy is
/// compared with.
pub type Counts = BTreeMap<String, u64>;

/// The most differences that are told.
const MOST_DIFFERENCES: usize = 10;

/// What a restored copy has that is not as it was, in words; nothing where all of it is.
pub fn differences(expected: &Counts, found: &Counts) -> Vec<String> {
    let names: std::collections::BTreeSet<&String> = expected.keys().chain(found.keys()).collect();
    let count = |counts: &Counts, name: &String| counts.get(name).copied().unwrap_or_default();
    let all = names.into_iter().filter_map(|name| {
        let (was, is) = (count(expected, name), count(found, name));
        (was != is).then(|| format!("{name}: {was} were backed up, {is} came back"))
    });
    all.take(MOST_DIFFERENCES).collect()
}

/// The measures of a file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileFigures {
    /// Bytes of the file.
    pub bytes: u64,
    /// BLAKE3 of the file, in hexadecimal digits.
    pub hash: String,
    /// Bytes of what is in it.
    pub plain_bytes: u64,
    /// BLAKE3 of what is in it, in hexadecimal digits.
    pub plain_hash: String,
}

/// A part as it was stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StoredPart {
    /// Which one.
    pub name: PartName,
    /// Its file.
    #[serde(flatten)]
    pub figures: FileFigures,
    /// What it has in it.
    pub counts: Counts,
    /// What is not in it and may be missed, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_back_and_is_a_part_of_a_path() {
        for text in [
            "project",
            "variables",
            "shared",
            "redis",
            "postgres",
            "postgres.tenant_a",
            "storage.b-1",
        ] {
            assert_eq!(text.parse::<PartName>().unwrap().to_string(), text);
            crate::names::BackupPath::parse(&format!("shop/production/1/{text}")).unwrap();
        }
        for text in [
            "",
            "manifest",
            "postgres.",
            "postgres.A",
            "postgres./x",
            "postgres.a.b",
            "../project",
            "shared\0",
        ] {
            assert!(text.parse::<PartName>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn what_is_missing_and_what_is_too_much_is_told() {
        let counts = |pairs: &[(&str, u64)]| {
            pairs
                .iter()
                .map(|(name, n)| ((*name).to_owned(), *n))
                .collect::<Counts>()
        };
        let was = counts(&[("rows of a", 3), ("rows of b", 1)]);
        assert_eq!(differences(&was, &was), Vec::<String>::new());
        assert_eq!(
            differences(&was, &counts(&[("rows of a", 3), ("rows of c", 2)])),
            [
                "rows of b: 1 were backed up, 0 came back",
                "rows of c: 0 were backed up, 2 came back"
            ]
        );
    }
}
