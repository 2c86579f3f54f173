//! Add-on: a managed thing an environment has, such as a Redis of its own. Binding: what of it the environment's programs
//! are told, as variables.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kind::{Failure, Kind};
use crate::names::NameError;
use crate::project::EnvironmentId;
use crate::secret::Secret;
use crate::size::ByteSize;
use crate::variables::Variables;

/// What sort of thing an add-on is. An environment has at most one of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AddonKind {
    /// A database of a PostgreSQL server.
    Postgres,
    /// A Redis server.
    Redis,
    /// A bucket of an object storage.
    Storage,
}

impl AddonKind {
    /// All of them, in the order in which they are shown.
    pub const ALL: [AddonKind; 3] = [AddonKind::Postgres, AddonKind::Redis, AddonKind::Storage];

    /// As it is written in commands, in the API and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            AddonKind::Postgres => "postgres",
            AddonKind::Redis => "redis",
            AddonKind::Storage => "storage",
        }
    }

    /// As it is written in sentences.
    pub fn title(self) -> &'static str {
        match self {
            AddonKind::Postgres => "PostgreSQL",
            AddonKind::Redis => "Redis",
            AddonKind::Storage => "storage",
        }
    }
}

impl std::fmt::Display for AddonKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for AddonKind {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        AddonKind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| NameError {
                what: "add-on",
                value: text.chars().filter(|c| !c.is_control()).take(64).collect(),
                rule: "use `postgres`, `redis` or `storage`",
            })
    }
}

/// Names an add-on: `shop/production redis`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct AddonId {
    /// Whose it is.
    pub environment: EnvironmentId,
    /// What it is.
    pub kind: AddonKind,
}

impl AddonId {
    /// Names an add-on.
    pub fn new(environment: EnvironmentId, kind: AddonKind) -> Self {
        AddonId { environment, kind }
    }
}

impl std::fmt::Display for AddonId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.environment, self.kind)
    }
}

/// What a program proves itself with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// Counted from 1 for each add-on and never used again: of two, the higher one is the newer.
    pub number: u32,
    /// The password, or the key: 64 hexadecimal digits, so that it can stand in a URL as it is. Of an add-on that is kept
    /// elsewhere: its address as it was given, with whatever gets in there.
    pub secret: Secret,
}

/// What a user may choose.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AddonSettings {
    /// The most memory its data may take, where it is kept in memory; the add-on's own default where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<ByteSize>,
    /// Whether nothing is pushed out when that memory is full: writes are refused then. What a queue needs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep_all: bool,
    /// The most bytes its objects may take, where it keeps objects; what the disk has where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<ByteSize>,
    /// Objects whose keys begin with one of these are read by anybody, at the public address of the environment. An
    /// empty one: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub public: Vec<String>,
    /// Whether it is one that somebody else keeps, used by its address. That is said when it is added, and stays so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub outside: bool,
}

/// Beginnings of keys that an add-on may have.
const MOST_PUBLIC: usize = 100;
/// The longest beginning of a key, in bytes: that of a key.
const LONGEST_PUBLIC: usize = 1024;

impl AddonSettings {
    /// Refuses what an add-on of this kind does not know, and what could not be kept.
    pub fn check(&self, kind: AddonKind) -> Result<(), Failure> {
        let refused = |what: &str, why: String| {
            let message = format!("cannot set {what} of {}: {why}", kind.title());
            Err(Failure::new(Kind::Invalid, message))
        };
        let elsewhere = |whose: AddonKind| format!("it is for {} alone", whose.title());
        let own = AddonSettings {
            outside: true,
            ..AddonSettings::default()
        };
        if self.outside && *self != own {
            return refused("anything", "that is up to who keeps it".into());
        }
        if (self.memory.is_some() || self.keep_all) && kind != AddonKind::Redis {
            return refused("the memory", elsewhere(AddonKind::Redis));
        }
        if self.quota.is_some() && kind != AddonKind::Storage {
            return refused("a quota", elsewhere(AddonKind::Storage));
        }
        if !self.public.is_empty() && kind != AddonKind::Storage {
            return refused("what is public", elsewhere(AddonKind::Storage));
        }
        if self.public.len() > MOST_PUBLIC {
            let why = format!(
                "{} beginnings of keys, and {MOST_PUBLIC} are the most",
                self.public.len()
            );
            return refused("what is public", why);
        }
        if self
            .public
            .iter()
            .any(|prefix| prefix.len() > LONGEST_PUBLIC || prefix.chars().any(char::is_control))
        {
            let why =
                format!("a beginning of a key has at most {LONGEST_PUBLIC} bytes and no control character");
            return refused("what is public", why);
        }
        Ok(())
    }
}

/// How an add-on should be: all that its driver needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddonOrder {
    /// Which one.
    pub id: AddonId,
    /// What is accepted from the project's programs, the newest first and never none: a rotation puts a new one before
    /// the old, and takes the old one away once no program uses it any more. Programs are told the first.
    pub credentials: Vec<Credential>,
    /// HostKit's own way in. The project never learns it; drivers that have another way leave it.
    pub operator: Secret,
    /// The loopback port that is the add-on's own; none for kinds that share the port of a server
    /// ([`crate::traits::Addon::needs_port`]).
    pub port: Option<u16>,
    /// What the user chose.
    pub settings: AddonSettings,
    /// Whether it was ready once: what it keeps and is not there any more is lost then, and nothing empty is made in its
    /// place.
    pub made: bool,
}

/// How an add-on was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AddonState {
    /// Whether it works.
    pub health: AddonHealth,
    /// Memory in use by its programs, in bytes, where it has programs of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// The version of the server, while it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What would be better otherwise, though it works.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// Whether an add-on works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "is", content = "why")]
pub enum AddonHealth {
    /// It answers and accepts the newest credential.
    Ready,
    /// It runs and does not answer yet: it reads its data.
    Starting,
    /// It does not work; the reason, for users.
    Down(String),
}

/// A program with which a person works on an add-on: `redis-cli`, `psql`. Run where the project's own commands are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Console {
    /// The program and its arguments. No secret is among them.
    pub arguments: Vec<String>,
    /// What the program finds in its environment besides the usual: the password is here.
    pub variables: Variables,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_refused_what_it_does_not_know() {
        let memory = AddonSettings {
            memory: Some(ByteSize::mib(8)),
            ..AddonSettings::default()
        };
        let quota = AddonSettings {
            quota: Some(ByteSize::mib(8)),
            public: vec!["public/".into()],
            ..AddonSettings::default()
        };
        assert!(memory.check(AddonKind::Redis).is_ok() && quota.check(AddonKind::Storage).is_ok());
        for (settings, kind) in [
            (&memory, AddonKind::Storage),
            (&memory, AddonKind::Postgres),
            (&quota, AddonKind::Redis),
        ] {
            let refused = settings.check(kind).unwrap_err();
            assert_eq!(refused.kind, Kind::Invalid, "{refused}");
        }
        let outside = AddonSettings {
            outside: true,
            ..AddonSettings::default()
        };
        assert!(outside.check(AddonKind::Redis).is_ok());
        let limited = AddonSettings {
            memory: Some(ByteSize::mib(8)),
            ..outside
        };
        assert!(limited.check(AddonKind::Redis).is_err());
        for bad in ["a\0b".to_owned(), "a\nb".to_owned(), "x".repeat(1025)] {
            let public = AddonSettings {
                public: vec![bad],
                ..AddonSettings::default()
            };
            assert!(public.check(AddonKind::Storage).is_err());
        }
    }
}
