//! Source: what a release is built from. In this version: files uploaded from a folder.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names::RelativePath;

/// The BLAKE3 hash of a file's content, 64 lowercase hex digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct ContentHash(String);

impl ContentHash {
    /// Checks that `text` is a hash.
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
            .then(|| ContentHash(text.to_owned()))
    }

    /// The hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ContentHash {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        ContentHash::parse(&text).ok_or_else(|| "a content hash has 64 lowercase hex digits".into())
    }
}

impl From<ContentHash> for String {
    fn from(hash: ContentHash) -> String {
        hash.0
    }
}

impl std::fmt::Display for ContentHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// An uploaded source tree: the hash of its sorted file list.
pub type SourceId = ContentHash;

/// One entry of a source tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SourceFile {
    /// Where it lies in the tree.
    pub path: RelativePath,
    /// What it is.
    #[serde(flatten)]
    pub content: SourceContent,
}

/// What an entry of a source tree is. Empty folders are not carried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum SourceContent {
    /// A regular file.
    File {
        /// The hash of its bytes.
        hash: ContentHash,
        /// Its size in bytes.
        size: u64,
        /// Whether its owner may execute it.
        executable: bool,
    },
    /// A symbolic link that stays inside the tree.
    Link {
        /// Where it points, as written.
        target: String,
    },
}

/// How much one source may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceLimits {
    /// Bytes of all files, unpacked.
    pub bytes: u64,
    /// Number of entries.
    pub files: usize,
}

impl Default for SourceLimits {
    fn default() -> Self {
        SourceLimits {
            bytes: 2 << 30,
            files: 200_000,
        }
    }
}
