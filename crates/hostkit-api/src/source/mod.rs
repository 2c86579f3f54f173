//! Uploading of sources. A tree is a list of entries, each a short array, because a list of 5,000 files is sent
//! with every deploy: `["src/app.js", "<hash>", 120]` is a file, `["run.sh", "<hash>", 90, "x"]` one that may be
//! executed, `["latest", "v2"]` a link to `v2`.

use std::borrow::Cow;

use hostkit_core::names::RelativePath;
use hostkit_core::source::{ContentHash, SourceContent, SourceFile, SourceId};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, SeqAccess, Visitor};
use serde::ser::SerializeTuple;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A source tree by its entries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tree {
    /// The entries, in any order.
    pub files: Vec<Entry>,
}

/// What a tree still needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// Contents that have to be sent, each once.
    pub missing: Vec<ContentHash>,
    /// The tree, frozen at once, where nothing was missing.
    pub source: Option<SourceId>,
}

/// A frozen source tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Source {
    /// Its name: what a deployment is given.
    pub source: SourceId,
}

/// How many contents were stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stored {
    /// Contents stored.
    pub contents: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// An entry of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry(pub SourceFile);

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let path = self.0.path.as_str();
        match &self.0.content {
            SourceContent::Link { target } => {
                let mut entry = serializer.serialize_tuple(2)?;
                entry.serialize_element(path)?;
                entry.serialize_element(target)?;
                entry.end()
            }
            SourceContent::File {
                hash,
                size,
                executable,
            } => {
                let mut entry = serializer.serialize_tuple(if *executable { 4 } else { 3 })?;
                entry.serialize_element(path)?;
                entry.serialize_element(hash.as_str())?;
                entry.serialize_element(size)?;
                if *executable {
                    entry.serialize_element("x")?;
                }
                entry.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(EntryVisitor)
    }
}

struct EntryVisitor;

impl<'de> Visitor<'de> for EntryVisitor {
    type Value = Entry;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an entry: [path, hash, size], [path, hash, size, \"x\"] or [path, link target]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Entry, A::Error> {
        let path: RelativePath = parts
            .next_element()?
            .ok_or_else(|| A::Error::invalid_length(0, &self))?;
        let second: String = parts
            .next_element()?
            .ok_or_else(|| A::Error::invalid_length(1, &self))?;
        let Some(size) = parts.next_element::<u64>()? else {
            let content = SourceContent::Link { target: second };
            return Ok(Entry(SourceFile { path, content }));
        };
        let executable = match parts.next_element::<Cow<'de, str>>()?.as_deref() {
            None => false,
            Some("x") => true,
            Some(_) => {
                return Err(A::Error::custom(
                    "the fourth part of an entry is \"x\" or left out",
                ));
            }
        };
        if parts.next_element::<serde::de::IgnoredAny>()?.is_some() {
            return Err(A::Error::invalid_length(5, &self));
        }
        let hash = ContentHash::try_from(second).map_err(A::Error::custom)?;
        let content = SourceContent::File {
            hash,
            size,
            executable,
        };
        Ok(Entry(SourceFile { path, content }))
    }
}

impl JsonSchema for Entry {
    fn schema_name() -> Cow<'static, str> {
        "Entry".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "`[path, hash, size]`: a file; `[path, hash, size, \"x\"]`: one that may be executed; \
                            `[path, target]`: a link. The hash is BLAKE3, in lowercase hex.",
            "type": "array",
            "minItems": 2,
            "maxItems": 4,
            "prefixItems": [
                { "type": "string" },
                { "type": "string" },
                { "type": "integer", "minimum": 0 },
                { "const": "x" }
            ],
            "items": false
        })
    }
}

#[cfg(test)]
mod tests;
