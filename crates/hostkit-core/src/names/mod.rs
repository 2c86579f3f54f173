//! Validated names. A value of one of these types has passed its rule; nothing else may be put into a path, a
//! host table or a command line.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is not a valid {what}: {rule}")]
pub struct NameError {
    /// What kind of name was asked for.
    pub what: &'static str,
    /// The text that was refused, shortened and without control characters.
    pub value: String,
    /// The rule it breaks.
    pub rule: &'static str,
}

fn refused(what: &'static str, value: &str, rule: &'static str) -> NameError {
    let value = value
        .chars()
        .take(64)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    NameError { what, value, rule }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(with = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks `text` against the rule of this name.
            pub fn parse(text: &str) -> Result<Self, NameError> {
                let check: fn(&str) -> bool = $check;
                if check(text) { Ok(Self(text.to_owned())) } else { Err(refused($what, text, $rule)) }
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                Self::parse(&text)
            }
        }

        impl std::str::FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::parse(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

fn is_label(text: &str, shortest: usize, longest: usize) -> bool {
    let bytes = text.as_bytes();
    (shortest..=longest).contains(&bytes.len())
        && bytes
            .iter()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && bytes[0].is_ascii_lowercase()
        && bytes[bytes.len() - 1] != b'-'
        && !text.contains("--")
}

/// Names that HostKit itself answers under `NAME.localhost`, or that would confuse a reader of a URL.
const RESERVED_PROJECTS: [&str; 3] = ["hostkit", "localhost", "www"];

name!(
    /// The name of a project (REQUIREMENTS P1).
    ProjectName, "project name",
    "use 3 to 32 lowercase letters, digits and single hyphens, starting with a letter and ending with a letter or digit (`hostkit`, `localhost` and `www` are taken)",
    |t| is_label(t, 3, 32) && !RESERVED_PROJECTS.contains(&t)
);
name!(
    /// The name of an environment: `production`, `staging`, `preview-12`.
    EnvironmentName, "environment name",
    "use 1 to 28 lowercase letters, digits and single hyphens, starting with a letter and ending with a letter or digit",
    |t| is_label(t, 1, 28)
);
name!(
    /// The name of a process of a project: `web`, `worker`, `ml`.
    ProcessName, "process name",
    "use 1 to 32 lowercase letters, digits and single hyphens, starting with a letter and ending with a letter or digit",
    |t| is_label(t, 1, 32)
);
name!(
    /// The name of an environment variable.
    VariableName, "variable name",
    "use letters, digits and underscores, not starting with a digit, at most 256 characters",
    |t| (1..=256).contains(&t.len())
        && t.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !t.as_bytes()[0].is_ascii_digit()
);
name!(
    /// The name of a release: the UTC time it was frozen, `20250215-120000`, and `-2`, `-3` … for further ones in
    /// the same second (REQUIREMENTS D2). Names sort by age within one second count below ten.
    ReleaseName, "release name",
    "a release is named like `20250215-120000` or `20250215-120000-2`",
    |t| {
        let mut parts = t.split('-');
        let digits = |p: Option<&str>, n: usize| p.is_some_and(|p| p.len() == n && p.bytes().all(|b| b.is_ascii_digit()));
        digits(parts.next(), 8) && digits(parts.next(), 6)
            && parts.next().is_none_or(|p| (1..=3).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_digit()))
            && parts.next().is_none()
    }
);
name!(
    /// The name of an API token: `admin`, `ci-shop`.
    TokenName, "token name",
    "use 1 to 64 lowercase letters, digits and single hyphens, starting with a letter and ending with a letter or digit",
    |t| is_label(t, 1, 64)
);
name!(
    /// A host name as it stands in a URL: lower case, RFC 1123 labels, at most 253 characters, no port.
    HostName, "host name",
    "use lowercase letters, digits, hyphens and dots as in `shop.example.com`, without scheme, port or path",
    |t| (1..=253).contains(&t.len())
        && t.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
                && !label.starts_with('-') && !label.ends_with('-')
        })
);
name!(
    /// A path inside a source tree or a release: relative, `/` between parts, no `.` or `..` part, no NUL.
    /// The root itself is `.`.
    RelativePath, "relative path",
    "use a path inside the project, without a leading `/`, `..` or `//`",
    |t| t == "." || ((1..=4096).contains(&t.len())
        && !t.contains(['\0', '\n', '\r', '\\'])
        && t.split('/').all(|part| !part.is_empty() && part != "." && part != ".." && part.len() <= 255))
);

name!(
    /// What a database of an environment is called in commands: `db`, the main one, or `tenant_a`.
    DatabaseLabel, "name for a database",
    "use 1 to 24 lowercase letters, digits and underscores, starting with a letter, as in `tenant_a`",
    |t| (1..=24).contains(&t.len())
        && t.as_bytes()[0].is_ascii_lowercase()
        && t.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
);

name!(
    /// The name of a file of a backup, wherever it is kept: `shop/production/12/postgres`. As plain as every disk and
    /// every storage takes it, and no part begins with a dot or a hyphen.
    BackupPath, "path of a backup",
    "use lowercase letters, digits, hyphens, underscores and dots, with `/` between parts, at most 255 characters",
    |t| (1..=255).contains(&t.len())
        && t.split('/').all(|part| part.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
            && part.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.')))
);

impl BackupPath {
    /// Whether this is a file somewhere below a folder.
    pub fn is_below(&self, folder: &BackupPath) -> bool {
        self.0
            .strip_prefix(&folder.0)
            .is_some_and(|rest| rest.starts_with('/'))
    }
}

impl DatabaseLabel {
    /// The database that every environment with PostgreSQL has.
    pub fn main() -> Self {
        DatabaseLabel("db".into())
    }

    /// Whether this is the main one.
    pub fn is_main(&self) -> bool {
        self.0 == "db"
    }
}

impl EnvironmentName {
    /// The environment that is meant where none is named.
    pub fn production() -> Self {
        EnvironmentName("production".into())
    }

    /// Whether this is the default environment.
    pub fn is_production(&self) -> bool {
        self.0 == "production"
    }
}

impl ProcessName {
    /// The process that gets public traffic where none is named.
    pub fn web() -> Self {
        ProcessName("web".into())
    }
}

impl RelativePath {
    /// The root of the tree.
    pub fn root() -> Self {
        RelativePath(".".into())
    }

    /// Whether this is the root of the tree.
    pub fn is_root(&self) -> bool {
        self.0 == "."
    }

    /// This path below `base`.
    pub fn under(&self, base: &std::path::Path) -> std::path::PathBuf {
        if self.is_root() {
            base.to_path_buf()
        } else {
            base.join(&self.0)
        }
    }
}

impl ReleaseName {
    /// The name for the `attempt`-th release (from 1) frozen at `time`.
    pub fn at(time: jiff::Timestamp, attempt: u32) -> Self {
        let stamp = time.strftime("%Y%m%d-%H%M%S");
        ReleaseName(if attempt <= 1 {
            stamp.to_string()
        } else {
            format!("{stamp}-{attempt}")
        })
    }
}

#[cfg(test)]
mod tests;
